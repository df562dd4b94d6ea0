"""What a store holds, judged: which checkpoint the next run resumes from, and why the others are not used."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from validation_ch7.checkpoints import naming
from validation_ch7.checkpoints.archive import read_archive, read_manifest
from validation_ch7.checkpoints.compatibility import CompatibilityReport
from validation_ch7.checkpoints.manifest import Manifest
from validation_ch7.checkpoints.replay import verify_chunks
from validation_ch7.checkpoints.store import PIN_SUFFIX, CheckpointStore, check_name
from validation_ch7.errors import (
    CheckpointCorruptError,
    CheckpointError,
    CheckpointForeignError,
    CheckpointIncompatibleError,
    CheckpointNotFoundError,
)

_REASON_BYTES = 4096


class Kind(StrEnum):
    """What a file of a store is."""

    CHECKPOINT = "checkpoint"
    BEST = "best model"
    QUARANTINED = "quarantined"


class Standing(StrEnum):
    """What is known of a checkpoint."""

    INTACT = "intact"
    """Every byte is as it was written."""
    UNREAD = "not verified"
    """Only its manifest was read."""
    WEIGHTS = "weights only"
    """A zip without manifest: nothing to verify it against."""
    NEWER = "newer format"
    DAMAGED = "damaged"
    MISFIT = "does not fit"
    """Intact, but made by another model than the present configuration describes."""
    ASIDE = "set aside"


@dataclass(frozen=True)
class Item:
    """One file of a store."""

    kind: Kind
    path: Path
    steps: int | None
    bytes: int
    """Bytes of the file and of its chunks, which others may share."""
    manifest: Manifest | None
    standing: Standing
    reason: str = ""
    """Why it is not used."""
    pinned: bool = False
    next: bool = False
    """Whether the next run resumes from it."""

    @property
    def reward(self) -> float | None:
        """Its mean evaluation reward."""
        return self.manifest.metrics.get("mean_reward") if self.manifest else None

    @property
    def train_reward(self) -> float | None:
        """The mean reward of the last training episodes."""
        return self.manifest.metrics.get("train_reward") if self.manifest else None


def take_inventory(store: CheckpointStore, *, verify: bool = True) -> list[Item]:
    """Return every checkpoint, most steps first, then the best model and the quarantined ones.

    Args:
        verify: whether every byte is read; else manifests only.
    """
    checkpoints = [inspect(path, store.chunks, store.prefix, verify=verify) for path in store.paths()]
    best = [inspect(store.best_path, store.chunks, None, verify=verify)] if store.best_path.is_file() else []
    return [*mark_next(checkpoints), *(replace(item, kind=Kind.BEST) for item in best), *quarantined(store)]


def newest_usable(store: CheckpointStore) -> list[Item]:
    """Return the newest checkpoint that is not damaged, every byte read, after the damaged ones that are newer.

    Older ones are not read: that takes the time of one checkpoint, not of the store.
    """
    found: list[Item] = []
    for path in store.paths():
        found.append(inspect(path, store.chunks, store.prefix))
        if found[-1].standing is not Standing.DAMAGED:
            break
    return mark_next(found)


def inspect(path: Path, chunks: Path, prefix: str | None = None, *, verify: bool = True) -> Item:
    """Return what is known of one file; a fault is a standing, not an exception."""
    named = naming.checkpoint_steps(path.name, prefix) if prefix else None
    pinned = path.with_name(path.name + PIN_SUFFIX).exists()
    try:
        manifest = _verified(path, chunks) if verify else read_manifest(path)
        if prefix:
            check_name(path, manifest)
    except CheckpointError as fault:
        reason = str(fault.found or fault.what)
        return Item(Kind.CHECKPOINT, path, named, _size(path), None, _standing(fault), reason, pinned)
    standing = Standing.INTACT if verify else Standing.UNREAD
    size = _size(path) + sum(chunk.bytes for chunk in manifest.replay.chunks) if manifest.replay else _size(path)
    return Item(Kind.CHECKPOINT, path, manifest.steps, size, manifest, standing, "", pinned)


def _verified(path: Path, chunks: Path) -> Manifest:
    manifest = read_archive(path).manifest
    if manifest.replay is not None:
        verify_chunks(chunks, manifest.replay)
    return manifest


def _standing(fault: CheckpointError) -> Standing:
    if isinstance(fault, CheckpointForeignError):
        return Standing.WEIGHTS
    return Standing.NEWER if isinstance(fault, CheckpointIncompatibleError) else Standing.DAMAGED


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def mark_next(items: Sequence[Item]) -> list[Item]:
    """Mark the one that the next run resumes from: the newest that is not damaged.

    One of a newer format is not passed over: the run stops there and says so.
    """
    for index, item in enumerate(items):
        if item.standing is Standing.NEWER:
            break
        if item.standing is not Standing.DAMAGED:
            return [*items[:index], replace(item, next=True), *items[index + 1 :]]
    return list(items)


def judge_next(items: Sequence[Item], outcome: CompatibilityReport) -> list[Item]:
    """Take the mark from the next one where the present configuration cannot resume from it."""
    if outcome.compatible:
        return list(items)
    reason = "; ".join(str(item) for item in outcome.incompatibilities)
    return [replace(item, next=False, standing=Standing.MISFIT, reason=reason) if item.next else item for item in items]


def quarantined(store: CheckpointStore) -> list[Item]:
    """Return the checkpoints that were set aside, with the reason that was written beside each."""
    folder = store.folder / naming.QUARANTINE
    found = sorted(folder.glob("*.zip")) if folder.is_dir() else []
    ours = [path for path in found if path.name.startswith(f"{store.prefix}_checkpoint_")]
    return [_quarantined(store, path) for path in ours]


def _quarantined(store: CheckpointStore, path: Path) -> Item:
    first = path.name.split(".zip")[0].split("_steps")[0] + "_steps.zip"
    steps = naming.checkpoint_steps(first, store.prefix)
    return Item(Kind.QUARANTINED, path, steps, _size(path), None, Standing.ASIDE, _reason(path))


def _reason(path: Path) -> str:
    try:
        with path.with_name(path.name + ".reason.txt").open("rb") as stream:
            return " ".join(stream.read(_REASON_BYTES).decode("utf-8", "replace").split())
    except OSError:
        return "no reason was written down"


def lineage(manifest: Manifest, known: Iterable[Manifest]) -> list[Manifest]:
    """Return the ancestors of a checkpoint that are still there, its parent first."""
    by_digest = {item.digest: item for item in known}
    found: list[Manifest] = []
    while manifest.parent in by_digest and by_digest[manifest.parent] not in found:
        manifest = by_digest[manifest.parent]
        found.append(manifest)
    return found


def require_usable(items: Sequence[Item], where: object) -> None:
    """Refuse a set of checkpoints of which none can be resumed from.

    Raises:
        CheckpointNotFoundError: there is none at all.
        CheckpointCorruptError: all of them are damaged.
    """
    if not items:
        raise CheckpointNotFoundError(
            "There is no checkpoint.", where=where, expected="at least one", remedy="a run writes them: see --help"
        )
    if not any(item.standing is not Standing.DAMAGED for item in items):
        raise CheckpointCorruptError(
            "No checkpoint passes its verification; nothing was changed.",
            where=where,
            expected="at least one that does",
            found="\n            ".join(f"{item.path.name}: {item.reason}" for item in items),
            remedy="name another one",
        )
