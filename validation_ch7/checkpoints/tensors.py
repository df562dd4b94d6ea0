"""State dictionaries, copied at the price of a few operations.

A copy of each tensor by itself costs more in calls than in bytes. So all tensors of one type on one device are
laid end to end in one operation, and the thread that writes them takes the block apart. To find out how a tensor lies
in memory costs as much again, so it is found out once for tensors that stay.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from typing import Any

import torch as th

from validation_ch7.checkpoints.graph import PLAIN

_TENSORS = frozenset({th.Tensor, th.nn.Parameter})
_HERE = object()
"""Stands where a tensor was."""
_Known = tuple[int, th.Size, th.dtype] | None
"""Where a contiguous tensor lies, its shape and type: as long as these hold, so does a flat view of it."""


@dataclass(frozen=True)
class TensorCopy:
    """Nested dictionaries and sequences whose tensors are copied.

    Attributes:
        outline: the nest, with a mark in place of every tensor.
        places: block and shape of each tensor, in the order of the outline.
        blocks: tensors laid end to end.
    """

    outline: Any
    places: list[tuple[Hashable, th.Size]]
    blocks: dict[Hashable, th.Tensor]

    def unpack(self) -> Any:
        """Return what was copied; every tensor has storage of its own and lies in main memory.

        >>> copy_tensors({"w": th.ones(2), "steps": [th.zeros(()), 3]}).unpack()
        {'w': tensor([1., 1.]), 'steps': [tensor(0.), 3]}
        """
        return _filled(self.outline, self._tensors())

    def _tensors(self) -> Iterator[th.Tensor]:
        blocks = {key: block.cpu() for key, block in self.blocks.items()}
        ends = dict.fromkeys(blocks, 0)
        for key, shape in self.places:
            if isinstance(key, int):
                yield blocks[key]
            else:
                begin, ends[key] = ends[key], ends[key] + shape.numel()
                yield blocks[key][begin : ends[key]].view(shape).clone()


class TensorCopier:
    """Copies the tensors of a model again and again; between two copies, most of them stay where they are."""

    def __init__(self) -> None:
        self._known: list[_Known] = []
        self._places: list[tuple[Hashable, th.Size]] = []
        self._flat: dict[Hashable, list[th.Tensor]] = {}

    def copy(self, value: Any) -> TensorCopy:
        """Copy every tensor in ``value`` and every container; all else in it is taken to be immutable."""
        found: list[th.Tensor] = []
        outline = _outlined(value, found)
        known = _known(found)
        if known != self._known or None in known:
            self._learn(found, known)
        blocks = {
            key: th.cat(tensors) if len(tensors) > 1 else tensors[0].detach().clone()
            for key, tensors in self._flat.items()
        }
        return TensorCopy(outline, self._places, blocks)

    def _learn(self, tensors: list[th.Tensor], known: list[_Known]) -> None:
        self._known = known
        self._places = [
            # A block would not keep an unusual layout.
            (index if place is None else (tensor.dtype, tensor.device), tensor.shape)
            for index, (tensor, place) in enumerate(zip(tensors, known, strict=True))
        ]
        self._flat = {}
        for tensor, (key, _) in zip(tensors, self._places, strict=True):
            self._flat.setdefault(key, []).append(tensor if isinstance(key, int) else tensor.detach().view(-1))


def copy_tensors(value: Any) -> TensorCopy:
    """Copy every tensor in ``value`` and every container, once."""
    return TensorCopier().copy(value)


def _known(tensors: list[th.Tensor]) -> list[_Known]:
    strided = th.strided
    return [
        (tensor.data_ptr(), tensor.shape, tensor.dtype) if tensor.layout is strided and tensor.is_contiguous() else None
        for tensor in tensors
    ]


def _outlined(value: Any, found: list[th.Tensor]) -> Any:
    kind = type(value)
    if kind in PLAIN:
        return value
    if isinstance(value, dict):
        items = value.values()
        if _TENSORS.issuperset(map(type, items)):
            found.extend(items)
            return kind.fromkeys(value, _HERE)
        return kind([(key, item if type(item) in PLAIN else _outlined(item, found)) for key, item in value.items()])
    if isinstance(value, (list, tuple)):
        return kind([item if type(item) in PLAIN else _outlined(item, found) for item in value])
    if isinstance(value, th.Tensor):
        found.append(value)
        return _HERE
    return value


def _filled(outline: Any, tensors: Iterator[th.Tensor]) -> Any:
    if outline is _HERE:
        return next(tensors)
    if isinstance(outline, dict):
        return type(outline)((key, _filled(item, tensors)) for key, item in outline.items())
    if isinstance(outline, (list, tuple)):
        return type(outline)(_filled(item, tensors) for item in outline)
    return outline
