"""Copies of a store, taken before anything in it is replaced, listed and restorable.

A backup is a folder of the store's own shape below ``backups/``; its replay chunks are hard links where the
file system has them, so a backup costs little more than its zips. It is built under a temporary name and
renamed when complete: what is listed is whole.
"""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from validation_ch7.checkpoints import naming
from validation_ch7.checkpoints.archive import read_manifest
from validation_ch7.checkpoints.replay import bring_chunk
from validation_ch7.checkpoints.store import PIN_SUFFIX, CheckpointStore
from validation_ch7.errors import CheckpointError, CheckpointNotFoundError
from validation_ch7.files import (
    PARTIAL_PREFIX,
    copy_durably,
    fsync_directory,
    link_or_copy,
    make_folder,
    sha256_file,
    storage_errors,
)

_NAME = re.compile(r"\d{8}T\d{6}(\.\d+)?Z(-\d+)?-[a-z0-9-]+")
MAX_BACKUPS = 10
FRESH = "fresh"
"""Reason of an archive that holds the only copy of a chain; no rotation removes it."""
BEFORE_PRUNE = "before-prune"
_AUTOMATIC = ("before-restore", "before-rewind", BEFORE_PRUNE)


@dataclass(frozen=True)
class Backup:
    """One saved copy of a store."""

    path: Path
    reason: str
    files: tuple[str, ...]
    """POSIX names relative to ``path``, chunks left out."""
    bytes: int


def back_up(
    store: CheckpointStore, reason: str, *, keep: int = MAX_BACKUPS, now: datetime | None = None
) -> Backup | None:
    """Copy everything of the store's prefix, or return None where there is nothing to copy.

    Raises:
        StorageError: the copy could not be made; the store is as it was.
    """
    with storage_errors(store.chunks):
        sources = _contents(store)
    if not sources:
        return None
    make_folder(store.backups)
    target = _free(store.backups, (now or datetime.now(UTC)).strftime("%Y%m%dT%H%M%SZ"), reason)
    partial = store.backups / f"{PARTIAL_PREFIX}{target.name}"
    with storage_errors(target):
        shutil.rmtree(partial, ignore_errors=True)
        try:
            for name, source in sources.items():
                make_folder((partial / name).parent)
                (link_or_copy if naming.chunk_digest(source.name) else copy_durably)(source, partial / name)
            partial.rename(target)
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)  # half a backup must not fill a disk that is full already
            raise
        fsync_directory(store.backups)
    rotate_backups(store, keep)
    return read_backup(target)


def _contents(store: CheckpointStore) -> dict[str, Path]:
    found: dict[str, Path] = {}
    chunks: set[str] = set()
    for entry in store.entries():
        if entry.path.is_dir():
            continue
        found[f"{naming.CHECKPOINTS}/{entry.path.name}"] = entry.path
        chunks |= entry.manifest.chunk_digests if entry.manifest else set()
    for digest in sorted(chunks):
        path = naming.chunk_path(store.chunks, digest)
        if path.is_file():
            found[f"{naming.CHECKPOINTS}/{naming.REPLAY}/{path.name}"] = path
    if store.best_path.is_file():
        found[f"{naming.BEST}/{naming.BEST_NAME}"] = store.best_path
    if found and store.metadata_path.is_file():
        found[naming.METADATA_NAME] = store.metadata_path
    return found


def _free(folder: Path, stamp: str, reason: str) -> Path:
    slug = re.sub(r"[^a-z0-9]+", "-", reason.lower()).strip("-") or "backup"
    # Numbered within one second whatever the reason, so that their order is that in which they were taken.
    number = 1 + max((_order(path)[1] for path in folder.glob(f"{stamp}-*")), default=0)
    return folder / (f"{stamp}-{slug}" if number == 1 else f"{stamp}-{number}-{slug}")


def list_backups(store: CheckpointStore) -> list[Backup]:
    """Return the backups of the store, newest first."""
    if not store.backups.is_dir():
        return []
    folders = [path for path in store.backups.iterdir() if path.is_dir() and _NAME.fullmatch(path.name)]
    return [read_backup(path) for path in sorted(folders, key=_order, reverse=True)]


def _order(path: Path) -> tuple[str, int]:
    stamp, _, rest = path.name.partition("-")
    number = rest.split("-")[0]
    return stamp, int(number) if number.isdigit() else 1


