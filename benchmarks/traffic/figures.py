"""Single figures of our own simulator: state copies, first step, look-ahead, cost as networks and batches grow."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from validation_ch7.control import LookAhead, MaxPressure
from validation_ch7.environment import TrafficEnv
from validation_ch7.environment_config import EnvironmentConfig, Network
from validation_ch7.traffic import Simulator, start_episodes

FIRST_STEP = """
import time
start = time.perf_counter()
import numpy as np
from validation_ch7.environment_config import EnvironmentConfig
from validation_ch7.traffic import Simulator
Simulator(EnvironmentConfig(), 1).step(np.zeros((1, 1), np.int64))
print(time.perf_counter() - start)
"""


def seconds_of(function: Callable[[], Any], repeat: int = 30) -> float:
    """Return the median processor time of a call [s]."""
    times = []
    for _ in range(repeat):
        start = time.process_time()
        function()
        times.append(time.process_time() - start)
    return median(times)


def loaded(config: EnvironmentConfig, size: int) -> Simulator:
    """Return a batch that has run for some minutes."""
    simulator = Simulator(config, size)
    start_episodes(simulator, config, range(size))
    for _ in range(60):
        simulator.step(MaxPressure().decide(simulator))
    return simulator


def state_copy_s() -> float:
    """Return the time to copy one environment's complete state and to put it back [s]."""
    simulator = loaded(EnvironmentConfig(), 1)
    return seconds_of(lambda: simulator.set_state(simulator.get_state()), 2000)


def environment_copy_s() -> float:
    """Return the same for the wrapped environment, whose state has the demand's generator and totals as well [s]."""
    env = TrafficEnv()
    env.reset(seed=0)
    for _ in range(60):
        env.step(env.action_space.sample())
    return seconds_of(lambda: env.set_state(env.get_state()), 2000)


def first_step_s() -> float:
    """Return the time from import to the end of the first step in a new process, compiled code cached [s]."""
    root = Path(__file__).parents[2]
    times = [
        float(subprocess.run([sys.executable, "-c", FIRST_STEP], cwd=root, capture_output=True, check=True).stdout)
        for _ in range(4)
    ]
    return median(times[1:])


def oracle_s(depth: int = 10) -> float:
    """Return the time of one exhaustive look-ahead decision [s]."""
    config = EnvironmentConfig()
    simulator, oracle = loaded(config, 1), LookAhead(config, depth)
    oracle.decide(simulator)
    return seconds_of(lambda: oracle.decide(simulator), 5)


def scaling() -> list[dict[str, float]]:
    """Return the cost of a cell update as roads get longer, networks and batches larger."""
    cases = [(1, 1, 250.0, 16), (1, 1, 1000.0, 16), (1, 1, 4000.0, 16), (1, 4, 500.0, 16), (4, 4, 500.0, 16)]
    cases += [(1, 1, 1000.0, size) for size in (1, 64, 1024)]
    rows = []
    for height, width, length, size in cases:
        config = EnvironmentConfig(network=Network(rows=height, columns=width, entry_length_m=length))
        simulator = loaded(config, size)
        wanted = np.zeros((size, height * width), np.int64)

        def step(simulator: Simulator = simulator, wanted: Any = wanted) -> None:
            simulator.clock[:] = 60
            simulator.step(wanted)

        tables = simulator.layout.tables
        cells = int(np.count_nonzero(tables.rate))
        spent = seconds_of(step, 10 if size > 100 else 60)
        rows.append(
            {
                "intersections": height * width,
                "cells": cells,
                "environments": size,
                "us_per_environment_step": spent / size * 1e6,
                "ns_per_cell_update": spent / (size * cells * int(tables.timing[0])) * 1e9,
            }
        )
    return rows
