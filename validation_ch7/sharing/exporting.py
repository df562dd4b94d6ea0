"""A store, sent to a place: objects first, each compared; the index that names them last.

What lies there already is not sent again, so an export that broke off is finished by the same command, and
one after more training sends what is new.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from validation_ch7.checkpoints import naming
from validation_ch7.checkpoints.inventory import Item, Kind, Standing, require_usable, take_inventory
from validation_ch7.checkpoints.manifest import utc_now
from validation_ch7.checkpoints.store import CheckpointStore
from validation_ch7.errors import BackendError, CheckpointCorruptError, CheckpointNotFoundError
from validation_ch7.files import sha256_bytes, sha256_file, storage_error
from validation_ch7.schema import MAX_DOCUMENT_BYTES
from validation_ch7.sharing.index import OBJECTS, SharedFile, StoreIndex, index_name, object_name, parse_index
from validation_ch7.sharing.place import Place, read_all

Progress = Callable[[int, int], None]
"""Told the bytes done and the bytes to do."""
_STREAMS = 4
_TRIES = 3


@dataclass(frozen=True)
class Exported:
    """What an export did."""

    index: StoreIndex
    version: str
    """Digest of the index that now lies there."""
    sent: tuple[str, ...]
    """Names in the store of files that were sent; one name for files of the same content."""
    sent_bytes: int
    reused_bytes: int
    """Of files that were there already."""
    left_out: tuple[tuple[str, str], ...]
    """Checkpoints that do not verify, with the reason."""


class _ChangedError(Exception):
    """A run has replaced or removed a file in the meantime."""


@dataclass(frozen=True)
class _Plan:
    files: Mapping[str, SharedFile]
    sources: Mapping[str, Path]
    left_out: tuple[tuple[str, str], ...]


def export_store(
    store: CheckpointStore, place: Place, *, check: bool = False, progress: Progress = lambda done, total: None
) -> Exported:
    """Send the checkpoints of ``store`` that verify, their chunks and the best model to ``place``.

    A run may go on meanwhile: where it removes a file, the export looks again.

    Args:
        check: whether to read back what was there already, too, and to replace what is damaged.

    Raises:
        CheckpointError: there is no intact checkpoint.
        BackendError: the place cannot be written, or returns other bytes than were sent.
    """
    for _ in range(_TRIES):
        plan = _planned(store)
        try:
            return _send(store, place, plan, check, progress)
        except _ChangedError:
            continue
    raise CheckpointNotFoundError(
        "The store changes faster than it can be sent.",
        where=store.root,
        remedy="run the same command again when the session has ended; what has arrived is not sent twice",
    )


def _planned(store: CheckpointStore) -> _Plan:
    items = [item for item in take_inventory(store) if item.kind is not Kind.QUARANTINED]
    require_usable([item for item in items if item.kind is Kind.CHECKPOINT], store.folder)
    files: dict[str, SharedFile] = {}
    sources: dict[str, Path] = {}
    for item in items:
        if item.standing is Standing.INTACT:
            for name, path, digest in _parts(store, item):
                try:
                    files[name] = SharedFile(bytes=path.stat().st_size, sha256=digest or sha256_file(path))
                except FileNotFoundError:
                    continue  # a run has removed it just now; if something needs it, it is looked for again
                sources[name] = path
    left_out = tuple((item.path.name, item.reason) for item in items if item.standing is not Standing.INTACT)
    return _Plan(files, sources, left_out)


def _parts(store: CheckpointStore, item: Item) -> Iterable[tuple[str, Path, str | None]]:
    if item.kind is Kind.BEST:
        yield f"{naming.BEST}/{naming.BEST_NAME}", item.path, None
        return
    yield f"{naming.CHECKPOINTS}/{item.path.name}", item.path, None
    for digest in sorted(item.manifest.chunk_digests) if item.manifest else ():
        path = naming.chunk_path(store.chunks, digest)
        yield f"{naming.CHECKPOINTS}/{naming.REPLAY}/{path.name}", path, digest


def _send(store: CheckpointStore, place: Place, plan: _Plan, check: bool, progress: Progress) -> Exported:
    present = place.sizes(OBJECTS)
    there = {name for name, entry in plan.files.items() if present.get(object_name(entry.sha256)) == entry.bytes}
    if check:
        there = {name for name in there if _arrived(place, plan.files[name])}
    unsent = {entry.sha256: name for name, entry in plan.files.items() if name not in there}
    missing = sorted(unsent.values())  # files of the same content are one object
    total = sum(plan.files[name].bytes for name in missing)
    done = 0
    with ThreadPoolExecutor(_STREAMS) as pool:
        replaced = {name: object_name(plan.files[name].sha256) in present for name in missing}
        jobs = [pool.submit(_send_one, place, plan.sources[name], plan.files[name], replaced[name]) for name in missing]
        try:
            for job in jobs:
                done += job.result()
                progress(done, total)
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise
    index, version = _conclude(store, place, plan)
    place.commit()  # also where the index stays as it is: something may have been replaced
    reused = sum({plan.files[name].sha256: plan.files[name].bytes for name in there}.values())
    return Exported(index, version, tuple(missing), total, reused, plan.left_out)


def _send_one(place: Place, path: Path, entry: SharedFile, replaced: bool) -> int:
    """Send one file, ask for it, and return its size."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise _ChangedError from None
    except OSError as fault:
        raise storage_error(path, fault) from fault
    if sha256_bytes(data) != entry.sha256:
        raise _ChangedError
    (place.replace if replaced else place.create)(object_name(entry.sha256), data)
    if not _arrived(place, entry):
        raise BackendError(
            "The place does not return what was sent.",
            where=f"{place.shown}/{object_name(entry.sha256)}",
            expected=f"{entry.bytes} bytes with SHA-256 {entry.sha256[:12]}…",
            found="other bytes",
            remedy="remove this object there, then run the same command again",
        )
    return entry.bytes


def _arrived(place: Place, entry: SharedFile) -> bool:
    return place.holds(object_name(entry.sha256), entry.bytes, entry.sha256)


def _conclude(store: CheckpointStore, place: Place, plan: _Plan) -> tuple[StoreIndex, str]:
    """Write the index, unless the one that is there says the same."""
    name = index_name(store.prefix)
    before = read_all(place, name, MAX_DOCUMENT_BYTES)
    if before is not None:
        try:
            old = parse_index(before, f"{place.shown}/{name}")
        except CheckpointCorruptError:
            old = None
        if old is not None and old.files == dict(plan.files):
            return old, sha256_bytes(before)
    previous = sha256_bytes(before) if before is not None else None
    index = StoreIndex(prefix=store.prefix, created=utc_now(), previous=previous, files=dict(plan.files))
    data = index.as_bytes()
    version = sha256_bytes(data)
    if before is not None and previous is not None:
        place.create(object_name(previous), before)
    place.create(object_name(version), data)
    place.replace(name, data)
    return index, version
