"""Each controller decides a hand-computed case as its source says, and none beats the look-ahead."""

import itertools

import numpy as np
import pytest

from validation_ch7.control import (
    CONTROLLERS,
    Actuated,
    AllRed,
    FixedTime,
    Greedy,
    LookAhead,
    MaxPressure,
    RandomPhase,
    Sotl,
    make_controller,
    mean_delay_s,
    search_fixed_time,
    simulate,
    webster,
)
from validation_ch7.control.plans import webster_greens
from validation_ch7.control.pressure import pressures
from validation_ch7.environment import make_vec_env
from validation_ch7.environment_config import Demand, EnvironmentConfig, Network, SideFlows, Signal
from validation_ch7.errors import ConfigurationError
from validation_ch7.traffic import Simulator, start_episodes

CONFIG = EnvironmentConfig()
ALL_RED = EnvironmentConfig(signal=Signal(phases=(("north", "south"), ("east", "west"), ())))
NORTH, SOUTH, EAST, WEST = range(4)


def put_cars(simulator: Simulator, road: int, cars: float, cells: int = 3) -> None:
    """Spread cars over the last cells before a stop line."""
    last = simulator.layout.tables.links[road, 1]
    each = simulator.layout.vehicles[1, last - 1] * cells
    simulator.x[0, 1, last - cells : last] = cars / each


def test_webster_example_by_hand() -> None:
    # L = 8 s, Y = 0.7: C = (12 + 5) / 0.3 = 56.67 s; greens 48.67 * 4/7 and 48.67 * 3/7
    assert webster_greens([0.4, 0.3], 8.0) == pytest.approx((27.8095, 20.8571), rel=1e-4)
    assert sum(webster_greens([0.6, 0.6], 8.0)) == pytest.approx(112.0)


def test_webster_plan_follows_the_demand() -> None:
    # cars only, 3200 pcu/h of saturation flow: y = 800 / 3200 and 640 / 3200, C = 17 / 0.55
    flows = SideFlows(north=800, south=100, east=640, west=10)
    demand = Demand(profile="constant", flow_veh_per_h=flows)
    config = EnvironmentConfig(demand=demand, traffic=CONFIG.traffic.model_copy(update={"motorbike_share": 0.0}))
    assert webster(config).cycle_s == pytest.approx(17 / 0.55)
    assert webster(config).green_s[0] / webster(config).green_s[1] == pytest.approx(800 / 640)


def test_fixed_time_windows_by_hand() -> None:
    simulator = Simulator(EnvironmentConfig(network=Network(columns=2)), 1)
    plan = FixedTime((16.0, 11.0), 4.0, offset_s=10.0)
    wanted = []
    for step in range(8):
        simulator.clock[:] = step
        wanted.append(plan.decide(simulator)[0].tolist())
    # cycle 35 s: phase 0 for 20 s, phase 1 for 15 s; the second intersection 10 s later
    assert [pair[0] for pair in wanted] == [0, 0, 0, 0, 1, 1, 1, 0]
    assert [pair[1] for pair in wanted] == [1, 1, 0, 0, 0, 0, 1, 1]


@pytest.mark.parametrize("greens", [(), (0.0, 0.0), (10.0, -1.0)])
def test_plan_without_greens_is_refused(greens: tuple[float, ...]) -> None:
    with pytest.raises(ConfigurationError, match="needs greens"):
        FixedTime(greens, 4.0)


def test_greedy_takes_the_fuller_phase_and_keeps_among_equals() -> None:
    simulator = Simulator(CONFIG, 1)
    assert Greedy().decide(simulator).tolist() == [[0]]
    put_cars(simulator, NORTH, 3.0)
    put_cars(simulator, EAST, 2.0)
    put_cars(simulator, WEST, 2.0)
    assert Greedy().decide(simulator).tolist() == [[1]]
    put_cars(simulator, SOUTH, 1.0)
    assert Greedy().decide(simulator).tolist() == [[0]]


