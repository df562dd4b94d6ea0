"""The state of live Python objects, taken as plain data.

What can change is written down: numbers, texts, arrays, tensors, random generators, containers of these,
and the attributes of ordinary Python objects, however deep. A value met twice is written once and referred
to, so that aliases stay aliases. What cannot be written down (a C++ world, an open socket) is reported with
its path, and the grade of the checkpoint falls.
"""

from __future__ import annotations

import collections
import ctypes
import functools
import itertools
import math
import random
from collections.abc import Callable, Collection
from typing import Any

import numpy as np
import torch as th
from gymnasium import spaces
from numpy.typing import NDArray
from stable_baselines3.common.vec_env import SubprocVecEnv

from validation_ch7.checkpoints.graph import (
    GENERATORS,
    PLAIN,
    SAME,
    Deferred,
    Node,
    bound_to,
    class_name,
    form,
    generator_node,
    immaterial,
    state_attributes,
    subspaces,
)

_MAX_DEPTH = 200
_PLAIN = PLAIN - {float}
_NUMBERS = frozenset({bool, int, float})
_DICTS = frozenset({dict})
_FEW = 8
_Path = str | tuple[Any, str, Any]
"""Where a value was met: a name, or the path to what holds it, "." or "[", and the name or key in it."""
_Met = tuple[_Path, NDArray[Any], dict[str, Any]]
"""The path of an array, itself, and its node."""
_Placed = tuple[int, int, _Path, NDArray[Any], dict[str, Any]]
"""The same, after where the array begins and ends in memory."""


