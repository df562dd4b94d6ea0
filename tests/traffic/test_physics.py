"""The scheme against theory: Riemann problems, orders, signals, spillback, creeping."""

import math

import pytest

from validation_ch7.traffic import checks, riemann
from validation_ch7.traffic.compilation import fingerprint, fused
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


def test_kernel_compiles_where_nothing_can_be_cached() -> None:
    names: dict[str, object] = {}
    exec(compile("def fill(x): x[:] = 3", "<nowhere>", "exec"), names)  # noqa: S102
    values = riemann.np.zeros(2)
    fused(names["fill"])(values)  # type: ignore[arg-type]
    assert values.tolist() == [3, 3]


def test_a_standing_queue_does_not_diffuse_backwards() -> None:
    cells = 40
    density = riemann.np.where(riemann.np.arange(cells) < 20, 0.0, 1.0)
    after = riemann.Road(edges="red").solve(density, riemann.np.zeros(cells), 2.0)
    assert riemann.np.abs(after - density).max() < 1e-6
