"""What theory says a signalised network does, measured on the simulator: one :class:`Check` each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from validation_ch7.environment_config import Demand, EnvironmentConfig, Network, SideFlows, Signal, TrafficMix, Turning
from validation_ch7.traffic import flow
from validation_ch7.traffic.arrays import Array
from validation_ch7.traffic.demand import start_episodes
from validation_ch7.traffic.layout import build_layout
from validation_ch7.traffic.riemann import PROBLEMS, Road
from validation_ch7.traffic.simulator import Simulator

NORTH_SOUTH, EAST_WEST, ALL_RED = 0, 1, 2
SIGNAL = Signal(phases=(("north", "south"), ("east", "west"), ()), min_green_s=0)
STRAIGHT = Turning(left=0, through=1, right=0)


@dataclass(frozen=True)
class Check:
    """One measured quantity beside what theory says.

    Attributes:
        name: what is checked.
        quantity: what is measured, with its unit.
        value: the measurement.
        expected: the theory.
        tolerance: greatest absolute difference that passes.
    """

    name: str
    quantity: str
    value: float
    expected: float
    tolerance: float

    @property
    def passed(self) -> bool:
        """Whether the measurement agrees.

        >>> Check("a", "b [m]", 1.05, 1.0, 0.1).passed
        True
        """
        return bool(abs(self.value - self.expected) <= self.tolerance)


def one_way(north: float, motorbikes: float = 0.0, **network: object) -> EnvironmentConfig:
    """Return a network with traffic from the north only, level demand and decisions every second.

    Args:
        north: demand [veh/h].
        motorbikes: their share [-].
        network: further settings of :class:`~validation_ch7.environment_config.Network`.
    """
    flows = SideFlows(north=north, south=0, east=0, west=0)
    return EnvironmentConfig(
        decision_s=1,
        horizon_s=900,
        network=Network.model_validate({"turning_north_south": STRAIGHT, **network}),
        demand=Demand(profile="constant", flow_veh_per_h=flows),
        traffic=TrafficMix(motorbike_share=motorbikes),
        signal=SIGNAL,
    )


def with_arrivals(config: EnvironmentConfig, seed: int = 0) -> Simulator:
    """Return one environment of a configuration with the arrivals of a seed."""
    simulator = Simulator(config, 1)
    start_episodes(simulator, config, [seed])
    return simulator


def hold(simulator: Simulator, phases: list[int], decisions: int) -> Array:
    """Keep the given phases for a number of decisions; return the exits of each, (decisions, 2) [veh]."""
    exits = np.zeros((decisions, 2))
    for step in range(decisions):
        simulator.step(np.array([phases]))
        exits[step] = simulator.measures[0, 4]
    return exits


def conservation() -> Check:
    """Vehicles that arrived are outside, on the roads, or gone."""
    simulator = with_arrivals(EnvironmentConfig(network=Network(rows=2, columns=2), horizon_s=1800))
    left = sum(hold(simulator, [step // 7 % 2] * 4, 1).sum() for step in range(360))
    arrived = float(simulator.arrivals.sum())
    return Check(
        "conservation",
        "mass error, 2 x 2 grid [-]",
        abs(simulator.vehicles().sum() + left - arrived) / arrived,
        0,
        1e-12,
    )


def red_light() -> Check:
    """Nothing passes a red light."""
    simulator = with_arrivals(one_way(2000, motorbikes=0.5))
    hold(simulator, [ALL_RED], 5)
    return Check("red light", "flow over 300 s [veh]", float(hold(simulator, [ALL_RED], 300).sum()), 0, 0)


def fundamental_diagram() -> Check:
    """Uniform traffic relaxes to V(r) as exp(-t / tau), whatever the time step."""
    layout = build_layout(EnvironmentConfig())
    physics, dt = layout.tables.physics, layout.time_step_s
    x = np.zeros((4, 99))
    x[0], x[1] = np.linspace(0.001, 0.35, 99), np.linspace(0.001, 0.45, 99)
    r = x[0] + x[1]
    v, wave = np.zeros((2, 99)), np.zeros((2, 99))
    equilibrium = physics[0][:, None] * np.maximum(1.0 - r * physics[2][:, None], 0.0)
    start = 0.5 * equilibrium
    x[2:] = x[:2] * (start + physics[1][:, None] * r * r)
    for _ in range(60):
        flow.relax_and_wave(x, v, wave, physics)
    expected = equilibrium + (start - equilibrium) * (1.0 - physics[3][:, None]) ** 60
    return Check(
        "fundamental diagram",
        f"speed after {60 * dt:g} s, greatest error [m/s]",
        float(np.abs(v - expected).max()),
        0,
        1e-10,
    )


def discharge() -> Check:
    """A queue of cars discharges at the saturation flow."""
    config = one_way(3000)
    simulator = with_arrivals(config)
    hold(simulator, [ALL_RED], 120)
    hold(simulator, [NORTH_SOUTH], 20)
    per_hour_lane = hold(simulator, [NORTH_SOUTH], 30).sum() / 30 * 3600 / config.network.lanes_north_south
    return Check(
        "queue discharge",
        "outflow [pcu/h per lane]",
        float(per_hour_lane),
        config.network.saturation_flow_pcu_per_h_lane,
        1.0,
    )


def free_flow() -> Check:
    """A hundredth of a car, which meets no one, takes length over free speed."""
    config = one_way(0)
    simulator = Simulator(config, 1)
    simulator.queue[0, 0, 1] = 0.01
    spent = 0.0
    for _ in range(300):
        simulator.step(np.array([[NORTH_SOUTH]]))
        spent += float(simulator.measures[0, 1].sum()) / 0.01
    expected = config.network.entry_length_m / config.traffic.car.free_speed_m_s
    return Check("free-flow travel time", "1000 m [s]", spent, expected, 0.01 * expected)


def spillback() -> tuple[Check, Check]:
    """A road that is full to its jam density takes nothing more, though the light before it is green."""
    config = one_way(3000, rows=2, spacing_m=200.0)
    simulator = with_arrivals(config)
    hold(simulator, [NORTH_SOUTH, EAST_WEST], 600)
    inner = simulator.roads[0, 4, 1, 1]
    hold(simulator, [NORTH_SOUTH, EAST_WEST], 60)
    car = config.traffic.car
    storage = 200.0 * config.network.lanes_north_south * car.jam_occupancy / car.length_m
    return (
        Check("spillback: storage", "cars on the road between [veh]", float(inner), storage, 0.02 * storage),
        Check("spillback: inflow", "in the next 60 s [veh]", float(simulator.roads[0, 4, 1, 1] - inner), 0, 0.01),
    )


def creeping() -> tuple[Check, Check]:
    """Motorbikes seep through standing cars to the stop line; the cars stay."""
    config = one_way(0)
    simulator = Simulator(config, 1)
    slots = slice(*simulator.layout.tables.links[0, :2])
    vmax = simulator.layout.tables.physics[0]
    cars, bikes = np.zeros(100), np.zeros(100)
    cars[50:], bikes[40:50] = config.traffic.car.jam_occupancy, 0.2
    simulator.x[0, :2, slots] = bikes, cars
    simulator.x[0, 2, slots] = bikes * vmax[0]
    simulator.x[0, 3, slots] = cars * vmax[1]
    centre = float((np.arange(100) * cars).sum() / cars.sum())
    hold(simulator, [ALL_RED], 600)
    after = simulator.x[0, :2, slots]
    moved = float((np.arange(100) * after[1]).sum() / after[1].sum()) - centre
    ahead = float(after[0, 50:].sum() / after[0].sum())
    return (
        Check("creeping: motorbikes", "share that has passed the last car after 600 s [-]", ahead, 1.0, 0.1),
        Check("creeping: cars", "distance moved meanwhile [m]", moved * config.network.cell_length_m, 0.0, 1.0),
    )


def one_class_limit() -> Check:
    """Two equal classes are one class: the same total density as the single-class solution."""
    problem, cells = PROBLEMS[0], 200
    x = np.arange(cells) < cells // 2
    states = [np.where(x, problem.left[k], problem.right[k]) for k in range(2)]
    single, split = (Road(share=share).solve(states[0], states[1], problem.time) for share in (1.0, 0.3))
    return Check(
        "one class",
        "two equal classes against one, greatest difference [-]",
        float(np.abs(single - split).max()),
        0,
        1e-12,
    )


def grid_ranking() -> Check:
    """Halving the cells does not change which cycle is best."""
    ranks = []
    for cell in (10.0, 5.0):
        config = EnvironmentConfig(network=Network(cell_length_m=cell))
        delays = []
        for hold_decisions in (3, 5, 8, 12):
            simulator = with_arrivals(config, seed=1)
            lost = 0.0
            for step in range(120):
                simulator.step(np.array([[step // hold_decisions % 2]]))
                lost += float(simulator.measures[0, 0].sum())
            delays.append(lost)
        ranks.append(np.argsort(delays))
    return Check("grid", "cycles ranked differently at 10 m and 5 m", float(np.sum(ranks[0] != ranks[1])), 0, 0)


CHECKS: tuple[Callable[[], Check | tuple[Check, ...]], ...] = (
    conservation,
    red_light,
    fundamental_diagram,
    discharge,
    free_flow,
    spillback,
    creeping,
    one_class_limit,
    grid_ranking,
)


def run_checks() -> list[Check]:
    """Return all checks, in order."""
    results: list[Check] = []
    for check in CHECKS:
        found = check()
        results += [found] if isinstance(found, Check) else found
    return results
