"""The checkpoint that the next session starts from, chosen without building a second model or training."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from validation_ch7.checkpoints import naming
from validation_ch7.checkpoints.admission import show_incompatibility
from validation_ch7.checkpoints.compatibility import report, require
from validation_ch7.checkpoints.foreign import companions
from validation_ch7.checkpoints.manifest import Compatibility, Manifest
from validation_ch7.checkpoints.select import Rejected, first_usable, quarantine_all
from validation_ch7.checkpoints.store import CheckpointStore, StoredCheckpoint
from validation_ch7.errors import CheckpointForeignError
from validation_ch7.planning import Origin

Log = Callable[[str], None]
TAG = "[CHECKPOINT]"


@dataclass(frozen=True)
class Choice:
    """What the next session starts from, and what was passed over on the way to it."""

    parent: StoredCheckpoint | None = None
    rejected: tuple[Rejected, ...] = ()
    notes: tuple[str, ...] = ()
    """Differences from the present configuration that are no obstacle."""

    @property
    def warnings(self) -> tuple[str, ...]:
        """One line for each checkpoint that was passed over."""
        return tuple(f"{item.path.name} was not used: {item.reason}" for item in self.rejected)


def plan_parent(store: CheckpointStore, current: Compatibility, log: Log, fresh_command: str = "") -> Choice:
    """Choose what the next session starts from, and quarantine the corrupt ones that were passed over.

    Raises:
        CheckpointIncompatibleError: the newest intact one belongs to another model.
        CheckpointNotFoundError: there are checkpoints, and none can be used.
    """
    choice = choose_parent(store, current, log, fresh_command)
    quarantine_all(store, choice.rejected, log)
    return choice


def choose_parent(store: CheckpointStore, current: Compatibility, log: Log, fresh_command: str = "") -> Choice:
    """Return the newest checkpoint that verifies and fits, or none where there is none at all; changes nothing.

    Every candidate is logged.

    Raises:
        CheckpointIncompatibleError: the newest intact one belongs to another model.
        CheckpointNotFoundError: there are checkpoints, and none can be used.
    """

    def use(path: Path) -> Choice:
        try:
            manifest = store.verify(path)
        except CheckpointForeignError:
            log(f"{TAG}   ✓ accepted {path.name}: no manifest, so weights only")
            return Choice(StoredCheckpoint(path, naming.checkpoint_steps(path.name, store.prefix) or 0, None))
        notes = _fitting(path, manifest, current, log, fresh_command)
        return Choice(StoredCheckpoint(path, manifest.steps, manifest), notes=notes)

    choice, rejected = first_usable(store, use, log)
    return replace(choice, rejected=rejected) if choice else Choice()


def _fitting(path: Path, manifest: Manifest, current: Compatibility, log: Log, fresh_command: str) -> tuple[str, ...]:
    outcome = report(manifest, current)
    if not outcome.compatible:
        show_incompatibility(outcome, log, fresh_command)
    require(outcome, path, fresh_command)
    log(f"{TAG}   ✓ accepted {path.name}: verified, {manifest.exactness}, {manifest.steps} steps")
    for item in outcome.warnings:
        log(f"{TAG}   note: {item}; {item.remedy}")
    return tuple(str(item) for item in outcome.warnings)


def bundle_files(
    store: CheckpointStore, parent: StoredCheckpoint | None, trust_foreign: bool = False
) -> dict[str, Path]:
    """Return what a session needs of the store, by its name in the bundle: one checkpoint, its chunks, the best.

    Pickles beside a foreign checkpoint travel only where they are trusted.
    """
    if parent is None:
        return {}
    root = naming.CHECKPOINTS
    files = {f"{root}/{naming.CHECKPOINTS}/{parent.path.name}": parent.path}
    for digest in sorted(parent.manifest.chunk_digests) if parent.manifest else ():
        path = naming.chunk_path(store.chunks, digest)
        files[f"{root}/{naming.CHECKPOINTS}/{naming.REPLAY}/{path.name}"] = path
    if trust_foreign and parent.manifest is None:
        for companion in companions(parent.path, store.prefix):
            files[f"{root}/{naming.CHECKPOINTS}/{companion.name}"] = companion
    if store.best_path.is_file():
        files[f"{root}/{naming.BEST}/{naming.BEST_NAME}"] = store.best_path
    return files


def origin_of(parent: StoredCheckpoint | None) -> Origin:
    """Return a checkpoint as the planner of sessions sees it."""
    return Origin(parent.steps, parent.digest, parent.path.name) if parent else Origin()
