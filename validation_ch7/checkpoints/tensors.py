"""State dictionaries, copied at the price of a few operations.

A copy of each tensor by itself costs more in calls than in bytes. So all tensors of one type on one device are
laid end to end in one operation, and the thread that writes them takes the block apart.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from typing import Any

import torch as th
from torch._utils import _flatten_dense_tensors

_TENSORS = frozenset({th.Tensor, th.nn.Parameter})
_VALUES = frozenset({type(None), bool, int, float, str})
_HERE = object()
"""Stands where a tensor was."""


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


def copy_tensors(value: Any) -> TensorCopy:
    """Copy every tensor in ``value`` and every container; all else in it is taken to be immutable."""
    found: list[th.Tensor] = []
    outline = _outlined(value, found)
    places = [(_block_name(index, tensor), tensor.shape) for index, tensor in enumerate(found)]
    groups: dict[Hashable, list[th.Tensor]] = {}
    for tensor, (key, _) in zip(found, places, strict=True):
        groups.setdefault(key, []).append(tensor)
    with th.no_grad():
        blocks = {
            key: tensors[0].detach().clone() if isinstance(key, int) else _block(tensors)
            for key, tensors in groups.items()
        }
    return TensorCopy(outline, places, blocks)


def _block_name(index: int, tensor: th.Tensor) -> Hashable:
    # A block would not keep an unusual layout.
    plain = tensor.layout is th.strided and tensor.is_contiguous()
    return (tensor.dtype, tensor.device) if plain else index


def _block(tensors: list[th.Tensor]) -> th.Tensor:
    if len(tensors) == 1:  # flattening one tensor would not copy it
        return tensors[0].detach().clone().view(-1)
    block: th.Tensor = _flatten_dense_tensors(tensors)  # type: ignore[no-untyped-call]
    return block


def _outlined(value: Any, found: list[th.Tensor]) -> Any:
    kind = type(value)
    if kind in _VALUES:
        return value
    if isinstance(value, dict):
        items = value.values()
        if _TENSORS.issuperset(map(type, items)):
            found.extend(items)
            return kind.fromkeys(value, _HERE)
        return kind((key, _outlined(item, found)) for key, item in value.items())
    if isinstance(value, (list, tuple)):
        return kind(_outlined(item, found) for item in value)
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
