"""What the state of a live Python object is made of, as plain data.

The graph of objects (an environment with all its wrappers, a callback, action noise) is written down by
:mod:`.graph_capture` and put back by :mod:`.graph_restore`. This module says what both agree on: the form
of a node, which objects are ordinary, and which cannot change anything that training depends on.
"""

from __future__ import annotations

import collections
import enum
import functools
import json
import random
import types
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import torch as th
from gymnasium import spaces
from gymnasium.envs.registration import EnvSpec
from stable_baselines3.common.vec_env import SubprocVecEnv, VecEnvWrapper

Node = Any
"""JSON value: None, bool, int, str, finite float, list, or a dict with the key ``$`` that says what it is.

Until :func:`node_text` writes it down, it may hold :class:`Deferred` nodes.
"""

SAME = {"$": "same"}
PLAIN = frozenset({type(None), bool, int, float, str})
"""Types whose values cannot change and need no node of their own, but for floats that are not finite."""
GENERATORS: dict[str, Any] = {
    kind.__name__: kind
    for kind in (np.random.PCG64, np.random.PCG64DXSM, np.random.MT19937, np.random.Philox, np.random.SFC64)
}
_POSITIONS = {"pos": 624, "buffer_pos": 4}  # of MT19937 and Philox
_IMMATERIAL_TYPES = (
    type,
    types.ModuleType,
    types.BuiltinFunctionType,
    types.MethodType,
    property,
    EnvSpec,
    th.device,
    th.dtype,
    np.dtype,
)
_IMMATERIAL_MODULES = ("pygame", "matplotlib", "logging", "stable_baselines3.common.logger")
_IMMATERIAL_CLASSES = frozenset({"stable_baselines3.common.monitor.ResultsWriter"})
STATE_ATTRIBUTES = {
    "stable_baselines3.common.vec_env.vec_normalize.VecNormalize": frozenset(
        {"venv", "obs_rms", "ret_rms", "returns", "old_obs", "old_reward"}
    ),
}
"""Classes whose other attributes are configuration: the current one holds, not the checkpoint's."""
_PLAIN_BYTES = type("_Plain", (), {}).__basicsize__  # room for __dict__ and __weakref__, and for nothing else
_HEAP_TYPE = 1 << 9  # Py_TPFLAGS_HEAPTYPE: made by a class statement
_EXACT_FORMS: dict[type, str] = {
    np.ndarray: "array",
    tuple: "tuple",
    list: "list",
    dict: "dict",
    collections.OrderedDict: "dict",
    collections.deque: "deque",
    set: "set",
    frozenset: "set",
    bytes: "bytes",
    bytearray: "bytes",
    complex: "complex",
    random.Random: "random",
    types.MethodType: "method",
    types.BuiltinMethodType: "method",
    types.FunctionType: "function",
}
_FORMS: tuple[tuple[type | tuple[type, ...], str], ...] = (
    (np.generic, "scalar"),
    (th.Tensor, "tensor"),
    (np.random.Generator, "generator"),
    (np.random.RandomState, "randomstate"),
    (th.Generator, "torchgen"),
    (enum.Enum, "enum"),
    (spaces.Space, "space"),
    (_IMMATERIAL_TYPES, "immaterial"),
)
_Answer = TypeVar("_Answer")


def _by_class(answer: Callable[[type], _Answer]) -> Callable[[type], _Answer]:
    # A save asks about each of some hundred objects; what depends on the class alone is found once.
    return functools.lru_cache(maxsize=4096)(answer)


@dataclass(frozen=True, slots=True)
class Deferred:
    """A node, or an array beside the nodes, that is made when it is written, from what training no longer changes.

    Attributes:
        make: returns it.
    """

    make: Callable[[], Node]


def node_text(node: Node) -> str:
    """Return a node as JSON.

    >>> node_text({"$": "tuple", "v": Deferred(lambda: [1, 2])})
    '{"$":"tuple","v":[1,2]}'
    """
    return json.dumps(node, separators=(",", ":"), allow_nan=False, default=lambda later: later.make())


@_by_class
def class_name(kind: type) -> str:
    """Return the qualified name of a class.

    >>> class_name(collections.deque)
    'collections.deque'
    """
    return f"{_module(kind)}.{kind.__qualname__}"


@_by_class
def _module(kind: type) -> str:
    return str(getattr(kind, "__module__", "?"))  # some classes of C extensions have none


@_by_class
def form(kind: type) -> str:
    """Return the form in which an object of this class is written down; "lost" where there is none.

    >>> form(dict), form(np.float32), form(type("Car", (), {})), form(memoryview)
    ('dict', 'scalar', 'object', 'lost')
    """
    if kind in _EXACT_FORMS:
        return _EXACT_FORMS[kind]
    for base, name in _FORMS:
        if issubclass(kind, base):
            return name
    if issubclass(kind, tuple) and hasattr(kind, "_fields"):
        return "named"
    if _immaterial_class(kind):
        return "immaterial"
    if stateful(kind):
        return "state"
    if issubclass(kind, SubprocVecEnv):
        return "workers"
    return "object" if ordinary(kind) else "lost"


