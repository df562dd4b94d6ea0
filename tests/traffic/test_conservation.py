"""Vehicles are neither made nor lost, stay within the road, and do not pass a red light."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from validation_ch7.environment_config import Demand, EnvironmentConfig, Network, SideFlows, Signal, Solver
from validation_ch7.traffic import Simulator, start_episodes

GRID = EnvironmentConfig(network=Network(rows=2, columns=2, entry_length_m=300, spacing_m=200))


def loaded(config: EnvironmentConfig, seed: int = 0, size: int = 1) -> Simulator:
    simulator = Simulator(config, size)
    start_episodes(simulator, config, range(seed, seed + size))
    return simulator


def mass_error(simulator: Simulator, actions: np.ndarray) -> float:
    left = np.zeros((simulator.size, 2))
    for wanted in actions:
        simulator.step(np.broadcast_to(wanted, (simulator.size, simulator.layout.intersections)).astype(np.int64))
        left += simulator.measures[:, 4]
    arrived = simulator.arrivals[:, : len(actions)].sum(axis=(1, 2), dtype=np.float64)
    return float(np.max(np.abs(simulator.vehicles() + left - arrived) / arrived))


@pytest.mark.parametrize(
    "config",
    [EnvironmentConfig(), GRID, GRID.model_copy(update={"solver": Solver(order=2)})],
    ids=["intersection", "grid", "second order"],
)
def test_mass_is_balanced_to_1e12(config: EnvironmentConfig) -> None:
    actions = np.arange(config.steps_per_episode)[:, None] // 7 % 2
    assert mass_error(loaded(config), actions) < 1e-12


def test_red_lets_exactly_nothing_through() -> None:
    config = EnvironmentConfig(signal=Signal(phases=(("north", "south"), ("east", "west"), ()), min_green_s=0))
    simulator = loaded(config)
    simulator.step(np.array([[2]]))
    for _ in range(60):
        simulator.step(np.array([[2]]))
        assert np.all(simulator.measures[0, 4] == 0.0)
    assert simulator.x[0, :2].max() > 0.8


def test_yellow_and_all_red_are_closed_to_everyone() -> None:
    simulator = loaded(EnvironmentConfig(decision_s=1, signal=Signal(min_green_s=0)))
    for _ in range(150):
        simulator.step(np.array([[0]]))
    assert simulator.measures[0, 4].sum() > 0
    closed = []
    for _ in range(6):
        simulator.step(np.array([[1]]))
        closed.append(bool(np.all(simulator.measures[0, 4] == 0.0)))
    assert closed == [True] * 4 + [False] * 2


@settings(max_examples=15, deadline=None)
@given(
    st.lists(st.integers(0, 1), min_size=20, max_size=40),
    st.floats(0.0, 1.0),
    st.integers(0, 99),
    st.sampled_from([1, 2]),
)
def test_occupancy_stays_between_zero_and_one(phases: list[int], motorbikes: float, seed: int, order: int) -> None:
    network = Network(rows=1, columns=2, entry_length_m=100, spacing_m=60, cell_length_m=5)
    base = EnvironmentConfig(network=network, solver=Solver.model_validate({"order": order}))
    mix = base.traffic.model_copy(update={"motorbike_share": motorbikes})
    demand = Demand(profile="constant", flow_veh_per_h=SideFlows(north=5e3, south=3e3, east=6e3, west=6e3))
    simulator = loaded(base.model_copy(update={"traffic": mix, "demand": demand}), seed)
    for phase in phases:
        simulator.step(np.array([[phase, 1 - phase]]))
        assert np.isfinite(simulator.x).all() and simulator.x.min() >= 0.0
        assert simulator.x[0, :2].sum(axis=0).max() <= 1.0 + 1e-12
        assert simulator.queue.min() >= 0.0


def test_float32_keeps_vehicles_to_its_rounding_and_never_below_zero() -> None:
    config = EnvironmentConfig(solver=Solver(precision="float32"))
    simulator = loaded(config)
    assert mass_error(simulator, np.arange(config.steps_per_episode)[:, None] // 7 % 2) < 1e-3
    assert simulator.x.min() >= 0.0 and simulator.x[0, :2].sum(axis=0).max() <= 1.0 + 1e-5


def test_float32_follows_float64() -> None:
    double = EnvironmentConfig()
    single = double.model_copy(update={"solver": double.solver.model_copy(update={"precision": "float32"})})
    first, second = loaded(double), loaded(single)
    for step in range(60):
        wanted = np.array([[step // 6 % 2]])
        a, b = first.step(wanted), second.step(wanted)
    assert second.x.dtype == np.float32
    assert np.abs(a - b).max() < 1e-3


def test_empty_network_stays_empty() -> None:
    nobody = SideFlows(north=0, south=0, east=0, west=0)
    simulator = loaded(EnvironmentConfig(demand=Demand(flow_veh_per_h=nobody)))
    for _ in range(5):
        simulator.step(np.array([[0]]))
    assert simulator.vehicles().sum() == 0.0 and simulator.measures[0].sum() == 0.0


@pytest.mark.slow
def test_mass_is_balanced_over_a_million_substeps() -> None:
    network = Network(entry_length_m=100)
    config = EnvironmentConfig(horizon_s=86_400, network=network)
    simulator = loaded(config)
    arrived, left, decisions = 0.0, np.zeros(2), 34_000
    assert decisions * int(simulator.layout.tables.timing[0]) >= 10**6
    for step in range(decisions):
        if simulator.clock[0] == config.steps_per_episode:
            arrived += float(simulator.arrivals.sum())
            simulator.clock[:] = 0
        simulator.step(np.array([[step // 8 % 2]]))
        left += simulator.measures[0, 4]
    arrived += float(simulator.arrivals[0, : simulator.clock[0]].sum())
    assert abs(simulator.vehicles().sum() + left.sum() - arrived) / arrived < 1e-12
