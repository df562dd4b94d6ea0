"""A store, brought from a place: downloaded beside the tree, every digest compared, then admitted.

The way into the tree is the one that a session's results take: verified again, compared with the present
configuration, backed up, committed. A download that broke off is finished by the same command.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from validation_ch7.checkpoints.admission import Admission, admit
from validation_ch7.checkpoints.manifest import Compatibility
from validation_ch7.checkpoints.retention import Retention
from validation_ch7.checkpoints.store import CheckpointStore
from validation_ch7.errors import CheckpointCorruptError, StorageError
from validation_ch7.files import (
    commit_file,
    confined,
    link_or_copy,
    make_folder,
    sha256_bytes,
    sha256_file,
    storage_errors,
)
from validation_ch7.sharing.exporting import Progress
from validation_ch7.sharing.index import SharedFile, StoreIndex, object_name, read_index
from validation_ch7.sharing.place import Place

STAGING = ".import-"
_RESERVE = 64 << 20


@dataclass(frozen=True)
class Imported:
    """What an import did."""

    index: StoreIndex
    received_bytes: int
    reused_bytes: int
    """Of files that were here already."""
    admission: Admission


def import_store(
    store: CheckpointStore,
    place: Place,
    log: Callable[[str], None],
    *,
    current: Compatibility | None = None,
    version: str | None = None,
    backup_bytes: int | None = None,
    progress: Progress = lambda done, total: None,
) -> Imported:
    """Bring the store of the same prefix from ``place`` into ``store``; nothing here is lost.

    Args:
        current: facts of the present configuration; a store that does not fit stays outside.
        version: digest of an earlier index.
        backup_bytes: room that backups may take [bytes], or None.

    Raises:
        CheckpointNotFoundError: there is no such store.
        CheckpointCorruptError: something there is not what its digest says; nothing was changed here.
        WorkspaceLockedError: a run works on the tree.
    """
    index = read_index(place, store.prefix, version)
    with store.exclusive(f"import of {store.prefix}"):
        staging = make_folder(store.root / (STAGING + sha256_bytes(place.shown.encode())[:12]))
        received, reused = _fetch(store, place, index, staging, progress)
        source = CheckpointStore(staging, store.prefix)
        _keep_the_better_best(store, source, log)
        keep = max(2, len(store.paths()) + len(source.paths()))
        admission = admit(store, source, Retention(max_keep=keep, backup_bytes=backup_bytes), log, current)
        if not admission.misfits:
            shutil.rmtree(staging, ignore_errors=True)
    return Imported(index, received, reused, admission)


def _fetch(
    store: CheckpointStore, place: Place, index: StoreIndex, staging: Path, progress: Progress
) -> tuple[int, int]:
    wanted = {confined(staging, name): (name, entry) for name, entry in index.files.items()}
    _sweep(staging, set(wanted))
    missing = {path: item for path, item in wanted.items() if not _here(store, path, *item)}
    total, done = sum({entry.sha256: entry.bytes for _, entry in missing.values()}.values()), 0
    _require_space(store.root, total)
    received: dict[str, Path] = {}
    for path, (_, entry) in missing.items():
        if entry.sha256 in received:
            link_or_copy(received[entry.sha256], make_folder(path.parent) / path.name)
            continue
        receive(place, entry, path)
        received[entry.sha256] = path
        done += entry.bytes
        progress(done, total)
    return total, sum({entry.sha256: entry.bytes for entry in index.files.values()}.values()) - total


def _sweep(staging: Path, wanted: set[Path]) -> None:
    for path in staging.rglob("*"):
        if path.is_file() and path not in wanted:
            with storage_errors(path):
                path.unlink()


def _here(store: CheckpointStore, path: Path, name: str, entry: SharedFile) -> bool:
    """Return whether a file need not be fetched, after taking it from the tree where it is there."""
    if _equals(path, entry):
        return True
    known = confined(store.root, name)
    if not _equals(known, entry):
        return False
    make_folder(path.parent)
    with storage_errors(path):
        path.unlink(missing_ok=True)
    link_or_copy(known, path)
    return True


def _equals(path: Path, entry: SharedFile) -> bool:
    return path.is_file() and path.stat().st_size == entry.bytes and sha256_file(path) == entry.sha256


def _require_space(folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < needed + _RESERVE:
        raise StorageError(
            "The disk has no room for this store; nothing was changed.",
            where=folder,
            expected=f"{needed + _RESERVE:,} bytes",
            found=f"{free:,} bytes free",
            remedy="free some disk space, then run the same command again",
        )


def receive(place: Place, entry: SharedFile, path: Path) -> None:
    """Make one object appear at ``path``, if it is what its digest says.

    Raises:
        CheckpointCorruptError: it is not.
    """

    def write(stream: BinaryIO) -> None:
        digest, size = hashlib.sha256(), 0
        for block in place.blocks(object_name(entry.sha256)):
            size += len(block)
            if size > entry.bytes:
                break
            digest.update(block)
            stream.write(block)
        if size != entry.bytes or digest.hexdigest() != entry.sha256:
            raise _altered(place, entry, size)

    make_folder(path.parent)
    commit_file(path, write)


def _altered(place: Place, entry: SharedFile, size: int) -> CheckpointCorruptError:
    more = "or more " if size > entry.bytes else ""
    return CheckpointCorruptError(
        "A file of the shared store is not what its digest says; nothing was changed here.",
        where=f"{place.shown}/{object_name(entry.sha256)}",
        expected=f"{entry.bytes} bytes with SHA-256 {entry.sha256[:12]}…",
        found=f"{size} bytes {more}of other content",
        remedy="send it again from where it came: python -m validation_ch7 export TARGET --check",
    )


def _keep_the_better_best(store: CheckpointStore, source: CheckpointStore, log: Callable[[str], None]) -> None:
    """Leave the incoming best model out where the one here is better; admission takes any that a session brings."""
    here, there = store.best(), source.best()
    if here is None or there is None or here.reward is None:
        return
    if there.reward is None or there.reward < here.reward:
        log(f"The best model here is better ({here.reward:.3f}); it stays")
        with storage_errors(source.best_path):
            source.best_path.unlink()
