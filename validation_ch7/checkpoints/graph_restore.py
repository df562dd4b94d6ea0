"""The state of live Python objects, put back from plain data without running any code from a file.

The live graph is walked beside the written one: *objects are filled in place, data is replaced*. Nothing is
looked up by a name from the file, except among the classes of objects that already live in the graph; those
are made empty, without their constructor, and filled.
"""

from __future__ import annotations

import collections
import random
from collections.abc import Iterator
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
    generator_state,
    live_classes,
    stateful,
    subspaces,
)


class RestoreError(Exception):
    """The live graph does not fit the written one; says where."""


class Restore:
    """One pass that puts a written graph back into a live one.

    Args:
        arrays: the arrays of the file, by name.
        live: roots of the live graph; only their classes may be instantiated, and only empty.
    """

    def __init__(self, arrays: dict[str, NDArray[Any]], *live: Any) -> None:
        self._arrays = arrays
        self._seen: dict[int, Any] = {}
        self._filled: set[int] = set()
        self._blocks: dict[str, NDArray[Any]] = {}
        self._live = live
        self._classes: dict[str, type] | None = None

    def put(self, node: Node, current: Any, path: str) -> Any:
        """Return the value that ``node`` describes, filling ``current`` in place where it is an object.

        Raises:
            RestoreError: ``current`` does not fit.
        """
        if node is None or isinstance(node, (bool, int, float, str)):
            return node
        if not isinstance(node, dict) or not isinstance(node.get("$"), str):
            raise RestoreError(f"{path}: not a node of a training state")
        put = getattr(self, f"_put_{node['$']}", None)
        if put is None:
            raise RestoreError(f"{path}: unknown kind {node['$']!r}")
        try:
            return put(node, current, path)
        except (KeyError, TypeError, ValueError, AttributeError, IndexError, RecursionError) as fault:
            raise RestoreError(f"{path}: {type(fault).__name__}: {fault}") from fault

    def _remember(self, node: Node, value: Any) -> Any:
        self._seen[node["i"]] = value
        self._filled.add(id(value))  # kept alive by the line above
        return value

    def _unused(self, current: Any) -> bool:
        # Two written objects must not fill the same live one.
        return id(current) not in self._filled

    def _copy(self, node: Node) -> NDArray[Any]:
        return self._arrays[node["v"]].copy(order="K")

    def _put_same(self, node: Node, current: Any, path: str) -> Any:
        return current

    def _put_ref(self, node: Node, current: Any, path: str) -> Any:
        return self._seen[node["v"]]

    def _put_float(self, node: Node, current: Any, path: str) -> Any:
        return float(node["v"])

    def _put_complex(self, node: Node, current: Any, path: str) -> Any:
        return complex(float(node["v"][0]), float(node["v"][1]))

    def _put_scalar(self, node: Node, current: Any, path: str) -> Any:
        return self._copy(node)[()]

    def _put_array(self, node: Node, current: Any, path: str) -> Any:
        return self._remember(node, self._copy(node))

    def _put_view(self, node: Node, current: Any, path: str) -> Any:
        block, dtype = self._blocks.setdefault(node["v"], self._copy(node)), np.dtype(node["dtype"])
        if dtype.hasobject:  # bytes of a file must never be taken for pointers
            raise RestoreError(f"{path}: an array of Python objects")
        layout = {"offset": node["offset"], "strides": tuple(node["strides"])}
        view: NDArray[Any] = np.ndarray(tuple(node["shape"]), dtype, block.data, **layout)
        view.flags.writeable = bool(node["write"])
        return self._remember(node, view)

    def _put_bytes(self, node: Node, current: Any, path: str) -> Any:
        return self._copy(node).tobytes()

    def _put_bytearray(self, node: Node, current: Any, path: str) -> Any:
        return bytearray(self._copy(node).tobytes())

    def _put_tensor(self, node: Node, current: Any, path: str) -> Any:
        tensor = th.from_numpy(self._copy(node))
        if node["dtype"] == "torch.bfloat16":
            tensor = tensor.view(th.bfloat16)
        device = current.device if isinstance(current, th.Tensor) else th.device("cpu")
        return self._remember(node, tensor.to(device))

    def _put_tuple(self, node: Node, current: Any, path: str) -> Any:
        return tuple(self._parts(node["v"], current, path))

    def _put_named(self, node: Node, current: Any, path: str) -> Any:
        kind = type(current)
        if class_name(kind) != node["class"]:
            raise RestoreError(f"{path}: expected a {node['class']}, found a {class_name(kind)}")
        return kind(*self._parts(node["v"], current, path))

    def _put_list(self, node: Node, current: Any, path: str) -> Any:
        value = self._remember(node, [])
        value.extend(self._parts(node["v"], current, path))
        return value

    def _put_deque(self, node: Node, current: Any, path: str) -> Any:
        value = self._remember(node, collections.deque(maxlen=node["maxlen"]))
        value.extend(self._parts(node["v"], current, path))
        return value

    def _put_set(self, node: Node, current: Any, path: str) -> Any:
        value = self._remember(node, set())
        value.update(self._parts(node["v"], None, path))
        return value

    def _put_frozenset(self, node: Node, current: Any, path: str) -> Any:
        return self._remember(node, frozenset(self._parts(node["v"], None, path)))

    def _put_dict(self, node: Node, current: Any, path: str) -> Any:
        value = self._remember(node, {})
        live = current if isinstance(current, dict) else {}
        for key_node, item in node["v"]:
            key = self.put(key_node, None, path)
            value[key] = self.put(item, live.get(key), f"{path}[{key!r}]")
        return value

    def _put_enum(self, node: Node, current: Any, path: str) -> Any:
        if class_name(type(current)) != node["class"]:
            raise RestoreError(f"{path}: expected a {node['class']}, found a {class_name(type(current))}")
        return type(current)[node["v"]]

    def _put_generator(self, node: Node, current: Any, path: str) -> Any:
        state = generator_state(node["v"])
        kind = GENERATORS[state["bit_generator"]]
        here = isinstance(current, np.random.Generator) and type(current.bit_generator) is kind
        value = current if here and self._unused(current) else np.random.Generator(kind())
        value.bit_generator.state = state
        return self._remember(node, value)

    def _put_randomstate(self, node: Node, current: Any, path: str) -> Any:
        here = isinstance(current, np.random.RandomState) and self._unused(current)
        value = current if here else np.random.RandomState()
        value.set_state(generator_state(node["v"]))
        return self._remember(node, value)

    def _put_random(self, node: Node, current: Any, path: str) -> Any:
        version, words, gauss = node["v"]
        value = current if type(current) is random.Random and self._unused(current) else random.Random()
        value.setstate((version, tuple(words), gauss))
        return self._remember(node, value)

    def _put_torchgen(self, node: Node, current: Any, path: str) -> Any:
        value = current if isinstance(current, th.Generator) and self._unused(current) else th.Generator()
        value.set_state(th.from_numpy(self._copy(node)))
        return self._remember(node, value)

    def _put_method(self, node: Node, current: Any, path: str) -> Any:
        owner = bound_to(current)
        value = self.put(node["v"], owner, path)
        return current if value is owner else getattr(value, current.__name__)

    def _put_space(self, node: Node, current: Any, path: str) -> Any:
        if not isinstance(current, spaces.Space):
            raise RestoreError(f"{path}: expected a space, found a {class_name(type(current))}")
        self._remember(node, current)
        current._np_random = self.put(node["v"]["rng"], None, path)
        for part, (key, live) in zip(node["v"]["parts"], subspaces(current), strict=True):
            self.put(part, live, f"{path}[{key!r}]")
        return current

    def _put_state(self, node: Node, current: Any, path: str) -> Any:
        if not stateful(type(current)):
            raise RestoreError(f"{path}: a {class_name(type(current))} has no set_state()")
        self._remember(node, current)
        current.set_state(self.put(node["v"], None, path))
        return current

    def _put_workers(self, node: Node, current: Any, path: str) -> Any:
        if not isinstance(current, SubprocVecEnv) or current.num_envs != len(node["v"]):
            raise RestoreError(f"{path}: expected {len(node['v'])} worker environments")
        self._remember(node, current)
        for index, state in enumerate(node["v"]):
            current.env_method("set_state", self.put(state, None, path), indices=index)
        return current

    def _put_object(self, node: Node, current: Any, path: str) -> Any:
        here = class_name(type(current)) == node["class"] and self._unused(current)
        target = current if here else self._empty(node["class"], path)
        self._remember(node, target)
        attributes = vars(target)
        for name, item in node["v"].items():
            if name in attributes or item != SAME:
                attributes[name] = self.put(item, attributes.get(name), f"{path}.{name}")
        return target

    def _empty(self, name: str, path: str) -> Any:
        if self._classes is None:
            self._classes = {class_name(kind): kind for kind in live_classes(self._live)}
        if name not in self._classes:
            raise RestoreError(f"{path}: no {name} lives in the current environment")
        return object.__new__(self._classes[name])

    def _parts(self, nodes: list[Node], current: Any, path: str) -> Iterator[Any]:
        live = list(current) if isinstance(current, (list, tuple, collections.deque)) else []
        for index, node in enumerate(nodes):
            yield self.put(node, live[index] if index < len(live) else None, f"{path}[{index}]")