@_by_class
def ordinary(kind: type) -> bool:
    """Whether all state of such an object lies in its ``__dict__``: no slots, no hidden C structure.

    >>> ordinary(np.ndarray), ordinary(types.SimpleNamespace), ordinary(type("Car", (), {}))
    (False, False, True)
    >>> ordinary(type("Bus", (type("Slotted", (), {"__slots__": ("seats",)}),), {}))
    False
    """
    bare = kind.__dictoffset__ != 0 and kind.__basicsize__ <= _PLAIN_BYTES and bool(kind.__flags__ & _HEAP_TYPE)
    return bare and not any(
        isinstance(item, types.MemberDescriptorType) for base in kind.__mro__ for item in vars(base).values()
    )


def bound_to(value: Any) -> Any:
    """Return the object whose state a bound method reads and changes; None where there is none.

    >>> bound_to([].append), bound_to(len), bound_to(np.mean)
    ([], None, None)
    """
    if not isinstance(value, (types.MethodType, types.BuiltinMethodType)):
        return None
    owner = value.__self__
    return None if isinstance(owner, (type, types.ModuleType)) else owner


@_by_class
def stateful(kind: type) -> bool:
    """Whether the class itself offers ``get_state()`` and ``set_state()``."""
    return callable(getattr(kind, "get_state", None)) and callable(getattr(kind, "set_state", None))


def immaterial(value: Any) -> bool:
    """Whether nothing that training depends on can change in ``value``: code, classes, drawing surfaces, logs."""
    if isinstance(value, _IMMATERIAL_TYPES):
        return bound_to(value) is None
    if isinstance(value, types.FunctionType):
        cells = value.__closure__ or ()
        return all(_constant(cell) for cell in cells)
    return _immaterial_class(type(value))


@_by_class
def _immaterial_class(kind: type) -> bool:
    return _module(kind).startswith(_IMMATERIAL_MODULES) or class_name(kind) in _IMMATERIAL_CLASSES


def _constant(cell: types.CellType) -> bool:
    try:
        content = cell.cell_contents
    except ValueError:
        return True
    plain = (bool, int, float, str, bytes, tuple, frozenset, type(None))
    return isinstance(content, plain) or immaterial(content)


def subspaces(space: spaces.Space[Any]) -> list[tuple[Any, spaces.Space[Any]]]:
    """Return the spaces that ``space`` is made of, with their keys."""
    parts = getattr(space, "spaces", None)
    if isinstance(parts, dict):
        return list(parts.items())
    return list(enumerate(parts)) if isinstance(parts, (tuple, list)) else []


def live_classes(roots: tuple[Any, ...]) -> set[type]:
    """Return the ordinary classes of all objects that can be reached from ``roots``."""
    found: set[type] = set()
    seen: set[int] = set()
    todo = list(roots)
    while todo:
        value = todo.pop()
        if id(value) in seen or immaterial(value):
            continue
        seen.add(id(value))
        if isinstance(value, dict):
            todo.extend(value.values())
        elif isinstance(value, (list, tuple, set, collections.deque)):
            todo.extend(value)
        elif ordinary(type(value)):
            found.add(type(value))
            todo.extend(vars(value).values())
    return found


def generator_node(state: Any) -> Node:
    """Return a numpy ``bit_generator.state`` as JSON values: arrays become lists with their type.

    >>> generator_state(generator_node({"key": np.arange(2, dtype=np.uint32)}))["key"].dtype
    dtype('uint32')
    """
    if isinstance(state, dict):
        return {key: generator_node(value) for key, value in state.items()}
    if isinstance(state, np.ndarray):
        return [state.dtype.name, state.tolist()]
    return state.item() if isinstance(state, np.generic) else state


def generator_state(node: Node) -> Any:
    """Return what :func:`generator_node` was given.

    Raises:
        ValueError: a position lies outside its table, where numpy would read foreign memory.
    """
    if isinstance(node, dict):
        for name, limit in _POSITIONS.items():
            if name in node and not 0 <= int(node[name]) <= limit:
                raise ValueError(f"{name} {node[name]} is not within 0 to {limit}")
        return {key: generator_state(value) for key, value in node.items()}
    if isinstance(node, list):
        return np.array(node[1], dtype=np.dtype(node[0]))
    return node


def state_attributes(value: Any) -> dict[str, Any]:
    """Return the attributes of an ordinary object that are state, by name."""
    wanted = STATE_ATTRIBUTES.get(class_name(type(value)))
    if wanted is not None:
        return {name: item for name, item in vars(value).items() if name in wanted}
    found: dict[str, Any] = vars(value)
    if isinstance(value, VecEnvWrapper):  # class_attributes: what its class is made of, code
        return {name: item for name, item in found.items() if name != "class_attributes"}
    return found
