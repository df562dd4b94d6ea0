"""Roads, turning targets, time step and demand follow from the configuration."""

import numpy as np
import pytest

from validation_ch7.environment_config import Demand, EnvironmentConfig, Network, SideFlows, Solver
from validation_ch7.errors import ConfigurationError
from validation_ch7.traffic import Simulator, base_flows, build_layout, draw_arrivals
from validation_ch7.traffic.demand import phase_ratios
from validation_ch7.traffic.layout import next_road, substeps_per_decision


def test_single_intersection_has_four_entries_and_no_inner_road() -> None:
    layout = build_layout(EnvironmentConfig())
    assert layout.entries.tolist() == [0, 1, 2, 3]
    assert np.all(layout.tables.targets == -1)
    assert np.count_nonzero(layout.tables.rate) == 400


def test_turns_of_a_grid_lead_to_the_right_approaches() -> None:
    network = Network(rows=2, columns=2)
    north, south, east, west = 0, 1, 2, 3
    assert [next_road(network, 4 * 0 + north, turn) for turn in range(3)] == [4 * 1 + west, 4 * 2 + north, -1]
    assert [next_road(network, 4 * 3 + south, turn) for turn in range(3)] == [4 * 2 + east, 4 * 1 + south, -1]
    assert [next_road(network, 4 * 1 + east, turn) for turn in range(3)] == [4 * 3 + north, 4 * 0 + east, -1]
    assert [next_road(network, 4 * 2 + west, turn) for turn in range(3)] == [4 * 0 + south, 4 * 3 + west, -1]


def test_every_road_is_either_an_entry_or_fed_by_another() -> None:
    layout = build_layout(EnvironmentConfig(network=Network(rows=3, columns=4)))
    fed = set(layout.tables.targets.ravel().tolist()) - {-1}
    assert fed.isdisjoint(layout.entries.tolist())
    assert fed | set(layout.entries.tolist()) == set(range(48))


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("cell", [5.0, 10.0, 20.0])
def test_time_step_is_cfl_safe(cell: float, order: int) -> None:
    solver = Solver.model_validate({"order": order})
    config = EnvironmentConfig(network=Network(cell_length_m=cell), solver=solver)
    substeps, samples = substeps_per_decision(config)
    gap = 13.9 + 2 * 13.9 / 0.85**2
    assert substeps % samples == 0
    assert config.decision_s / substeps * gap <= 0.9 * cell


def test_saturated_demand_has_the_degree_of_saturation_asked_for() -> None:
    config = EnvironmentConfig(demand=Demand(degree_of_saturation=1.05, reference_cycle_s=80))
    layout = build_layout(config)
    need = sum(phase_ratios(config, layout, base_flows(config, layout)))
    assert need / (1 - 2 * 4 / 80) == pytest.approx(1.05)


PROFILES = ["constant", "peak", "step", "stochastic", "saturated", "platoons"]


@pytest.mark.parametrize("profile", PROFILES)
def test_demand_follows_its_seed(profile: str) -> None:
    config = EnvironmentConfig(demand=Demand.model_validate({"profile": profile}))
    layout = build_layout(config)
    flows = base_flows(config, layout)
    first, again, other = draw_arrivals(config, layout, flows, [np.random.default_rng(seed) for seed in (1, 1, 2)])
    alone = draw_arrivals(config, layout, flows, [np.random.default_rng(2)])[0]
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    assert np.array_equal(other, alone)


@pytest.mark.parametrize("profile", PROFILES)
def test_mean_arrivals_follow_the_profile(profile: str) -> None:
    demand = Demand.model_validate({"profile": profile, "spread": 0.0})
    config = EnvironmentConfig(horizon_s=36_000, demand=demand)
    layout = build_layout(config)
    flows = base_flows(config, layout)
    arrived = draw_arrivals(config, layout, flows, [np.random.default_rng(0)]).sum()
    factor = {"peak": 1.25, "step": 1 + 0.5 / 3}.get(profile, 1.0)
    assert arrived / (10 * flows.sum() * factor) == pytest.approx(1.0, abs=0.01)


def test_no_demand_at_all_is_allowed() -> None:
    config = EnvironmentConfig(demand=Demand(flow_veh_per_h=SideFlows(north=0, south=0, east=0, west=0)))
    assert base_flows(config, build_layout(config)).sum() == 0.0


def test_a_batch_needs_an_environment() -> None:
    with pytest.raises(ConfigurationError, match="at least one environment"):
        Simulator(EnvironmentConfig(), 0)


def test_state_of_another_configuration_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="array 'x' of the state"):
        Simulator(EnvironmentConfig(), 1).set_state(Simulator(EnvironmentConfig(), 2).get_state())


@pytest.mark.parametrize(
    ("name", "place", "value", "where"),
    [
        ("x", (0, 0, 5), -0.1, r"x \(occupancies \[-\]\)"),
        ("x", (0, 1, 5), np.nan, r"x \(occupancies \[-\]\)"),
        ("x", (0, slice(0, 2), 5), 0.7, r"x \(occupancies \[-\]\)"),
        ("x", (0, 2, 5), np.inf, r"occupancy times w \[m/s\]"),
        ("queue", (0, 0, 0), -1.0, r"vehicles outside \[veh\]"),
        ("signal", (0, 0, 0), 2, r"signal \(phase\)"),
        ("clock", (0,), -1, r"clock \(decisions\)"),
    ],
)
def test_a_state_that_no_road_can_have_is_refused(
    name: str, place: tuple[object, ...], value: float, where: str
) -> None:
    simulator = Simulator(EnvironmentConfig(), 1)
    state = simulator.get_state()
    state[name][place] = value
    with pytest.raises(ConfigurationError, match=where):
        simulator.set_state(state, from_outside=True)
    assert np.array_equal(simulator.x, np.zeros_like(simulator.x))
