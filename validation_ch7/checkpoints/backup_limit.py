"""How much room backups may take: the oldest go first, the newest and every archive of ``--fresh`` stay."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

from validation_ch7.checkpoints.backup import FRESH, list_backups
from validation_ch7.checkpoints.store import CheckpointStore
from validation_ch7.files import PARTIAL_PREFIX, storage_errors


def beyond_limit(sizes: Sequence[int], limit: int) -> int:
    """Return how many of the oldest have to go; ``sizes`` are those of the newest first [bytes].

    >>> beyond_limit([10, 10, 10], 25), beyond_limit([100, 1], 50), beyond_limit([], 1), beyond_limit([5, 5], 10)
    (1, 1, 0, 0)
    """
    kept = len(sizes)
    while kept > 1 and sum(sizes[:kept]) > limit:
        kept -= 1
    return len(sizes) - kept


def limit_backups(store: CheckpointStore, limit: int | None) -> list[Path]:
    """Remove the oldest backups until all together hold at most ``limit`` bytes of their own, and return them.

    A replay chunk that is a link to one of the store, or of a newer backup, takes no room of its own. Without a
    limit, none goes.
    """
    if limit is None:
        return []
    copies = [backup.path for backup in list_backups(store) if backup.reason != FRESH]
    seen: set[tuple[int, int]] = set()
    _own_bytes(store.chunks.glob("*") if store.chunks.is_dir() else (), seen)
    sizes = [_own_bytes(path.rglob("*"), seen) for path in copies]
    doomed = copies[len(copies) - beyond_limit(sizes, limit) :]
    for path in reversed(doomed):
        partial = path.with_name(f"{PARTIAL_PREFIX}{path.name}")
        with storage_errors(path):
            path.rename(partial)  # what is listed is whole, also if the removal dies half-way
            shutil.rmtree(partial)
    return doomed


def _own_bytes(paths: Iterable[Path], seen: set[tuple[int, int]]) -> int:
    total = 0
    for path in paths:
        facts = path.stat()
        key = (facts.st_dev, facts.st_ino)
        if not path.is_file() or (facts.st_ino and key in seen):
            continue
        seen.add(key)
        total += facts.st_size
    return total
