"""Which checkpoints stay: a union of pure policies. Nothing here deletes.

>>> entries = [Entry("c", 30), Entry("b", 20), Entry("a", 10)]
>>> for decision in decide(entries, [LatestN(2)]):
...     print(decision.entry.name, decision.keep, decision.reason)
c True among the newest 2
b True among the newest 2
a False no policy keeps it
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol, Self

from validation_ch7.config import CheckpointConfig


@dataclass(frozen=True)
class Entry:
    """A checkpoint as far as retention is concerned."""

    name: str
    steps: int
    digest: str = ""
    bytes: int = 0
    """Bytes of its own file."""
    chunks: Mapping[str, int] = field(default_factory=dict)
    """Bytes of every chunk that it needs, by name; others may need the same."""
    reward: float | None = None
    pinned: bool = False

    @property
    def total_bytes(self) -> int:
        """Bytes that deleting it alone frees at most."""
        return self.bytes + sum(self.chunks.values())


@dataclass(frozen=True)
class Decision:
    """What becomes of one checkpoint, and why."""

    entry: Entry
    keep: bool
    reason: str


class Policy(Protocol):
    """Says which entries it wants to keep, and why; entries come newest first."""

    def keeps(self, entries: Sequence[Entry]) -> dict[str, str]:
        """Return the reason for every entry that it keeps, by name."""
        ...


@dataclass(frozen=True)
class LatestN:
    """Keeps the ``n`` entries with the most steps."""

    n: int

    def keeps(self, entries: Sequence[Entry]) -> dict[str, str]:
        """Return the newest ``n``."""
        return {entry.name: f"among the newest {self.n}" for entry in entries[: self.n]}


@dataclass(frozen=True)
class BestN:
    """Keeps the ``n`` entries with the highest evaluation reward; the newer wins a tie."""

    n: int = 1

    def keeps(self, entries: Sequence[Entry]) -> dict[str, str]:
        """Return the best ``n`` of those that were evaluated."""
        rated = [entry for entry in entries if entry.reward is not None]
        best = sorted(rated, key=lambda entry: (entry.reward or 0.0, entry.steps), reverse=True)[: self.n]
        return {entry.name: f"among the best {self.n} (reward {entry.reward:.3f})" for entry in best}


@dataclass(frozen=True)
class EveryN:
    """Keeps one entry in every interval of ``n`` steps: the first that reached it."""

    n: int

    def keeps(self, entries: Sequence[Entry]) -> dict[str, str]:
        """Return the first entry of each interval."""
        first: dict[int, str] = {}
        for entry in sorted(entries, key=lambda entry: entry.steps):
            if entry.steps >= self.n:
                first.setdefault(entry.steps // self.n, entry.name)
        return {name: f"first after {index * self.n} steps" for index, name in first.items()}


@dataclass(frozen=True)
class Pinned:
    """Keeps what a person pinned, and the one that this session resumed from."""

    resumed_from: str | None = None

    def keeps(self, entries: Sequence[Entry]) -> dict[str, str]:
        """Return pinned entries and the parent."""
        kept = {entry.name: "pinned" for entry in entries if entry.pinned}
        parent = {entry.name: "this session resumed from it" for entry in entries if entry.digest == self.resumed_from}
        return kept | parent if self.resumed_from else kept


@dataclass(frozen=True)
class Retention:
    """What is kept: newest, best, every so many steps, pins, within a budget of bytes.

    Attributes:
        max_keep: newest checkpoints kept, at least 2, so that a broken newest one has a predecessor.
        keep_best: best checkpoints kept with their whole state; the best model itself is always kept.
        keep_every: steps between checkpoints that are kept for good, or None.
        max_bytes: budget [bytes]; the two newest and pins stay in any case.
        backup_bytes: room that backups may take [bytes], or None.
    """

    max_keep: int = 2
    keep_best: int = 0
    keep_every: int | None = None
    max_bytes: int | None = None
    backup_bytes: int | None = None

    def __post_init__(self) -> None:
        if self.max_keep < 2:
            raise ValueError(
                f"max_keep must be at least 2, so that a broken newest one has a predecessor: {self.max_keep}"
            )

    @classmethod
    def of(cls, config: CheckpointConfig) -> Self:
        """Return what the configuration asks for."""
        kept = cls(config.max_keep, keep_every=config.keep_every, max_bytes=config.max_bytes)
        return replace(kept, backup_bytes=config.backup_bytes)

    def decide(self, entries: Iterable[Entry], resumed_from: str | None = None) -> list[Decision]:
        """Return one decision for each entry, newest first."""
        policies: list[Policy] = [LatestN(self.max_keep), BestN(self.keep_best), Pinned(resumed_from)]
        if self.keep_every:
            policies.append(EveryN(self.keep_every))
        decisions = decide(entries, policies)
        return decisions if self.max_bytes is None else within_budget(decisions, self.max_bytes)


def decide(entries: Iterable[Entry], policies: Sequence[Policy]) -> list[Decision]:
    """Return one decision for each entry, newest first: kept if any policy keeps it."""
    ordered = sorted(entries, key=lambda entry: entry.steps, reverse=True)
    reasons: dict[str, list[str]] = {}
    for policy in policies:
        for name, reason in policy.keeps(ordered).items():
            reasons.setdefault(name, []).append(reason)
    return [
        Decision(entry, entry.name in reasons, "; ".join(reasons.get(entry.name, ["no policy keeps it"])))
        for entry in ordered
    ]


def within_budget(decisions: Sequence[Decision], max_bytes: int) -> list[Decision]:
    """Drop kept entries, oldest first, until the rest fits; the newest two and pins always stay.

    A chunk that several entries share counts once, and is free once none of them is kept.

    >>> kept = [Decision(Entry(str(n), n, bytes=5), True, "x") for n in (4, 3, 2, 1)]
    >>> [decision.keep for decision in within_budget(kept, 15)]
    [True, True, True, False]
    """
    kept = [decision.entry for decision in decisions if decision.keep]
    users = Counter(name for entry in kept for name in entry.chunks)
    sizes = {name: size for entry in kept for name, size in entry.chunks.items()}
    total = sum(entry.bytes for entry in kept) + sum(sizes.values())
    result = list(decisions)
    for index in range(len(result) - 1, 1, -1):
        decision = result[index]
        fixed = decision.entry.pinned or "resumed" in decision.reason
        if total > max_bytes and decision.keep and not fixed:
            users.subtract(decision.entry.chunks.keys())
            total -= decision.entry.bytes + sum(sizes[name] for name in decision.entry.chunks if not users[name])
            result[index] = Decision(decision.entry, False, f"over the budget of {max_bytes} bytes")
    return result