class Capture:
    """One pass over a live graph.

    Args:
        elsewhere: objects that are saved in another way; a reference to one stays as it is.

    Attributes:
        arrays: the arrays met, copied, by their name in the file.
        lost: paths of what could not be written down.
    """

    def __init__(self, *elsewhere: Any) -> None:
        self._elsewhere = {id(value) for value in elsewhere}
        self.arrays: dict[str, NDArray[Any]] = {}
        self.lost: list[str] = []
        self._stored = 0
        self._seen: dict[int, int] = {}
        self._alive: list[Any] = []
        self._memory: list[_Met] = []
        self._owners: set[int] = set()
        self._borrowing: list[NDArray[Any]] = []
        self._apart = True

    def take(self, value: Any, path: str) -> Node:
        """Return ``value`` as a node; what cannot be taken is added to ``lost`` and left as it is."""
        return self._node(value, path, 0)

    def join_views(self) -> None:
        """Rewrite the nodes of arrays that share memory or lie in it unusually, so that restored ones do too.

        The layout matters: a convolution of a transposed image differs in its last bits from that of its copy.
        """
        pairs = itertools.product(self._borrowing, [array for _, array, _ in self._memory])
        if not self._apart or any(one is not other and np.may_share_memory(one, other) for one, other in pairs):
            self._join_all()
        self._memory.clear()

    def _join_all(self) -> None:
        memory: list[_Placed] = sorted(((*_bounds(met[1]), *met) for met in self._memory), key=lambda item: item[:2])
        group: list[_Placed] = []
        end = 0
        for item in memory:
            if item[0] >= end:
                self._join(group)
                group = []
            group.append(item)
            end = max(end, item[1])
        self._join(group)

    def _join(self, group: list[_Placed]) -> None:
        shared = len(group) > 1 and any(array.flags.writeable for *_, array, _ in group)
        if not shared and all(_usual(array) for *_, array, _ in group):
            return
        begin, end = group[0][0], max(stop for _, stop, *_ in group)
        block = self._store(np.frombuffer(ctypes.string_at(begin, end - begin), np.uint8))
        for *_, path, array, node in group:
            if array.dtype.names is not None:
                self.lost.append(f"{_text(path)} (shares memory with another array)")
            del self.arrays[node["v"]]
            layout = {"shape": list(array.shape), "strides": list(array.strides), "write": array.flags.writeable}
            offset = array.__array_interface__["data"][0] - begin
            node |= {"$": "view", "v": block, "dtype": array.dtype.str, "offset": offset, **layout}

    def _node(self, value: Any, path: _Path, depth: int) -> Node:
        kind = type(value)
        if kind in _PLAIN:
            return value
        if kind is float:
            return value if math.isfinite(value) else {"$": "float", "v": repr(value)}
        if depth > _MAX_DEPTH:
            return self._lose(value, path, depth)
        key = id(value)
        if key in self._seen:
            return {"$": "ref", "v": self._seen[key]}
        if key in self._elsewhere:
            return SAME
        return _TAKE[form(kind)](self, value, path, depth + 1)

    def _object(self, value: Any, path: _Path, depth: int) -> Node:
        node = self._mark(value, {"$": "object", "class": class_name(type(value))})
        node["v"] = {
            name: item if type(item) in _PLAIN else self._node(item, (path, ".", name), depth)
            for name, item in list(state_attributes(value).items())
        }
        return node

    def _sequence(self, value: Any, path: _Path, depth: int) -> Node:
        node = self._mark(value, {"$": type(value).__name__})
        if type(value) is collections.deque:
            node["maxlen"] = value.maxlen
        node["v"] = self._items(value, path, depth)
        return node

    def _set(self, value: Any, path: _Path, depth: int) -> Node:
        return self._mark(value, {"$": type(value).__name__}) | {"v": self._items(list(value), path, depth)}

    def _tuple(self, value: Any, path: _Path, depth: int) -> Node:
        return {"$": "tuple", "v": self._items(value, path, depth)}

    def _named(self, value: Any, path: _Path, depth: int) -> Node:
        return {"$": "named", "class": class_name(type(value)), "v": self._items(value, path, depth)}

    def _dict(self, value: Any, path: _Path, depth: int) -> Node:
        node = self._mark(value, {"$": "dict"})
        items = value.values()
        flat = not value or (_flat(items, set(map(type, items))) and _PLAIN.issuperset(map(type, value)))
        node["v"] = list(map(list, value.items())) if flat else self._pairs(value, path, depth)
        return node

    def _bytes(self, value: Any, _path: _Path, _depth: int) -> Node:
        return {"$": type(value).__name__, "v": self._store(np.frombuffer(bytes(value), np.uint8))}

    def _method(self, value: Any, path: _Path, depth: int) -> Node:
        owner = bound_to(value)
        return SAME if owner is None else {"$": "method", "v": self._node(owner, (path, ".", "__self__"), depth)}

    def _function(self, value: Any, path: _Path, depth: int) -> Node:
        return SAME if immaterial(value) else self._lose(value, path, depth)

    def _state(self, value: Any, path: _Path, depth: int) -> Node:
        state = value.get_state()
        return self._mark(value, {"$": "state"}) | {"v": self._node(state, (path, ".", "get_state()"), depth)}

    def _workers(self, env: SubprocVecEnv, path: _Path, depth: int) -> Node:
        if not env.has_attr("get_state"):
            lack = "SubprocVecEnv: its environments lack get_state(); wrap them in ResumableEnv"
            self.lost.append(f"{_text(path)} ({lack})")
            return SAME
        states = env.env_method("get_state")
        for index, state in enumerate(states):
            lost = state.get("lost", ()) if isinstance(state, dict) else ()
            self.lost += [f"{_text(path)}.envs[{index}].{item}" for item in lost]
        return self._mark(env, {"$": "workers"}) | {"v": self._items(states, (path, ".", "envs"), depth)}

    def _mark(self, value: Any, node: dict[str, Any]) -> dict[str, Any]:
        node["i"] = self._seen[id(value)] = len(self._seen)
        self._alive.append(value)  # an id is only unique while its object lives
        return node

    def _lose(self, value: Any, path: _Path, _depth: int) -> Node:
        self.lost.append(f"{_text(path)} ({class_name(type(value))})")
        return SAME

    def _items(self, values: Any, path: _Path, depth: int) -> Any:
        if not values:
            return []
        kinds = set(map(type, values))
        if _flat(values, kinds):
            return list(values)
        if kinds == _DICTS and len(values) >= _FEW and (nodes := self._flat_dicts(values)):
            return nodes
        return [
            value if type(value) in _PLAIN else self._node(value, (path, "[", index), depth)
            for index, value in enumerate(values)
        ]

    def _flat_dicts(self, values: Any) -> Deferred | None:
        """Take a row of flat dictionaries at once: the infos of a hundred episodes are."""
        first = len(self._seen)
        places = dict(zip(map(id, values), itertools.count(first)))
        if len(places) < len(values) or not self._seen.keys().isdisjoint(places):
            return None
        items = list(itertools.chain.from_iterable(map(dict.values, values)))
        if not _flat(items, set(map(type, items))) or not _PLAIN.issuperset(map(type, set().union(*values))):
            return None
        self._seen |= places
        self._alive.extend(values)
        return Deferred(functools.partial(_dict_nodes, first, list(map(dict.copy, values))))

    def _pairs(self, mapping: Any, path: _Path, depth: int) -> list[list[Node]]:
        return [
            [
                key if type(key) in _PLAIN else self._node(key, path, depth),
                value if type(value) in _PLAIN else self._node(value, (path, "[", key), depth),
            ]
            for key, value in mapping.items()
        ]

    def _array(self, value: NDArray[Any], path: _Path, depth: int) -> Node:
        if value.dtype.hasobject:
            return self._lose(value, path, depth)
        node = self._mark(value, {"$": "array"})
        node["v"] = self._store(value.copy(order="K"))
        if value.nbytes:
            self._memory.append((path, value, node))
            self._apart = self._apart and _usual(value) and self._has_owner(value)
        return node

    def _has_owner(self, array: NDArray[Any]) -> bool:
        """Whether the array lies in memory of an array in which no other one met so far lies, or of something else."""
        holder: Any = array
        while type(holder) is np.ndarray and holder.base is not None:
            holder = holder.base
        if type(holder) is not np.ndarray or not holder.flags.owndata:
            self._borrowing.append(array)
            return len(self._borrowing) <= _FEW
        known = len(self._owners)
        self._owners.add(id(holder))
        return len(self._owners) > known

    def _scalar(self, value: Any, _path: _Path, _depth: int) -> Node:
        return {"$": "scalar", "v": self._store(np.asarray(value))}

    def _tensor(self, value: th.Tensor, _path: _Path, _depth: int) -> Node:
        plain = value.detach().cpu()
        if plain.dtype is th.bfloat16:
            plain = plain.view(th.int16)
        return self._mark(value, {"$": "tensor", "dtype": str(value.dtype), "v": self._store(plain.numpy().copy("K"))})

    def _store(self, array: NDArray[Any]) -> str:
        name = f"a{self._stored}"
        self._stored += 1
        self.arrays[name] = array
        return name

    def _space(self, space: spaces.Space[Any], path: _Path, depth: int) -> Node:
        node = self._mark(space, {"$": "space"})
        generator = getattr(space, "_np_random", None)
        parts = [self._node(part, (path, "[", key), depth) for key, part in subspaces(space)]
        node["v"] = {"rng": self._node(generator, (path, ".", "np_random"), depth), "parts": parts}
        return node

    def _generator(self, value: np.random.Generator, path: _Path, depth: int) -> Node:
        bits = value.bit_generator
        if type(bits).__name__ not in GENERATORS:
            return self._lose(value, path, depth)
        return self._mark(value, {"$": "generator", "v": _later(bits.state)})

    def _random_state(self, value: np.random.RandomState, _path: _Path, _depth: int) -> Node:
        return self._mark(value, {"$": "randomstate", "v": _later(value.get_state(legacy=False))})

    def _random(self, value: random.Random, _path: _Path, _depth: int) -> Node:
        version, words, gauss = value.getstate()
        return self._mark(value, {"$": "random", "v": [version, list(words), gauss]})

    def _torch_generator(self, value: th.Generator, _path: _Path, _depth: int) -> Node:
        return self._mark(value, {"$": "torchgen", "v": self._store(value.get_state().numpy().copy())})


