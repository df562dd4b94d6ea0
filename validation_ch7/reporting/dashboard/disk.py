"""What a workspace takes on the disk; a file with several names is counted once, under the first of them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from validation_ch7.checkpoints import naming
from validation_ch7.checkpoints.store import CheckpointStore
from validation_ch7.reporting.dashboard.view import Disk, DiskPart


def measure_disk(store: CheckpointStore, output: Path | None, unshared: int) -> Disk:
    """Return what the store, and the outputs of its workspace, take.

    Args:
        output: the workspace's ``validation_output``; None where there is only a store.
        unshared: bytes of the checkpoints without sharing.
    """
    seen: set[tuple[int, int]] = set()
    places = {
        "replay chunks": [store.chunks],
        "quarantine": [store.folder / naming.QUARANTINE],
        "checkpoints": [store.folder],
        "best model": [store.best_path.parent],
        "backups": [store.backups],
    }
    if output is not None:
        places |= {
            "results of sessions": [output / "results"],
            "local sessions": [output / "local_sessions"],
            "bundles and wheels": [output / "bundles", output / "wheels"],
            "reports": [output / "reports"],
        }
    sizes = {name: sum(_new_bytes(folder, seen) for folder in folders) for name, folders in places.items()}
    parts = tuple(DiskPart(name, size) for name, size in sizes.items() if size)
    return Disk(parts, unshared, _free(store.root))


def _new_bytes(folder: Path, seen: set[tuple[int, int]]) -> int:
    total = 0
    for entry in _files(folder):
        try:
            found = os.stat(entry, follow_symlinks=False)  # noqa: PTH116  an entry's own stat has no inode on Windows
        except OSError:
            continue  # it went while we counted
        if (found.st_dev, found.st_ino) not in seen:
            seen.add((found.st_dev, found.st_ino))
            total += found.st_size
    return total


def _files(folder: Path) -> Iterator[str]:
    for place, _, names in os.walk(folder):
        for name in names:
            yield os.path.join(place, name)  # noqa: PTH118  ten thousand files: no object for each


def _free(folder: Path) -> int | None:
    existing = next((path for path in (folder, *folder.parents) if path.is_dir()), None)
    try:
        return shutil.disk_usage(existing).free if existing else None
    except OSError:
        return None
