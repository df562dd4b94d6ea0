"""Results of a session, admitted into the training tree: verified, compared, backed up, then committed.

Nothing enters that does not verify; nothing is replaced that was not backed up; a session that was killed
brings what it had committed; admitting the same results twice changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from validation_ch7.checkpoints import naming
from validation_ch7.checkpoints.archive import read_archive
from validation_ch7.checkpoints.backup import Backup, back_up
from validation_ch7.checkpoints.backup_limit import limit_backups
from validation_ch7.checkpoints.compatibility import CompatibilityReport, report
from validation_ch7.checkpoints.manifest import Compatibility, Manifest
from validation_ch7.checkpoints.replay import bring_chunk
from validation_ch7.checkpoints.retention import Retention
from validation_ch7.checkpoints.store import CheckpointStore
from validation_ch7.errors import CheckpointError
from validation_ch7.files import copy_durably, make_folder
from validation_ch7.section_run import Tree

Log = Callable[[str], None]
TAG = "[CHECKPOINT]"


@dataclass(frozen=True)
class Admission:
    """What became of the results of one session.

    Attributes:
        restored: names of files that are now in the training tree because of it.
        rejected: names of files that were left out, with the reason.
        newest: the newest checkpoint of the training tree afterwards.
        compatibility: the newest incoming checkpoint compared with the current configuration.
    """

    restored: tuple[str, ...]
    rejected: tuple[tuple[str, str], ...]
    newest: Manifest | None
    backup: Backup | None
    compatibility: CompatibilityReport | None

    @property
    def misfits(self) -> tuple[str, ...]:
        """Why the results do not fit the current configuration; empty where they do."""
        return tuple(str(item) for item in self.compatibility.incompatibilities) if self.compatibility else ()

    def tree(self, store: CheckpointStore) -> Tree:
        """Return the training tree as it is after this admission."""
        return Tree(
            root=str(store.root),
            steps=self.newest.steps if self.newest else 0,
            exactness=self.newest.exactness if self.newest else None,
            restored=self.restored,
            rejected=tuple(f"{name}: {reason}" for name, reason in self.rejected),
        )


def admit(
    store: CheckpointStore,
    source: CheckpointStore,
    retention: Retention,
    log: Log,
    current: Compatibility | None = None,
) -> Admission:
    """Bring the checkpoints and the best model of ``source`` into ``store``, which the caller holds.

    Args:
        current: facts of the current configuration; incompatible results stay outside.

    Raises:
        StorageError: the disk refused; the training tree is as it was, or has a backup of how it was.
    """
    log(f"{TAG} ====== CHECKPOINT RESTORATION ======")
    intact, rejected = _verified(source)
    present = {entry.manifest.digest for entry in store.entries() if entry.manifest}
    fresh = [(path, manifest) for path, manifest in intact if manifest.digest not in present]
    newest = intact[0][1] if intact else None
    outcome = report(newest, current) if newest and current else None
    if outcome is not None and not outcome.compatible:
        return _refused(store, fresh, rejected, outcome, log)
    best = _changed_best(store, source, rejected)
    backup = back_up(store, "before-restore") if fresh or best else None
    if backup is not None:
        limit_backups(store, retention.backup_bytes)
    _announce(intact, best, rejected, store, log)
    for path, manifest in reversed(fresh):
        _bring(store, source, path, manifest)
    if best is not None:
        make_folder(store.best_path.parent)
        copy_durably(source.best_path, store.best_path)
    store.forget()
    restored = [path.name for path, _ in intact] + ([naming.BEST_NAME] if best else [])
    return _finish(store, retention, restored, rejected, backup, outcome, log)


def _verified(source: CheckpointStore) -> tuple[list[tuple[Path, Manifest]], list[tuple[str, str]]]:
    intact, rejected = [], []
    for path in source.paths():
        try:
            intact.append((path, source.verify(path)))
        except CheckpointError as fault:
            rejected.append((path.name, str(fault.found or fault.what)))
    return intact, rejected


def _changed_best(store: CheckpointStore, source: CheckpointStore, rejected: list[tuple[str, str]]) -> Manifest | None:
    if not source.best_path.is_file():
        return None
    try:
        incoming = read_archive(source.best_path).manifest
    except CheckpointError as fault:
        rejected.append((naming.BEST_NAME, str(fault.found or fault.what)))
        return None
    here = store.best()  # the session began with it, so what it brings back is at least as good
    return incoming if here is None or incoming.digest != here.digest else None


def _announce(
    intact: list[tuple[Path, Manifest]],
    best: Manifest | None,
    rejected: list[tuple[str, str]],
    store: CheckpointStore,
    log: Log,
) -> None:
    log(f"{TAG} Found {len(intact)} checkpoint(s) to restore:")
    for path, _ in intact:
        log(f"{TAG}   ✓ {path.name} ({megabytes(path.stat().st_size)})")
    if best is not None:
        log(f"{TAG}   ✓ {naming.BEST_NAME} (reward {best.metrics.get('mean_reward', float('nan')):.3f})")
    for name, reason in rejected:
        log(f"{TAG}   ✗ {name}: {reason}")


def _bring(store: CheckpointStore, source: CheckpointStore, path: Path, manifest: Manifest) -> None:
    make_folder(store.chunks)
    for digest in sorted(manifest.chunk_digests):
        chunk = naming.chunk_path(source.chunks, digest)
        bring_chunk(chunk, store.chunks / chunk.name)
    copy_durably(path, store.path(manifest.steps))


def _finish(
    store: CheckpointStore,
    retention: Retention,
    restored: list[str],
    rejected: list[tuple[str, str]],
    backup: Backup | None,
    outcome: CompatibilityReport | None,
    log: Log,
) -> Admission:
    newest = next((entry.manifest for entry in store.entries() if entry.manifest), None)
    if newest is not None and restored:
        store.write_metadata(newest)
        restored.append(naming.METADATA_NAME)
        log(f"{TAG}   ✓ {naming.METADATA_NAME}")
        store.prune(retention)
        log(f"{TAG} ✅ Successfully restored {len(restored)} file(s)")
        log(f"{TAG} Checkpoints ready for next run at: {store.folder}")
        log(f"{TAG} Next training will automatically resume from latest checkpoint")
    else:
        log(f"{TAG} Nothing to restore: the session left no checkpoint")
    return Admission(tuple(restored), tuple(rejected), newest, backup, outcome)


def _refused(
    store: CheckpointStore,
    fresh: list[tuple[Path, Manifest]],
    rejected: list[tuple[str, str]],
    outcome: CompatibilityReport,
    log: Log,
) -> Admission:
    show_incompatibility(outcome, log)
    log(f"{TAG} The results stay where they were downloaded; the training tree is unchanged")
    reasons = [(path.name, "; ".join(str(item) for item in outcome.incompatibilities)) for path, _ in fresh]
    newest = next((entry.manifest for entry in store.entries() if entry.manifest), None)
    return Admission((), (*rejected, *reasons), newest, None, outcome)


def show_incompatibility(outcome: CompatibilityReport, log: Log, command: str = "") -> None:
    """Write the lines that say what does not fit and what to do."""
    log(f"{TAG} ⚠️  INCOMPATIBILITY DETECTED:")
    for item in outcome.incompatibilities:
        log(f"{TAG}   - {item}")
    for item in outcome.warnings:
        log(f"{TAG}   - (no obstacle) {item}")
    reward = "not evaluated" if outcome.reward is None else f"{outcome.reward:.3f}"
    log(f"{TAG} Previous checkpoint: {outcome.steps} steps, reward {reward}")
    recommendation = "--fresh archives them and starts at zero"
    log(f"{TAG} Recommendation: {recommendation}{': ' + command if command else ''}")


def megabytes(size: int) -> str:
    """Return a size as people read it.

    >>> megabytes(15_300_000), megabytes(7_900)
    ('15.3 MB', '0.0 MB')
    """
    return f"{size / 1e6:.1f} MB"
