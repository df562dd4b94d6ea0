"""The replay buffer as immutable chunks of consecutive transitions.

Rows are numbered from the first one ever added, so row ``i`` stands at index ``i % capacity`` of the
buffer, and a buffer that holds ``n`` rows after ``added`` holds rows ``added - n`` to ``added - 1``. A save
writes only the rows since the last save; a chunk stays as long as one of its rows is alive.

``optimize_memory_usage`` keeps the newest next-observation in the row that is to be written next; this one
row is state, not history, and travels as the ``tail``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from stable_baselines3 import HerReplayBuffer
from stable_baselines3.common.buffers import DictReplayBuffer, ReplayBuffer

from validation_ch7.checkpoints.arrays import pack_arrays, unpack_arrays
from validation_ch7.checkpoints.compression import compressed, decompressed
from validation_ch7.checkpoints.manifest import Chunk, Replay
from validation_ch7.checkpoints.naming import CHUNK_SUFFIX, COMPRESSED_SUFFIX, chunk_digest, chunk_path
from validation_ch7.errors import CheckpointCorruptError
from validation_ch7.files import commit_bytes, copy_durably, link_or_copy, sha256_bytes, sha256_file, storage_errors

Rows = dict[str, NDArray[Any]]

_ROW_FIELDS = ("observations", "next_observations", "actions", "rewards", "dones", "timeouts")
_CONFIGURATION = frozenset(
    {"buffer_size", "observation_space", "action_space", "obs_shape", "action_dim", "pos", "full", "device", "n_envs"}
    | {"optimize_memory_usage", "handle_timeout_termination", "n_steps", "gamma", "env", "n_sampled_goal"}
    | {"goal_selection_strategy", "her_ratio", "copy_info_dict", "desired_goal_strategy"}
)
_LASTING = frozenset({ReplayBuffer, DictReplayBuffer, HerReplayBuffer})
"""Classes that never change a transition; the one for n steps marks the newest row for a while when it samples."""
_CHUNK_BYTES = 8 << 20  # two of them fit into most caches, and a million rows make thirty files
_MOST_CHUNK_BYTES = 1 << 30  # where there is no buffer that says how large a row is
_HEADER_BYTES = 64 << 10  # more than the headers of a chunk's arrays ever take


@dataclass(frozen=True)
class Ring:
    """Arrays in which row ``i`` of a replay buffer stands at index ``(i - origin) % length``."""

    arrays: Rows
    origin: int
    length: int

    def rows(self, start: int, stop: int) -> Rows:
        """Return the rows from ``start`` to ``stop``; views where they lie in one piece."""
        begin = (start - self.origin) % self.length if self.length else 0
        rest = begin + stop - start - self.length
        if rest <= 0:
            return {name: array[begin : begin + stop - start] for name, array in self.arrays.items()}
        return {name: np.concatenate((array[begin:], array[:rest])) for name, array in self.arrays.items()}

    def copy(self, start: int, stop: int) -> Ring:
        """Return a ring of these rows alone, which shares no memory with this one."""
        return Ring({name: rows.copy() for name, rows in self.rows(start, stop).items()}, start, stop - start)


@dataclass(frozen=True)
class ReplaySnapshot:
    """The replay buffer at one moment: chunks already on the disk, and rows still to be written.

    A stored transition does not change until the buffer comes round to it again. So new rows are not copied:
    the thread that writes reads them where they lie, and training waits before it overwrites one of them
    (:meth:`ReplayRecorder.endangered`). They are copied where the buffer would soon come round, and where its
    class is not SB3's own, since such a class may change what it stored.

    Attributes:
        capacity: rows that the buffer holds.
        added: rows ever added.
        kept: chunks already on the disk.
        first: the oldest row still to be written.
        ring: where the rows lie.
    """

    capacity: int
    added: int
    kept: tuple[Chunk, ...]
    first: int
    ring: Ring


def row_arrays(buffer: ReplayBuffer) -> Rows:
    """Return the arrays that hold one transition a row, by name; views, not copies."""
    found: Rows = {}
    for field in _ROW_FIELDS:
        value = getattr(buffer, field, None)
        if isinstance(value, dict):
            found |= {f"{field}.{key}": array for key, array in value.items()}
        elif isinstance(value, np.ndarray):
            found[field] = value
    return found


def extra_attributes(buffer: ReplayBuffer) -> dict[str, Any]:
    """Return what else a special buffer (hindsight, third-party) keeps, by name."""
    skip = _CONFIGURATION.union(_ROW_FIELDS)
    if not getattr(buffer, "copy_info_dict", True):
        skip |= {"infos"}  # hindsight keeps the infos only if its reward needs them
    return {name: value for name, value in vars(buffer).items() if name not in skip}


def tail_rows(buffer: ReplayBuffer) -> Rows:
    """Return the row that is state and not history; empty unless memory usage is optimised."""
    if not buffer.optimize_memory_usage:
        return {}
    names = [name for name in row_arrays(buffer) if name.split(".")[0] == "observations"]
    return {name: row_arrays(buffer)[name][buffer.pos].copy() for name in names}


class ReplayRecorder:
    """Knows which rows of a buffer are on the disk already.

    Args:
        replay: what the checkpoint that this run resumed from says, or None at the start.
        steps: environment steps at that moment.
    """

    def __init__(self, replay: Replay | None = None, steps: int = 0) -> None:
        self._added = replay.added if replay else 0
        self._chunks = replay.chunks if replay else ()
        self._steps = steps
        self._lent = range(0)

    def take(self, buffer: ReplayBuffer, steps: int) -> ReplaySnapshot:
        """Find the rows that are new at ``steps`` environment steps; the save before must have ended."""
        capacity = buffer.buffer_size
        fresh = self._fresh_rows(buffer, steps)
        if fresh is None:
            added = buffer.pos + (capacity if buffer.full else 0)
            kept: tuple[Chunk, ...] = ()
            first = added - buffer.size()
        else:
            added = self._added + fresh
            kept = tuple(chunk for chunk in self._chunks if chunk.stop > added - capacity)
            first = self._added
        ring, fresh_rows = Ring(row_arrays(buffer), 0, capacity), range(first, added)
        self._lent = fresh_rows if type(buffer) in _LASTING and len(fresh_rows) <= capacity // 2 else range(0)
        return ReplaySnapshot(capacity, added, kept, first, ring if self._lent else ring.copy(first, added))

    def endangered(self, buffer: ReplayBuffer) -> bool:
        """Whether the next transition would overwrite a row that the save in flight may still have to read."""
        # One further row may go with it: the next observation, where memory usage is optimised.
        ahead = (buffer.pos + 1 - self._lent.start) % buffer.buffer_size
        return bool(self._lent) and ahead <= len(self._lent)

    def confirm(self, replay: Replay, steps: int) -> None:
        """Take note that ``replay`` is durable."""
        self._added, self._chunks, self._steps = replay.added, replay.chunks, steps

    def _fresh_rows(self, buffer: ReplayBuffer, steps: int) -> int | None:
        fresh = (steps - self._steps) // buffer.n_envs
        explained = (self._added + fresh) % buffer.buffer_size == buffer.pos
        size = min(self._added + fresh, buffer.buffer_size)
        return fresh if 0 <= fresh < buffer.buffer_size and explained and size == buffer.size() else None


def _chunk_rows(arrays: Rows) -> int:
    return max(1, _CHUNK_BYTES // max(1, _row_bytes(arrays)))


def _row_bytes(arrays: Rows) -> int:
    return sum(int(array[0].nbytes) for array in arrays.values())


def write_chunks(folder: Path, snapshot: ReplaySnapshot, compress: bool = False) -> Replay:
    """Make the new rows durable, compressed where that was asked for and pays; return the description."""
    length = _chunk_rows(snapshot.ring.arrays)
    starts = range(snapshot.first, snapshot.added, length)
    ends = [min(start + length, snapshot.added) for start in starts]
    written = [_write_chunk(folder, snapshot, start, end, compress) for start, end in zip(starts, ends, strict=True)]
    return Replay(capacity=snapshot.capacity, added=snapshot.added, chunks=(*snapshot.kept, *written))


def _write_chunk(folder: Path, snapshot: ReplaySnapshot, start: int, stop: int, compress: bool) -> Chunk:
    plain = pack_arrays(snapshot.ring.rows(start, stop))
    packed = compressed(plain) if compress else None
    data = plain if packed is None else packed
    digest = sha256_bytes(data)
    path = folder / f"{digest}{CHUNK_SUFFIX if packed is None else COMPRESSED_SUFFIX}"
    if not _holds(path, digest):
        commit_bytes(path, data)
    raw_bytes = None if packed is None else len(plain)
    return Chunk(sha256=digest, bytes=len(data), start=start, stop=stop, raw_bytes=raw_bytes)


def bring_chunk(source: Path, target: Path) -> None:
    """Make the chunk ``source`` appear at ``target``, by hard link where possible; a damaged one there is replaced.

    Raises:
        StorageError: the disk refused.
    """
    with storage_errors(target):
        there = target.exists()
    if not there:
        link_or_copy(source, target)
    elif not _holds(target, chunk_digest(source.name) or ""):
        copy_durably(source, target)


def _holds(path: Path, digest: str) -> bool:
    # A run that goes back to an earlier checkpoint meets the chunks of the damaged one again.
    with storage_errors(path):
        return path.is_file() and sha256_file(path) == digest


def read_chunk(folder: Path, chunk: Chunk) -> bytes:
    """Return the bytes of a chunk, verified.

    Raises:
        CheckpointCorruptError: it is missing, has another size, or its content differs from its name.
    """
    path = chunk_path(folder, chunk.sha256)
    try:
        size = path.stat().st_size
        data = path.read_bytes() if size == chunk.bytes else b""
    except OSError as fault:
        raise _corrupt_chunk(path, fault.strerror or str(fault)) from None
    if size != chunk.bytes:
        raise _corrupt_chunk(path, f"{size} bytes instead of {chunk.bytes}")
    if sha256_bytes(data) != chunk.sha256:
        raise _corrupt_chunk(path, "content differs from its name")
    return data


def _corrupt_chunk(path: Path, found: str, expected: str = "the bytes that its name states") -> CheckpointCorruptError:
    return CheckpointCorruptError(
        "A replay chunk failed its verification.",
        where=path,
        expected=expected,
        found=found,
        remedy="the previous checkpoint is used where there is one",
    )


def verify_chunks(folder: Path, replay: Replay) -> None:
    """Check every chunk of a replay buffer, and that no row is missing.

    Raises:
        CheckpointCorruptError: a chunk is missing or altered, or rows are missing.
    """
    check_coverage(folder, replay)
    _each_chunk(folder, replay, lambda _chunk, _data: None)


def check_coverage(folder: Path, replay: Replay) -> None:
    """Check that the chunks hold every row that is alive, without gaps.

    Raises:
        CheckpointCorruptError: rows are missing.
    """
    row = max(0, replay.added - replay.capacity)
    for chunk in replay.chunks:
        if chunk.start > row or chunk.stop <= chunk.start:
            break
        row = max(row, chunk.stop)
    if row != replay.added:
        raise CheckpointCorruptError(
            "A replay buffer is incomplete.",
            where=folder,
            expected=f"rows up to {replay.added}",
            found=f"rows up to {row}",
            remedy="the previous checkpoint is used where there is one",
        )


def load_rows(folder: Path, replay: Replay, buffer: ReplayBuffer) -> None:
    """Fill ``buffer`` from the chunks; each chunk is read once and verified while it is loaded.

    Raises:
        CheckpointCorruptError: a chunk is missing or altered, or does not fit the buffer.
    """
    check_coverage(folder, replay)
    arrays = row_arrays(buffer)
    oldest = max(0, replay.added - replay.capacity)
    row_bytes = _row_bytes(arrays)

    def place(chunk: Chunk, data: bytes) -> None:
        where = chunk_path(folder, chunk.sha256)
        most = min(chunk.stop - chunk.start, replay.capacity) * row_bytes + _HEADER_BYTES
        rows = unpack_arrays(_plain(data, chunk.raw_bytes, most, where), where)
        _check_fit(arrays, rows, chunk, folder)
        first = max(chunk.start, oldest)
        for name, array in arrays.items():
            _place(array, replay.capacity, first, chunk.stop, rows[name][first - chunk.start :])

    _each_chunk(folder, replay, place)
    buffer.pos = replay.added % replay.capacity
    buffer.full = replay.added >= replay.capacity


def living_rows(folder: Path, replay: Replay) -> Iterator[Rows]:
    """Yield every row that is alive once, the oldest first, a chunk at a time and verified.

    Raises:
        CheckpointCorruptError: a chunk is missing or altered, or rows are missing.
    """
    check_coverage(folder, replay)
    next_row = max(0, replay.added - replay.capacity)
    for chunk in replay.chunks:
        if chunk.stop <= next_row:
            continue
        where = chunk_path(folder, chunk.sha256)
        data = _plain(read_chunk(folder, chunk), chunk.raw_bytes, _MOST_CHUNK_BYTES, where)
        rows = unpack_arrays(data, where)
        lengths = {len(array) if array.ndim else 0 for array in rows.values()}
        if lengths != {chunk.stop - chunk.start}:
            raise _corrupt_chunk(where, f"arrays of {sorted(lengths)} rows", f"{chunk.stop - chunk.start} rows")
        yield {name: array[next_row - chunk.start :] for name, array in rows.items()}
        next_row = chunk.stop


def _plain(data: bytes, raw_bytes: int | None, most: int, where: Path) -> bytes:
    if raw_bytes is None:
        return data
    if raw_bytes > most:
        raise _corrupt_chunk(where, f"it would unpack to {raw_bytes} bytes", f"at most {most} bytes for its rows")
    return decompressed(data, raw_bytes, where)


def _each_chunk(folder: Path, replay: Replay, use: Callable[[Chunk, bytes], None]) -> None:
    # Hashing and copying release the interpreter lock, so two threads keep two cores busy.
    with ThreadPoolExecutor(max_workers=2) as pool:
        for _ in pool.map(lambda chunk: use(chunk, read_chunk(folder, chunk)), replay.chunks):
            pass


def _check_fit(arrays: Rows, rows: Rows, chunk: Chunk, folder: Path) -> None:
    expected = {name: (chunk.stop - chunk.start, *array.shape[1:], array.dtype.str) for name, array in arrays.items()}
    found = {name: (*array.shape, array.dtype.str) for name, array in rows.items()}
    if expected != found:
        raise CheckpointCorruptError(
            "A replay chunk does not fit the replay buffer.",
            where=chunk_path(folder, chunk.sha256),
            expected=expected,
            found=found,
            remedy="the previous checkpoint is used where there is one",
        )


def _place(array: NDArray[Any], capacity: int, start: int, stop: int, rows: NDArray[Any]) -> None:
    begin = start % capacity
    head = min(stop - start, capacity - begin)
    array[begin : begin + head] = rows[:head]
    array[: stop - start - head] = rows[head:]
