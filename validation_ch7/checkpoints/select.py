"""Which checkpoint a run resumes from: the newest that verifies, fits, and can be read.

Every candidate is named in the log, accepted or rejected, with the reason. Nothing is ever skipped silently
down to zero: where there are checkpoints and none can be used, that is an error.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

from stable_baselines3.common.base_class import BaseAlgorithm

from validation_ch7.checkpoints.compatibility import CompatibilityReport, report, require
from validation_ch7.checkpoints.foreign import load_foreign
from validation_ch7.checkpoints.manifest import Compatibility, Manifest
from validation_ch7.checkpoints.resume import TrainingState, restore_model
from validation_ch7.checkpoints.store import CheckpointStore
from validation_ch7.errors import (
    CheckpointCorruptError,
    CheckpointForeignError,
    CheckpointNotFoundError,
)

Log = Callable[[str], None]
Found = TypeVar("Found")
TAG = "[CHECKPOINT]"


@dataclass(frozen=True)
class Rejected:
    """A candidate that was not used."""

    path: Path
    reason: str


@dataclass(frozen=True)
class Resumed:
    """What a run resumes from.

    Attributes:
        state: the plain-data state that is still to be restored inside ``learn()``; None for foreign weights.
    """

    path: Path
    steps: int
    manifest: Manifest | None
    state: TrainingState | None
    compatibility: CompatibilityReport
    rejected: tuple[Rejected, ...] = field(default=())


def resume_newest(
    store: CheckpointStore,
    model: BaseAlgorithm,
    current: Compatibility,
    log: Log,
    *,
    software: dict[str, str] | None = None,
    trust_foreign: bool = False,
) -> Resumed | None:
    """Restore the newest usable checkpoint into ``model``; None where the store is empty.

    Corrupt candidates are quarantined once an older one has been restored.

    Raises:
        CheckpointIncompatibleError: the newest intact one belongs to another model.
        CheckpointNotFoundError: there are checkpoints, and none can be used.
    """

    def use(path: Path) -> Resumed:
        return resume_from(store, path, model, current, log, software=software, trust_foreign=trust_foreign)

    found, rejected = first_usable(store, use, log)
    if found is None:
        log(f"{TAG} No checkpoint of '{store.prefix}' in {store.folder}: starting at step 0")
        return None
    quarantine_all(store, rejected, log)
    return replace(found, rejected=rejected)


def first_usable(
    store: CheckpointStore, use: Callable[[Path], Found], log: Log
) -> tuple[Found | None, tuple[Rejected, ...]]:
    """Return what ``use`` makes of the newest checkpoint that is not corrupt, and those passed over on the way.

    Raises:
        CheckpointNotFoundError: there are checkpoints, and all of them are corrupt.
    """
    rejected: list[Rejected] = []
    for path in store.paths():
        try:
            return use(path), tuple(rejected)
        except CheckpointCorruptError as fault:
            reason = str(fault.found or fault.what)
            log(f"{TAG}   ✗ rejected {path.name}: {reason}")
            rejected.append(Rejected(path, reason))
    if rejected:
        raise none_usable(store, rejected)
    return None, ()


def resume_from(
    store: CheckpointStore,
    path: Path,
    model: BaseAlgorithm,
    current: Compatibility,
    log: Log,
    *,
    software: dict[str, str] | None = None,
    trust_foreign: bool = False,
) -> Resumed:
    """Restore the checkpoint at ``path`` into ``model``, or fail.

    Raises:
        CheckpointError: it is missing, corrupt, incompatible, or not to be trusted.
    """
    try:
        archive = store.read(path)
    except CheckpointForeignError as fault:
        return _resume_foreign(path, store, model, log, trust_foreign, fault)
    outcome = report(archive.manifest, current, software)
    if not outcome.compatible:
        log(f"{TAG} ⚠️  INCOMPATIBILITY DETECTED:")
        for item in outcome.incompatibilities:
            log(f"{TAG}   - {item}")
    require(outcome, path)
    state = restore_model(model, archive, store.chunks)
    log(f"{TAG}   ✓ accepted {path.name}: verified, {archive.manifest.exactness}, {archive.manifest.steps} steps")
    for item in outcome.warnings:
        log(f"{TAG}   note: {item}; {item.remedy}")
    log(f"{TAG} Loading checkpoint {path.name} ({archive.manifest.steps} steps)")
    return Resumed(path, archive.manifest.steps, archive.manifest, state, outcome)


def _resume_foreign(
    path: Path,
    store: CheckpointStore,
    model: BaseAlgorithm,
    log: Log,
    trust: bool,
    fault: CheckpointForeignError,
) -> Resumed:
    steps = load_foreign(path, store.prefix, model, trust=trust, log=log)
    if steps is None:
        raise CheckpointCorruptError(
            "A zip without manifest holds no weights of Stable-Baselines3.",
            where=path,
            expected="policy.pth",
            found=str(fault.found),
            remedy="the previous checkpoint is used where there is one",
        )
    log(f"{TAG}   ✓ accepted {path.name}: no manifest, so weights only")
    log(f"{TAG} Loading checkpoint {path.name} ({steps} steps, weights only)")
    return Resumed(path, steps, None, None, CompatibilityReport((), steps=steps, manifest=False))


def quarantine_all(store: CheckpointStore, rejected: Sequence[Rejected], log: Log) -> None:
    """Move rejected candidates aside, now that an older one is known to be usable."""
    for item in rejected:
        target = store.quarantine(item.path, item.reason)
        log(f"{TAG}   quarantined {item.path.name} -> {target}")


def none_usable(store: CheckpointStore, rejected: Sequence[Rejected]) -> CheckpointNotFoundError:
    """Return the error for a store in which every checkpoint was rejected."""
    lines = [f"{item.path.name}: {item.reason}" for item in rejected]
    return CheckpointNotFoundError(
        "There are checkpoints, but none can be used; training does not start at zero by itself.",
        where=store.folder,
        expected="at least one checkpoint that passes its verification",
        found="\n            ".join(lines),
        remedy="start anew with --fresh, which archives them, or restore a backup: "
        f'python -m validation_ch7 checkpoints restore latest --store "{store.root}"',
    )


def check_parent(resumed: Resumed | None, expected: str | None, where: object) -> None:
    """Refuse to train when the checkpoint that was expected is not the one that was restored.

    Raises:
        CheckpointNotFoundError: another one, or none, was restored.
    """
    if expected is None:
        return
    found = resumed.manifest.digest if resumed and resumed.manifest else None
    if found != expected:
        raise CheckpointNotFoundError(
            "The checkpoint that this session must resume from is not there; training does not start at zero.",
            where=where,
            expected=f"digest {expected[:12]}…",
            found=f"digest {found[:12]}…" if found else "none",
            remedy="run the same command again: it sends the checkpoint anew",
        )