def read_backup(path: Path) -> Backup:
    """Return the description of the backup at ``path``."""
    files = [item for item in sorted(path.rglob("*")) if item.is_file()]
    names = tuple(item.relative_to(path).as_posix() for item in files if not naming.chunk_digest(item.name))
    reason = re.sub(r"^\d{8}T\d{6}(\.\d+)?Z(-\d+)?-", "", path.name)
    return Backup(path, reason, names, sum(item.stat().st_size for item in files))


def rotate_backups(store: CheckpointStore, keep: int) -> list[Path]:
    """Remove the oldest copies beyond ``keep`` and return them; one always stays, and so does every archive.

    Those that a person took do not make room for those that are taken before each restore.
    """
    copies = [backup for backup in list_backups(store) if backup.reason != FRESH]
    automatic = [backup.path for backup in copies if backup.reason in _AUTOMATIC]
    manual = [backup.path for backup in copies if backup.reason not in _AUTOMATIC]
    doomed = [*automatic[max(1, keep) :], *manual[max(1, keep) :]]
    for path in doomed:
        partial = path.with_name(f"{PARTIAL_PREFIX}{path.name}")
        with storage_errors(path):
            path.rename(partial)  # what is listed is whole, also if the removal dies half-way
            shutil.rmtree(partial)
    return doomed


def restore_backup(store: CheckpointStore, name: str) -> Backup:
    """Put a backup back in place of what the store holds, which is backed up first.

    Raises:
        CheckpointNotFoundError: there is no backup of that name.
        StorageError: the disk refused; both copies are still there.
    """
    known = {backup.path.name: backup for backup in list_backups(store)}
    if name not in known:
        raise CheckpointNotFoundError(
            "There is no such backup.",
            where=store.backups,
            expected=f"one of: {', '.join(known) or 'none yet'}",
            found=name,
            remedy="list them with: python -m validation_ch7 checkpoints backup --list",
        )
    backup = known[name]
    back_up(store, "before-restore", keep=len(known) + 1)  # none may go while one of them is put back
    logs = backup.path / "logs"  # of a chain that --fresh ended; they stay with the backup
    files = sorted(path for path in backup.path.rglob("*") if path.is_file() and logs not in path.parents)
    restored = set()
    for source in sorted(files, key=lambda path: naming.chunk_digest(path.name) is None):
        target = store.root / source.relative_to(backup.path)
        make_folder(target.parent)
        (copy_durably if naming.chunk_digest(source.name) is None else bring_chunk)(source, target)
        restored.add(target)
    _remove(store, keep=restored)  # last: there is a checkpoint to resume from at every instant
    rotate_backups(store, MAX_BACKUPS)
    return backup


def clear(store: CheckpointStore) -> None:
    """Remove every checkpoint, the best model and the metadata of the store; only after a backup."""
    _remove(store, keep=set())


def _remove(store: CheckpointStore, keep: set[Path]) -> None:
    for path in (*store.paths(), store.best_path, store.metadata_path):
        if path in keep:
            continue
        if path.is_dir():
            store.quarantine(path, "a folder, not a checkpoint")
        with storage_errors(path):
            path.unlink(missing_ok=True)
            path.with_name(path.name + PIN_SUFFIX).unlink(missing_ok=True)
    store.forget()
    store.collect_chunks()


def archive_all(store: CheckpointStore, reason: str) -> Backup | None:
    """Move everything into a backup, so that the next run starts at zero; nothing is lost.

    Where a process died before it had cleared what it had archived, that archive is the backup.
    """
    backup = _archive_of(store, reason) or back_up(store, reason)
    if backup is not None:
        clear(store)
    return backup


def _archive_of(store: CheckpointStore, reason: str) -> Backup | None:
    newest = next(iter(list_backups(store)), None)
    if newest is None or newest.reason != reason:
        return None
    pairs = [(source, newest.path / name) for name, source in _contents(store).items()]
    same = (copy.is_file() and sha256_file(copy) == sha256_file(source) for source, copy in pairs)
    return newest if pairs and all(same) else None


def rewind(store: CheckpointStore, steps: int) -> Backup | None:
    """Back up the store and remove the checkpoints beyond ``steps``, so that a run can branch off there."""
    later = [path for path in store.paths() if (naming.checkpoint_steps(path.name, store.prefix) or 0) > steps]
    if not later:
        return None
    backup = back_up(store, "before-rewind")
    for path in later:
        with storage_errors(path):
            path.unlink(missing_ok=True)
    store.forget()
    store.collect_chunks()
    if store.best_path.is_file() and _steps(store.best_path) > steps:
        with storage_errors(store.best_path):
            store.best_path.unlink()
    return backup


def _steps(path: Path) -> int:
    try:
        return read_manifest(path).steps
    except CheckpointError:
        return 0
