"""The state of live Python objects, taken as plain data.

What can change is written down: numbers, texts, arrays, tensors, random generators, containers of these,
and the attributes of ordinary Python objects, however deep. A value met twice is written once and referred
to, so that aliases stay aliases. What cannot be written down (a C++ world, an open socket) is reported with
its path, and the grade of the checkpoint falls.
"""

from __future__ import annotations

import collections
import ctypes
import enum
import math
import random
from typing import Any

import numpy as np
import torch as th
from gymnasium import spaces
from numpy.typing import NDArray
from stable_baselines3.common.vec_env import SubprocVecEnv

from validation_ch7.checkpoints.graph import (
    GENERATORS,
    SAME,
    Node,
    bound_to,
    class_name,
    generator_node,
    immaterial,
    ordinary,
    state_attributes,
    stateful,
    subspaces,
)

_MAX_DEPTH = 200
_PLAIN = frozenset({type(None), bool, int, str})
_FLAT = _PLAIN | {float}
_Placed = tuple[int, int, str, NDArray[Any], dict[str, Any]]
"""Where an array begins and ends in memory, its path, itself, and its node."""


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
        self._memory: list[_Placed] = []

    def take(self, value: Any, path: str) -> Node:
        """Return ``value`` as a node; what cannot be taken is added to ``lost`` and left as it is."""
        return self._node(value, path, 0)

    def join_views(self) -> None:
        """Rewrite the nodes of arrays that share memory or lie in it unusually, so that restored ones do too.

        The layout matters: a convolution of a transposed image differs in its last bits from that of its copy.
        """
        group: list[_Placed] = []
        end = 0
        for item in sorted(self._memory, key=lambda item: item[:2]):
            if item[0] >= end:
                self._join(group)
                group = []
            group.append(item)
            end = max(end, item[1])
        self._join(group)
        self._memory.clear()

    def _join(self, group: list[_Placed]) -> None:
        shared = len(group) > 1 and any(array.flags.writeable for *_, array, _ in group)
        if not shared and all(_usual(array) for *_, array, _ in group):
            return
        begin, end = group[0][0], max(stop for _, stop, *_ in group)
        block = self._store(np.frombuffer(ctypes.string_at(begin, end - begin), np.uint8))
        for *_, path, array, node in group:
            if array.dtype.names is not None:
                self.lost.append(f"{path} (shares memory with another array)")
            del self.arrays[node["v"]]
            layout = {"shape": list(array.shape), "strides": list(array.strides), "write": array.flags.writeable}
            offset = array.__array_interface__["data"][0] - begin
            node |= {"$": "view", "v": block, "dtype": array.dtype.str, "offset": offset, **layout}

    def _node(self, value: Any, path: str, depth: int) -> Node:
        if _is_plain(value):
            return value
        kind = type(value)
        if kind is float:
            return {"$": "float", "v": repr(value)}
        if depth > _MAX_DEPTH:
            return self._lose(path, value)
        key = id(value)
        if key in self._seen:
            return {"$": "ref", "v": self._seen[key]}
        if key in self._elsewhere:
            return SAME
        if kind is dict and _is_flat(value):  # the infos of a hundred episodes are
            self._seen[key] = index = len(self._seen)
            self._alive.append(value)
            return {"$": "dict", "i": index, "v": list(map(list, value.items()))}
        return self._fresh(value, kind, path, depth + 1)

    def _fresh(self, value: Any, kind: type, path: str, depth: int) -> Node:
        if kind is np.ndarray:
            return self._array(value, path)
        if isinstance(value, np.generic):
            return {"$": "scalar", "v": self._store(np.asarray(value))}
        if kind is tuple:
            return {"$": "tuple", "v": self._items(value, path, depth)}
        if kind is list:
            return self._mark(value, {"$": "list"}) | {"v": self._items(value, path, depth)}
        if kind is dict or kind is collections.OrderedDict:
            return self._mark(value, {"$": "dict"}) | {"v": self._pairs(value, path, depth)}
        if kind is collections.deque:
            mark = self._mark(value, {"$": "deque", "maxlen": value.maxlen})
            return mark | {"v": self._items(value, path, depth)}
        if isinstance(value, th.Tensor):
            return self._mark(value, {"$": "tensor", "dtype": str(value.dtype)}) | {"v": self._tensor(value)}
        generator = self._generator(value)
        if generator is not None:
            return self._mark(value, generator)
        return self._rare(value, kind, path, depth)

    def _rare(self, value: Any, kind: type, path: str, depth: int) -> Node:
        if kind is set or kind is frozenset:
            return self._mark(value, {"$": kind.__name__}) | {"v": self._items(list(value), path, depth)}
        if kind is bytes or kind is bytearray:
            return {"$": kind.__name__, "v": self._store(np.frombuffer(bytes(value), np.uint8))}
        if kind is complex:
            return {"$": "complex", "v": [repr(value.real), repr(value.imag)]}
        if isinstance(value, enum.Enum):
            return {"$": "enum", "class": class_name(kind), "v": value.name}
        if isinstance(value, tuple) and hasattr(kind, "_fields"):
            return {"$": "named", "class": class_name(kind), "v": self._items(value, path, depth)}
        if isinstance(value, spaces.Space):
            return self._mark(value, {"$": "space"}) | {"v": self._space(value, path, depth)}
        if (owner := bound_to(value)) is not None:
            return {"$": "method", "v": self._node(owner, f"{path}.__self__", depth)}
        if immaterial(value):
            return SAME
        if stateful(kind):
            state = value.get_state()
            return self._mark(value, {"$": "state"}) | {"v": self._node(state, f"{path}.get_state()", depth)}
        if isinstance(value, SubprocVecEnv):
            return self._workers(value, path, depth)
        if ordinary(kind):
            node = self._mark(value, {"$": "object", "class": class_name(kind)})
            return node | {"v": {k: self._node(v, f"{path}.{k}", depth) for k, v in state_attributes(value).items()}}
        return self._lose(path, value)

    def _workers(self, env: SubprocVecEnv, path: str, depth: int) -> Node:
        if not env.has_attr("get_state"):
            self.lost.append(f"{path} (SubprocVecEnv: its environments lack get_state(); wrap them in ResumableEnv)")
            return SAME
        states = env.env_method("get_state")
        for index, state in enumerate(states):
            lost = state.get("lost", ()) if isinstance(state, dict) else ()
            self.lost += [f"{path}.envs[{index}].{item}" for item in lost]
        return self._mark(env, {"$": "workers"}) | {"v": self._items(states, f"{path}.envs", depth)}

    def _mark(self, value: Any, node: dict[str, Any]) -> dict[str, Any]:
        index = len(self._seen)
        self._seen[id(value)] = index
        self._alive.append(value)  # an id is only unique while its object lives
        return node | {"i": index}

    def _lose(self, path: str, value: Any) -> Node:
        self.lost.append(f"{path} ({class_name(type(value))})")
        return SAME

    def _items(self, values: Any, path: str, depth: int) -> list[Node]:
        return [
            value if _is_plain(value) else self._node(value, f"{path}[{index}]", depth)
            for index, value in enumerate(values)
        ]

    def _pairs(self, mapping: Any, path: str, depth: int) -> list[list[Node]]:
        return [
            [
                key if _is_plain(key) else self._node(key, path, depth),
                value if _is_plain(value) else self._node(value, f"{path}[{key!r}]", depth),
            ]
            for key, value in mapping.items()
        ]

    def _array(self, value: NDArray[Any], path: str) -> Node:
        if value.dtype.hasobject:
            return self._lose(path, value)
        node = self._mark(value, {"$": "array"})
        node["v"] = self._store(value.copy(order="K"))
        if value.nbytes:
            self._memory.append((*_bounds(value), path, value, node))
        return node

    def _tensor(self, value: th.Tensor) -> str:
        plain = value.detach().cpu()
        if plain.dtype is th.bfloat16:
            plain = plain.view(th.int16)
        return self._store(plain.numpy().copy(order="K"))

    def _store(self, array: NDArray[Any]) -> str:
        name = f"a{self._stored}"
        self._stored += 1
        self.arrays[name] = array
        return name

    def _space(self, space: spaces.Space[Any], path: str, depth: int) -> Node:
        generator = getattr(space, "_np_random", None)
        parts = [self._node(part, f"{path}[{key!r}]", depth) for key, part in subspaces(space)]
        return {"rng": self._node(generator, f"{path}.np_random", depth), "parts": parts}

    def _generator(self, value: Any) -> dict[str, Any] | None:
        if isinstance(value, np.random.Generator):
            bits = value.bit_generator
            if type(bits).__name__ in GENERATORS:
                return {"$": "generator", "v": generator_node(bits.state)}
        if isinstance(value, np.random.RandomState):
            return {"$": "randomstate", "v": generator_node(value.get_state(legacy=False))}
        if type(value) is random.Random:
            version, words, gauss = value.getstate()
            return {"$": "random", "v": [version, list(words), gauss]}
        if isinstance(value, th.Generator):
            return {"$": "torchgen", "v": self._store(value.get_state().numpy().copy())}
        return None


def _is_plain(value: Any) -> bool:
    kind = type(value)
    return kind in _PLAIN or (kind is float and math.isfinite(value))


def _is_flat(mapping: dict[Any, Any]) -> bool:
    if not _FLAT.issuperset(map(type, mapping.values())) or not _PLAIN.issuperset(map(type, mapping)):
        return False
    # The sum is finite only if every number is.
    return math.isfinite(sum([value for value in mapping.values() if type(value) is float]))


def _bounds(array: NDArray[Any]) -> tuple[int, int]:
    # numpy names this differently in its versions 1 and 2.
    low = high = array.__array_interface__["data"][0]
    for length, stride in zip(array.shape, array.strides, strict=True):
        low, high = low + min(0, (length - 1) * stride), high + max(0, (length - 1) * stride)
    return low, high + array.itemsize


def _usual(array: NDArray[Any]) -> bool:
    usual, step = [], array.itemsize
    for length in reversed(array.shape):
        usual.append(step)
        step *= length
    return array.strides == tuple(reversed(usual))
