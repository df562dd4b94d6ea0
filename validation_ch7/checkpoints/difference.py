"""Two checkpoints compared: training state, facts, metrics, files, weights. Nothing is loaded into a model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch as th

from validation_ch7.checkpoints.archive import Archive
from validation_ch7.checkpoints.compatibility import Difference, Verdict, compare
from validation_ch7.checkpoints.manifest import Compatibility, Manifest
from validation_ch7.checkpoints.resume import read_pth
from validation_ch7.checkpoints.state_digest import digest_of, state_parts

_CPU = th.device("cpu")


@dataclass(frozen=True)
class Fact:
    """One value on both sides; None where a side does not have it."""

    name: str
    a: str | None
    b: str | None

    @property
    def equal(self) -> bool:
        """Whether both sides agree."""
        return self.a == self.b


@dataclass(frozen=True)
class WeightChange:
    """One weight, or one group of them, on both sides.

    Attributes:
        largest: greatest absolute difference of one number, or None where shapes differ.
    """

    name: str
    equal: bool
    largest: float | None


@dataclass(frozen=True)
class Comparison:
    """All that differs, and what does not."""

    a: Manifest
    b: Manifest
    relation: str
    compatibility: tuple[Difference, ...]
    """What makes one unusable for a model of the other, then what only warns; environment facts included."""
    software: tuple[Fact, ...]
    metrics: tuple[Fact, ...]
    members: tuple[Fact, ...]
    """Digest of each member of the two zips."""
    weights: tuple[WeightChange, ...]
    shared_chunks: int
    chunks: tuple[int, int]
    state: tuple[Fact, ...]
    """Digest of each part of the two training states, without wall-clock values."""
    state_digests: tuple[str, str]

    @property
    def same_state(self) -> bool:
        """Whether training goes on from both alike, whatever else the files say."""
        return self.state_digests[0] == self.state_digests[1]

    @property
    def identical(self) -> bool:
        """Whether both hold the same bytes, times of their runs included."""
        return all(fact.equal for fact in self.members) and self.a.chunk_digests == self.b.chunk_digests


def compare_checkpoints(a: Archive, b: Archive) -> Comparison:
    """Return what differs between two verified checkpoints.

    Raises:
        CheckpointCorruptError: weights, training state or replay chunks of one cannot be read.
    """
    first, second = a.manifest, b.manifest
    parts = state_parts(a), state_parts(b)
    return Comparison(
        a=first,
        b=second,
        relation=relation(first, second),
        compatibility=_compatibility(first.compatibility, second.compatibility),
        software=tuple(fact for fact in facts(first.software, second.software) if not fact.equal),
        metrics=facts(_texts(first.metrics), _texts(second.metrics)),
        members=facts(_digests(first), _digests(second)),
        weights=_weights(a, b),
        shared_chunks=len(first.chunk_digests & second.chunk_digests),
        chunks=(len(first.chunk_digests), len(second.chunk_digests)),
        state=facts(*parts),
        state_digests=(digest_of(parts[0]), digest_of(parts[1])),
    )


def _compatibility(a: Compatibility, b: Compatibility) -> tuple[Difference, ...]:
    if bool(a.environment) == bool(b.environment):
        return compare(a, b)
    # One side recorded nothing: one line says so, instead of one for each fact of the other.
    old, new = (f"{len(side.environment)} recorded" if side.environment else "none recorded" for side in (a, b))
    missing = Difference("Environment facts", Verdict.WARNING, old, new, "they cannot be compared")
    return (*compare(a, b.model_copy(update={"environment": a.environment})), missing)


def relation(a: Manifest, b: Manifest) -> str:
    """Say how two checkpoints descend from each other, as far as they say it themselves."""
    if a.digest == b.digest:
        return "the same checkpoint"
    if b.parent == a.digest:
        return "B follows A directly"
    if a.parent == b.digest:
        return "A follows B directly"
    if a.parent is not None and a.parent == b.parent:
        return "both follow the same checkpoint"
    return "the same session" if a.session_id == b.session_id else "different sessions"


def facts(a: Mapping[str, str], b: Mapping[str, str]) -> tuple[Fact, ...]:
    """Return every key of two mappings with both values.

    >>> [(fact.name, fact.equal) for fact in facts({"x": "1", "y": "2"}, {"x": "1"})]
    [('x', True), ('y', False)]
    """
    return tuple(Fact(name, a.get(name), b.get(name)) for name in sorted({*a, *b}))


def _texts(metrics: Mapping[str, float]) -> dict[str, str]:
    return {name: f"{value:.6g}" for name, value in metrics.items()}


def _digests(manifest: Manifest) -> dict[str, str]:
    return {name: member.sha256 for name, member in manifest.members.items()}


def _weights(a: Archive, b: Archive) -> tuple[WeightChange, ...]:
    names = sorted(name for name in {*a.members, *b.members} if name.endswith(".pth") and "optimizer" not in name)
    changes: list[WeightChange] = []
    for name in names:
        if a.members.get(name) == b.members.get(name):
            changes.append(WeightChange(name, True, 0.0))
        elif name in a.members and name in b.members:
            changes += _tensor_changes(name.removesuffix(".pth"), _tensors(a, name), _tensors(b, name))
        else:
            changes.append(WeightChange(name, False, None))
    return tuple(changes)


def _tensors(archive: Archive, name: str) -> dict[str, th.Tensor]:
    found: Any = read_pth(archive.members, name, _CPU, archive.path)
    pairs = found.items() if isinstance(found, Mapping) else [("value", found)]
    return {str(key): value for key, value in pairs if isinstance(value, th.Tensor)}


def _tensor_changes(head: str, a: Mapping[str, th.Tensor], b: Mapping[str, th.Tensor]) -> list[WeightChange]:
    return [_tensor_change(f"{head}.{key}", a.get(key), b.get(key)) for key in sorted({*a, *b})]


def _tensor_change(name: str, a: th.Tensor | None, b: th.Tensor | None) -> WeightChange:
    if a is None or b is None or a.shape != b.shape or a.dtype != b.dtype:
        return WeightChange(name, False, None)
    equal = bool(th.equal(a, b))
    gap = (a.detach().double() - b.detach().double()).abs().max() if a.numel() else th.zeros(())
    return WeightChange(name, equal, float(gap))
