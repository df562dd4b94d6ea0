"""Delay, queues, stops and travel time against cases worked out by hand."""

import numpy as np
import pytest

from validation_ch7.environment_config import EnvironmentConfig, Network, Turning
from validation_ch7.traffic import Simulator, summarise
from validation_ch7.traffic.checks import ALL_RED, NORTH_SOUTH, hold, one_way

DELAY, TIME, QUEUE, STOPS, EXITS, QUEUE_MAX, OVERALL = range(7)


def standing(cars: float, config: EnvironmentConfig) -> Simulator:
    """Return cars that stand at jam occupancy behind the northern stop line."""
    simulator = Simulator(config, 1)
    last = simulator.layout.tables.links[0, 1]
    cells = round(cars / (0.85 * simulator.layout.vehicles[1, last - 1]))
    simulator.x[0, 1, last - cells : last] = 0.85
    simulator.x[0, 3, last - cells : last] = 0.85 * 13.9
    return simulator


def test_standing_cars_lose_all_their_time_and_stop_only_once() -> None:
    # 0.85 * 20 m / 6.4 m = 2.65625 cars in a cell of two lanes; 4 cells hold 10.625
    simulator = standing(10.625, one_way(0))
    assert simulator.vehicles()[0].tolist() == pytest.approx([0.0, 10.625])
    simulator.step(np.array([[ALL_RED]]))
    measured = simulator.measures[0, :, 1]
    assert measured[[DELAY, TIME, QUEUE, QUEUE_MAX]] == pytest.approx(10.625, rel=1e-3)
    assert measured[STOPS] == pytest.approx(0.0, abs=0.02) and measured[EXITS] == 0.0
    assert simulator.measures[0, OVERALL, 0] == pytest.approx(10.625, rel=1e-3)


def test_a_platoon_stops_once_at_red() -> None:
    # a cell counts once it is slow; those who enter it before that are missed
    simulator = Simulator(one_way(0), 1)
    simulator.queue[0, 0, 1] = 6.0
    stops = 0.0
    for _ in range(200):
        simulator.step(np.array([[ALL_RED]]))
        stops += float(simulator.measures[0, STOPS, 1])
    assert stops == pytest.approx(6.0, rel=0.15)


def test_vehicles_outside_wait_and_are_delayed() -> None:
    simulator = standing(0.85 * 100 * 20 / 6.4, one_way(0))
    simulator.queue[0, 0] = 3.0, 4.0
    simulator.x[0, 0] = np.where(simulator.x[0, 1] > 0, 0.15, 0.0)
    simulator.step(np.array([[ALL_RED]]))
    assert simulator.queue[0, 0].tolist() == pytest.approx([3.0, 4.0], abs=0.05)
    assert simulator.measures[0, DELAY, 0] >= 2.9 and simulator.measures[0, DELAY, 1] >= 3.9


def test_undisturbed_traffic_has_no_delay_worth_naming() -> None:
    simulator = Simulator(one_way(0), 1)
    simulator.queue[0, 0] = 0.01, 0.01
    spent = np.zeros((7, 2))
    for _ in range(120):
        simulator.step(np.array([[NORTH_SOUTH]]))
        spent += simulator.measures[0]
    assert spent[EXITS].sum() == pytest.approx(0.02, rel=1e-6)
    assert spent[DELAY].sum() < 0.02 * spent[TIME].sum() and spent[STOPS].sum() == 0.0


def test_summary_divides_by_those_who_arrived() -> None:
    simulator = Simulator(one_way(0), 1)
    simulator.arrivals[0, :10, 0] = 1, 3
    hold(simulator, [ALL_RED], 10)
    totals = np.zeros((1, 7, 2))
    totals[0, [DELAY, TIME, QUEUE, STOPS]] = (50, 60), (100, 120), (10, 20), (5, 15)
    (summary,) = summarise(totals, simulator, [0])
    assert summary["arrived_veh"] == 40.0 and summary["mean_delay_s"] == pytest.approx(110 / 40)
    assert summary["travel_time_s_car"] == pytest.approx(120 / 30)
    assert summary["queue_mean_veh"] == pytest.approx(3.0) and summary["stops_per_veh_motorbike"] == pytest.approx(0.5)
    assert summary["residual_veh"] == pytest.approx(40.0)


def test_a_flow_divides_by_its_turning_ratios() -> None:
    turning = Turning(left=0.2, through=0.5, right=0.3)
    network = Network(rows=2, columns=2, entry_length_m=200, spacing_m=200, turning_north_south=turning)
    simulator = Simulator(EnvironmentConfig(network=network), 1)
    links, north_of_first, west_of_second, north_of_third = simulator.layout.tables.links, 0, 7, 8
    simulator.queue[0, links[north_of_first, 2]] = 1.0, 2.0
    left_network = np.zeros(2)
    for _ in range(60):  # the second light holds the left turn, the third those who go through; the right turn leaves
        simulator.step(np.array([[0, 0, 1, 0]]))
        left_network += simulator.measures[0, EXITS]
    present = simulator.x[0, :2] * simulator.layout.vehicles
    for road, share in ((west_of_second, turning.left), (north_of_third, turning.through)):
        assert present[:, slice(*links[road, :2])].sum(axis=1) == pytest.approx([share, 2 * share], rel=1e-9)
    assert left_network == pytest.approx([turning.right, 2 * turning.right], rel=1e-9)
