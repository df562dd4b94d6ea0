"""The CUDA path equals the processor's within 1e-10 of a value; run on Numba's simulator of a device."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from validation_ch7.environment_config import EnvironmentConfig, Solver
from validation_ch7.errors import ConfigurationError
from validation_ch7.traffic import cuda, make_simulator

COMPARE = """
import numpy as np
from validation_ch7.environment_config import EnvironmentConfig, Network, Signal
from validation_ch7.traffic import Simulator, base_flows, draw_arrivals
from validation_ch7.traffic.cuda import CudaSimulator

config = EnvironmentConfig(
    decision_s=1, horizon_s=60, signal=Signal(min_green_s=1, yellow_s=1),
    network=Network(columns={columns}, entry_length_m=30, spacing_m=30),
)
pair = Simulator(config, {rows}), CudaSimulator(config, {rows}, threads=5)
flows = base_flows(config, pair[0].layout) * 20
arrivals = draw_arrivals(config, pair[0].layout, flows, [np.random.default_rng(row) for row in range({rows})])
for simulator in pair:
    simulator.restart(range({rows}), arrivals)
for step in range({steps}):
    wanted = np.full(({rows}, {columns}), step // 3 % 2)
    wanted[1] = 0 if step != 2 else -1
    first, second = (simulator.step(wanted) for simulator in pair)
    assert np.abs(first - second).max() < 1e-6, (step, first, second)
    assert np.allclose(pair[0].measures, pair[1].measures, rtol=1e-10, atol=1e-12)
    if step == 2:
        pair[1].set_state(pair[1].get_state())
assert np.allclose(pair[0].x, pair[1].x, rtol=1e-10, atol=1e-12)
assert np.allclose(pair[0].queue, pair[1].queue, rtol=1e-10, atol=1e-12)
assert pair[0].clock.tolist() == pair[1].clock.tolist()
print("equal", pair[0].vehicles().sum())
"""


def run(script: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    path = [str(Path(__file__).parents[2]), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {**os.environ, **variables, "PYTHONPATH": os.pathsep.join(path)}
    return subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(("columns", "steps"), [(1, 4), pytest.param(2, 12, marks=pytest.mark.slow)])
def test_simulated_device_equals_the_processor(columns: int, steps: int) -> None:
    done = run(COMPARE.format(rows=2, columns=columns, steps=steps), NUMBA_ENABLE_CUDASIM="1")
    assert done.stdout.startswith("equal"), done.stderr


def test_missing_device_is_said() -> None:
    if cuda.available():
        pytest.skip("there is a CUDA device here, so nothing is missing")
    with pytest.raises(ConfigurationError, match="cannot be simulated on a CUDA device"):
        make_simulator(EnvironmentConfig(solver=Solver(device="cuda")), 1)


def test_second_order_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="order 2"):
        cuda.CudaSimulator(EnvironmentConfig(solver=Solver(order=2)), 1)


def test_real_device_equals_the_processor() -> None:
    if not cuda.available():
        pytest.skip("no CUDA device found: the CUDA path was compared on Numba's simulator only")
    done = run(COMPARE.format(rows=64, columns=2, steps=30))
    assert done.stdout.startswith("equal"), done.stderr