def _text(path: _Path) -> str:
    if isinstance(path, str):
        return path
    holder, how, key = path
    return f"{_text(holder)}.{key}" if how == "." else f"{_text(holder)}[{key!r}]"


def _later(state: Any) -> Deferred:
    return Deferred(functools.partial(generator_node, state))


_TAKE: dict[str, Callable[[Capture, Any, Any, int], Node]] = {
    "array": Capture._array,
    "scalar": Capture._scalar,
    "tensor": Capture._tensor,
    "tuple": Capture._tuple,
    "named": Capture._named,
    "list": Capture._sequence,
    "deque": Capture._sequence,
    "set": Capture._set,
    "dict": Capture._dict,
    "bytes": Capture._bytes,
    "complex": lambda _, value, *__: {"$": "complex", "v": [repr(value.real), repr(value.imag)]},
    "enum": lambda _, value, *__: {"$": "enum", "class": class_name(type(value)), "v": value.name},
    "space": Capture._space,
    "generator": Capture._generator,
    "randomstate": Capture._random_state,
    "random": Capture._random,
    "torchgen": Capture._torch_generator,
    "method": Capture._method,
    "function": Capture._function,
    "immaterial": lambda *_: SAME,
    "state": Capture._state,
    "workers": Capture._workers,
    "object": Capture._object,
    "lost": Capture._lose,
}


def _dict_nodes(first: int, items: list[dict[Any, Any]]) -> list[Node]:
    return [{"$": "dict", "i": index, "v": list(map(list, item.items()))} for index, item in enumerate(items, first)]


def _flat(values: Collection[Any], kinds: set[type]) -> bool:
    """Whether all values, which are of these types, are plain and all numbers finite."""
    if not kinds <= PLAIN:
        return False
    if float not in kinds:
        return True
    try:  # the sum is finite only if every number is
        return math.isfinite(sum(values if kinds <= _NUMBERS else [item for item in values if type(item) is float]))
    except OverflowError:  # an integer beyond every float
        return False


def _bounds(array: NDArray[Any]) -> tuple[int, int]:
    # numpy names this differently in its versions 1 and 2.
    low = high = array.__array_interface__["data"][0]
    if array.flags.c_contiguous:
        return low, low + array.nbytes
    for length, stride in zip(array.shape, array.strides, strict=True):
        low, high = low + min(0, (length - 1) * stride), high + max(0, (length - 1) * stride)
    return low, high + array.itemsize


def _usual(array: NDArray[Any]) -> bool:
    usual, step = [], array.itemsize
    for length in reversed(array.shape):
        usual.append(step)
        step *= length
    return array.strides == tuple(reversed(usual))
