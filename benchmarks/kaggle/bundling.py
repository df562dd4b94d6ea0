"""Time to build the bundle of a store of 230 MB, the first time and after one per cent of it changed."""

from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path
from statistics import median

from tests.remote.sessions import make_code_root, make_plan
from validation_ch7.remote.bundle import BUNDLE_NAME, build_bundle

CHUNKS = 230
CHUNK_BYTES = 1_000_000
CHANGED = 2


def measure_bundling(folder: Path, rounds: int = 3) -> tuple[float, float]:
    """Return the medians of the first and of the following builds [s]."""
    code = make_code_root(folder / "code")
    store = folder / "store"
    store.mkdir()
    firsts, seconds = [], []
    for number in range(rounds):
        target = folder / str(number)
        target.mkdir()
        files = dict(_chunk(store) for _ in range(CHUNKS))
        firsts.append(_timed(target / BUNDLE_NAME, code, files))
        for name in list(files)[:CHANGED]:
            files.pop(name).unlink()
        files |= dict(_chunk(store) for _ in range(CHANGED))
        seconds.append(_timed(target / BUNDLE_NAME, code, files))
    return median(firsts), median(seconds)


def _chunk(store: Path) -> tuple[str, Path]:
    data = os.urandom(CHUNK_BYTES)
    path = store / f"{hashlib.sha256(data).hexdigest()}.npz"
    path.write_bytes(data)
    return f"checkpoints/checkpoints/replay/{path.name}", path


def _timed(target: Path, code: Path, files: dict[str, Path]) -> float:
    began = time.perf_counter()
    build_bundle(target, plan=make_plan(), code_root=code, files=files)
    return time.perf_counter() - began
