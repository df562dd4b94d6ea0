"""The scheme against theory: Riemann problems, orders, signals, spillback, creeping."""

import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from validation_ch7.environment_config import EnvironmentConfig
from validation_ch7.traffic import build_layout, checks, make_simulator, riemann, vectors
from validation_ch7.traffic.compilation import fingerprint, fused
from validation_ch7.traffic.flow import relax_and_wave
from validation_ch7.traffic.second_order import limited, speeds_at

TARGETS = {"shock + contact": 8.9e-3, "rarefaction + contact": 5.7e-3, "contact": 3.3e-2, "vacuum": 8.4e-3}


@pytest.mark.parametrize("problem", riemann.PROBLEMS, ids=lambda problem: problem.name)
def test_riemann_errors_are_small_and_fall(problem: riemann.Problem) -> None:
    coarse, fine = (riemann.riemann_error(problem, cells) for cells in (100, 200))
    assert fine <= TARGETS[problem.name]
    assert fine < 0.75 * coarse
    assert riemann.riemann_error(problem, 200, order=2) < 0.8 * fine


def test_red_light_makes_the_exact_jam() -> None:
    jam, shock, mass = riemann.red_light_error(riemann.red_light(0.3, 0.6, 1.2), 100)
    assert max(jam, shock, mass) < 1e-13


@pytest.mark.parametrize(("order", "least"), [(1, 0.95), (2, 1.9)])
def test_order_is_reached_where_the_solution_is_smooth(order: int, least: float) -> None:
    coarse, fine = (riemann.smooth_error(cells, order) for cells in (40, 80))
    assert math.log2(coarse / fine) > least


@pytest.mark.parametrize("check", checks.CHECKS, ids=lambda check: check.__name__)
def test_network_does_what_theory_says(check: object) -> None:
    found = check()  # type: ignore[operator]
    for one in found if isinstance(found, tuple) else (found,):
        assert one.passed, f"{one.quantity}: {one.value} instead of {one.expected}"


def test_fingerprint_tells_functions_apart() -> None:
    assert fingerprint([limited]) == fingerprint([limited])
    assert fingerprint([limited]) != fingerprint([speeds_at])


def test_fingerprint_knows_what_lies_beneath_the_functions(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    before = fingerprint([limited])
    changed = tmp_path / "vectors.py"
    changed.write_bytes(Path(vectors.__file__).read_bytes().replace(b"fadd", b"fsub"))
    monkeypatch.setattr(vectors, "__file__", str(changed))
    assert fingerprint([limited]) != before


def test_kernel_compiles_where_nothing_can_be_cached() -> None:
    names: dict[str, object] = {}
    exec(compile("def fill(x): x[:] = 3", "<nowhere>", "exec"), names)  # noqa: S102
    values = np.zeros(2)
    fused(names["fill"])(values)  # type: ignore[arg-type]
    assert values.tolist() == [3, 3]


_LOOK = """
from tests.traffic.test_physics import one_step
from validation_ch7.traffic.kernel import ADVANCE
one_step()
print(sum(ADVANCE[1].stats.cache_hits.values()), sum(ADVANCE[1].stats.cache_misses.values()))
"""


def one_step() -> None:
    simulator = make_simulator(EnvironmentConfig(), 1)
    simulator.step(np.zeros((1, 1), np.int64))


def test_the_next_process_finds_the_machine_code_of_this_one() -> None:
    one_step()
    found = subprocess.run([sys.executable, "-c", _LOOK], cwd=Path(__file__).parents[2], capture_output=True, text=True)
    assert (found.stdout.strip(), found.stderr) == ("1 0", "")


def test_a_standing_queue_does_not_diffuse_backwards() -> None:
    cells = 40
    density = np.where(np.arange(cells) < 20, 0.0, 1.0)
    after = riemann.Road(edges="red").solve(density, np.zeros(cells), 2.0)
    assert np.abs(after - density).max() < 1e-6


def test_wave_bounds_hold_the_spectrum_of_both_classes_together() -> None:
    physics = build_layout(EnvironmentConfig()).tables.physics.copy()
    physics[3] = 0.0  # no relaxation
    random, count = np.random.default_rng(0), 500
    occupancy = random.uniform(0.02, 0.48, (2, count))
    speeds = random.uniform(0.0, 13.0, (2, count))
    pressure = physics[1][:, None] * occupancy.sum(axis=0) ** 2
    w = np.minimum(speeds + pressure, physics[0][:, None])
    x = np.concatenate((occupancy, occupancy * w))
    found, wave = np.zeros((2, count)), np.zeros((2, count))
    relax_and_wave(x, found, wave, physics)
    moving = (w - pressure).min(axis=0) > 0.0
    spectra = np.array([np.linalg.eigvals(_jacobian(state, physics)) for state in x.T[moving]])
    low, high = wave[:, moving]
    assert moving.sum() > 100 and np.abs(spectra.imag).max() < 1e-4
    assert (low <= spectra.real.min(axis=1) + 1e-5).all() and (spectra.real.max(axis=1) <= high + 1e-5).all()
    total = occupancy.sum(axis=0)[moving]
    alone = (found - 2 * physics[1][:, None] * occupancy.sum(axis=0) * occupancy)[:, moving].min(axis=0)
    assert total.size and np.mean(spectra.real.min(axis=1) < alone - 1e-3) > 0.5  # each class by itself is not enough


def _jacobian(state: np.ndarray, physics: np.ndarray) -> np.ndarray:
    def flux(x: np.ndarray) -> np.ndarray:
        speeds = x[2:] / x[:2] - physics[1] * x[:2].sum() ** 2
        return np.concatenate((x[:2] * speeds, x[2:] * speeds))

    steps = 1e-6 * np.eye(4)
    return np.stack([(flux(state + step) - flux(state - step)) / 2e-6 for step in steps], axis=1)