def test_pressure_subtracts_what_lies_beyond() -> None:
    simulator = Simulator(EnvironmentConfig(network=Network(columns=2)), 1)
    put_cars(simulator, WEST, 8.0)
    put_cars(simulator, 4 + WEST, 10.0)
    # of the 8 that come from the west, 0.7 go straight on to where 10 stand: 8 - 0.7 * 10 = 1
    assert pressures(simulator, 150.0)[0, WEST] == pytest.approx(1.0)
    put_cars(simulator, NORTH, 2.0)
    # from the north, 0.15 turn left to the same road: 2 - 1.5 = 0.5
    assert pressures(simulator, 150.0)[0, NORTH] == pytest.approx(0.5)


def test_max_pressure_changes_only_when_the_lost_time_is_repaid() -> None:
    simulator = Simulator(CONFIG, 1)
    put_cars(simulator, NORTH, 10.0)
    # least green 10 s, intergreen 4 s: the other phase must exceed 1.4 times 10
    put_cars(simulator, EAST, 13.9)
    assert MaxPressure().decide(simulator).tolist() == [[0]]
    put_cars(simulator, EAST, 14.1)
    assert MaxPressure().decide(simulator).tolist() == [[1]]


def test_actuated_extends_ends_at_a_gap_and_at_the_greatest_green() -> None:
    simulator, controller = Simulator(CONFIG, 1), Actuated(gap_s=2.0, zone_m=40.0, max_green_s=50.0)
    put_cars(simulator, EAST, 1.0)
    # a headway of 2 s at 13.9 m/s is one car in 27.8 m: 2.88 cars on two lanes of 40 m
    put_cars(simulator, NORTH, 3.0)
    assert controller.decide(simulator).tolist() == [[0]]
    put_cars(simulator, NORTH, 2.8)
    assert controller.decide(simulator).tolist() == [[1]]
    put_cars(simulator, NORTH, 3.0)
    simulator.signal[0, 0, 2] = round(50 / simulator.layout.time_step_s)
    assert controller.decide(simulator).tolist() == [[1]]


def test_actuated_rests_in_green_when_nobody_waits() -> None:
    assert Actuated().decide(Simulator(CONFIG, 1)).tolist() == [[0]]


def test_sotl_changes_when_enough_vehicle_seconds_have_gathered() -> None:
    simulator, controller = Simulator(CONFIG, 1), Sotl(threshold_veh_s=60.0)
    simulator.signal[0, 0, 2] = 1000
    put_cars(simulator, EAST, 5.0)
    # 5 vehicles for 5 s a decision: 25, 50, 75 >= 60
    decided = []
    for clock in range(1, 4):
        simulator.clock[:] = clock
        decided.append(int(controller.decide(simulator)[0, 0]))
    assert decided == [0, 0, 1]


def test_sotl_lets_a_small_platoon_finish_crossing() -> None:
    simulator, controller = Simulator(CONFIG, 1), Sotl(threshold_veh_s=1.0)
    simulator.signal[0, 0, 2] = 1000
    simulator.clock[:] = 1
    put_cars(simulator, EAST, 5.0)
    put_cars(simulator, NORTH, 0.8)
    assert controller.decide(simulator).tolist() == [[0]]
    put_cars(simulator, NORTH, 0.0)
    assert controller.decide(simulator).tolist() == [[1]]


def test_random_repeats_with_its_generator_and_uses_all_phases() -> None:
    simulator = Simulator(CONFIG, 50)
    first, again = (RandomPhase(np.random.default_rng(3)).decide(simulator) for _ in range(2))
    assert np.array_equal(first, again) and set(first.ravel().tolist()) == {0, 1}


def test_all_red_stops_everyone_and_needs_an_empty_phase() -> None:
    assert simulate(ALL_RED, AllRed(), [0])[0]["throughput_veh"] == 0.0
    with pytest.raises(ConfigurationError, match="red for everyone"):
        AllRed().decide(Simulator(CONFIG, 1))


