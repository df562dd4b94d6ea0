"""Cell updates per second of the interior loops: Numba against the same scheme in C, interleaved, one core."""

from __future__ import annotations

import ctypes
import subprocess
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from numba import njit

from validation_ch7.environment_config import EnvironmentConfig
from validation_ch7.traffic import build_layout, lanes
from validation_ch7.traffic.arrays import make_scratch

STEPS = 3000


@njit(error_model="numpy", _nrt=False)
def advance(x: Any, steps: int, tables: Any, rows: Any, work: Any) -> None:
    links, places, groups, physics = tables.links, tables.places, rows.groups, tables.physics
    lanes.gather(x, work.cells, links, places, physics)
    for _ in range(steps):
        for group in range(groups.shape[0]):
            lanes.relax(work.cells, work.waves, groups[group, 0], groups[group, 1], physics)
            lanes.renew(work.cells, work.waves, work.edges, group, rows, physics)
    lanes.scatter(work.cells, x, links, places, physics)


def compare(flags: tuple[str, ...] = (), rounds: int = 15) -> dict[str, float]:
    """Return million cell updates per second of both, medians, and their greatest difference."""
    layout = build_layout(EnvironmentConfig())
    tables, rows = layout.tables, layout.rows
    ends, work = tables.links[:, :2].ravel().copy(), make_scratch(tables, rows, 0, order=1)
    start = np.zeros((4, len(tables.rate)))
    start[:2] = np.random.default_rng(0).uniform(0.0, 0.4, (2, len(tables.rate))) * (tables.rate > 0)
    start[2:] = start[:2] * 12.0
    with tempfile.TemporaryDirectory() as folder:
        library = Path(folder) / "loop.so"
        source = Path(__file__).with_name("loop.c")
        subprocess.run(
            ["gcc", "-O3", "-march=native", "-shared", "-fPIC", *flags, "-o", library, source, "-lm"], check=True
        )
        function = ctypes.CDLL(str(library)).advance
        runs = {
            "numba": lambda x: advance(x, STEPS, tables, rows, work),
            "c": _caller(function, tables, ends),
        }
        seconds: dict[str, list[float]] = {name: [] for name in runs}
        results = {}
        for _ in range(rounds + 1):
            for name, run in runs.items():
                x = start.copy()
                begin = time.process_time()
                run(x)
                seconds[name].append(time.process_time() - begin)
                results[name] = x
    updates = STEPS * int(np.count_nonzero(tables.rate)) / 1e6
    rates = {name: updates / median(values[1:]) for name, values in seconds.items()}
    return {
        **rates,
        "ratio": rates["numba"] / rates["c"],
        "difference": float(np.abs(results["numba"] - results["c"]).max()),
    }


def _caller(function: Any, tables: Any, ends: Any) -> Any:
    slots = len(tables.rate)
    work, physics = np.zeros(8 * slots + 4), tables.physics[:4].ravel().copy()

    def pointer(array: Any) -> Any:
        return array.ctypes.data_as(ctypes.c_void_p)

    def run(x: Any) -> None:
        function(
            ctypes.c_size_t(slots),
            ctypes.c_size_t(STEPS),
            pointer(x),
            pointer(work),
            pointer(tables.rate),
            pointer(physics),
            pointer(ends),
            ctypes.c_size_t(len(ends)),
        )

    return run
