"""Download of 500 MB in 200 files, every byte checked, against curl of the same files from the same server."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

STREAMS = 4
CHECKED = f"{STREAMS} at once, then sha256sum, which is what ours does"
WAYS = {
    "one by one": [],
    f"{STREAMS} at once": ["-Z", "--no-progress-meter", "--parallel-max", str(STREAMS)],
    CHECKED: ["-Z", "--no-progress-meter", "--parallel-max", str(STREAMS)],
}


def measure_downloading(folder: Path, rounds: int) -> Iterator[str]:
    """Yield one line for each way to download."""
    folder.mkdir()
    server = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.kaggle.server", str(folder / "service")], stdout=subprocess.PIPE, text=True
    )
    assert server.stdout is not None
    url = server.stdout.readline().strip()
    try:
        ours: list[dict[str, float]] = []
        theirs: dict[str, list[tuple[float, float]]] = {label: [] for label in WAYS}
        for _ in range(rounds):  # in turns, so that a busy moment of the machine meets all of them
            ours.append(_ours(folder, url))
            for label, options in WAYS.items():
                theirs[label].append(_curl(folder, url, options, checked=label == CHECKED))
        assert all(run["complete"] and run["files"] >= 201 for run in ours)
        seconds, peak = median(run["seconds"] for run in ours), max(run["peak_mb"] for run in ours)
        busy = median(run["processor"] for run in ours)
        yield f"medians of {rounds} rounds, in turns:"
        yield f"download of 500 MB in 200 files, checked: {500 / seconds:.0f} MB/s, peak memory {peak:.0f} MB (100)"
        yield f"  its processor time: {busy:.2f} s"
        for label, times in theirs.items():
            speed, processor = (median(part) for part in zip(*times, strict=True))
            ratio = f"ours is {speed / seconds:.2f} of it (0.9)"
            yield f"  curl, {label}: {500 / speed:.0f} MB/s, processor time {processor:.2f} s; {ratio}"
    finally:
        server.kill()
        server.wait()


def _ours(folder: Path, url: str) -> dict[str, float]:
    target = folder / "ours"
    shutil.rmtree(target, ignore_errors=True)
    environ = os.environ | {
        "VALIDATION_KAGGLE_ENDPOINT": url,
        "KAGGLE_USERNAME": "tester",
        "KAGGLE_KEY": "emulator-key",
        "HOME": str(folder),
    }
    command = [sys.executable, "-m", "benchmarks.kaggle.fetching", str(target)]
    done = subprocess.run(command, env=environ, stdout=subprocess.PIPE, text=True, check=True)
    result: dict[str, float] = json.loads(done.stdout)
    return result


def _curl(folder: Path, url: str, options: list[str], *, checked: bool) -> tuple[float, float]:
    """Return the wall time and the processor time [s]."""
    target = folder / "curl"
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir()
    place = f"{url}/files/benchmark-kernel/1/section_7_6_rl_performance"
    lines = [f'url = "{place}/{number}.bin"\noutput = "{target}/{number}.bin"' for number in range(200)]
    (folder / "curl.txt").write_text("\n".join(lines), encoding="utf-8")
    began, used = time.perf_counter(), _children()
    subprocess.run(["curl", "-s", "--noproxy", "*", *options, "-K", str(folder / "curl.txt")], check=True)
    if checked:
        subprocess.run(["sha256sum", *map(str, target.iterdir())], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began, _children() - used


def _children() -> float:
    """Return the processor time of the processes that have ended [s]."""
    times = os.times()
    return times.children_user + times.children_system