def test_lookahead_finds_the_sequence_that_plain_enumeration_finds() -> None:
    config = EnvironmentConfig(horizon_s=300, signal=Signal(min_green_s=5))
    simulator = Simulator(config, 1)
    start_episodes(simulator, config, [1])
    for _ in range(30):
        simulator.step(np.array([[0]]))
    state, copy = simulator.get_state(), Simulator(config, 1)
    costs = []
    for sequence in itertools.product((0, 1), repeat=4):
        copy.set_state(state)
        costs.append(0.0)
        for phase in sequence:
            copy.step(np.array([[phase]]))
            costs[-1] += float(copy.measures[0, 0].sum())
    oracle = LookAhead(config, depth=4)
    tried = oracle.search(simulator, np.array([0]), 4)
    for phase, part in ((0, costs[:8]), (1, costs[8:])):
        assert tried.delay[tried.first == phase].min() == pytest.approx(min(part), rel=1e-12)
    assert len(tried.delay) < 16
    assert oracle.decide(simulator).tolist() == [[int(np.argmin(costs)) // 8]]
    assert all(np.array_equal(simulator.get_state()[name], state[name]) for name in state)


def test_lookahead_decides_each_row_as_if_it_were_alone() -> None:
    config = EnvironmentConfig(horizon_s=100)
    batch = Simulator(config, 3)
    start_episodes(batch, config, range(3))
    for _ in range(12):
        wanted = LookAhead(config, depth=6).decide(batch)
        for row in range(3):
            alone = Simulator(config, 1)
            alone.set_state({name: array[row : row + 1] for name, array in batch.get_state().items()})
            assert LookAhead(config, depth=6).decide(alone)[0] == wanted[row]
        batch.step(wanted)


def test_lookahead_refuses_what_it_cannot_enumerate() -> None:
    with pytest.raises(ConfigurationError, match="too many sequences"):
        LookAhead(CONFIG, depth=40)
    with pytest.raises(ConfigurationError, match="one intersection"):
        LookAhead(EnvironmentConfig(network=Network(columns=2)))


def test_every_name_makes_a_controller_and_others_are_refused() -> None:
    short = ALL_RED.model_copy(update={"horizon_s": 60.0})
    for name in CONTROLLERS:
        if name != "lookahead":
            assert simulate(short, make_controller(name, short), [0])[0]["arrived_veh"] > 0
    with pytest.raises(ConfigurationError, match="no such controller"):
        make_controller("police", short)


def test_controllers_rank_as_expected_near_saturation() -> None:
    seeds = range(100, 104)
    delay = {name: mean_delay_s(CONFIG, make_controller(name, CONFIG), seeds) for name in ("actuated", "random")}
    delay["max"] = mean_delay_s(CONFIG, MaxPressure(), seeds)
    delay["oracle"] = mean_delay_s(CONFIG, LookAhead(CONFIG, depth=6), seeds[:1])
    assert delay["actuated"] < delay["random"] and delay["max"] < delay["random"]
    assert delay["oracle"] < mean_delay_s(CONFIG, MaxPressure(), seeds[:1])


def test_search_returns_the_best_of_its_grid() -> None:
    plan = search_fixed_time(CONFIG, range(2), greens_s=(10, 30))
    others = [FixedTime(greens, 4.0) for greens in itertools.product((10, 30), repeat=2)]
    assert mean_delay_s(CONFIG, plan, range(2)) == min(mean_delay_s(CONFIG, other, range(2)) for other in others)


def test_simulated_demand_is_that_of_the_environment() -> None:
    env = make_vec_env(CONFIG, [4])
    env.reset()
    controller = MaxPressure()
    for _ in range(CONFIG.steps_per_episode):
        infos = env.step(controller.decide(env.batch.simulator)[:, 0])[3]
    assert infos[0]["traffic"] == simulate(CONFIG, MaxPressure(), [4])[0]
