"""What the traffic environment is made of: lengths in metres, times in seconds, flows in vehicles per hour.

One format describes the single intersection, the arterial and the grid: ``rows`` x ``columns`` intersections,
each with the approaches north, south, east and west (named after where the traffic comes *from*).
"""

from __future__ import annotations

import math
from typing import Annotated, Literal

from pydantic import Field, model_validator

from validation_ch7.schema import Document

Approach = Literal["north", "south", "east", "west"]
APPROACHES: tuple[Approach, ...] = ("north", "south", "east", "west")
Positive = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]


class VehicleClass(Document):
    """One class of vehicles in the two-class ARZ model."""

    free_speed_m_s: Annotated[float, Field(gt=0, le=60)] = 13.9
    """Speed on an empty road [m/s]."""
    length_m: Annotated[float, Field(gt=0, le=50)] = 6.4
    """Length of lane that one vehicle fills [m]; its share of the lane's width is part of it."""
    jam_occupancy: Annotated[float, Field(gt=0, le=1)] = 0.85
    """Share of the lane's area at which this class stands still [-]."""
    relaxation_s: Positive = 6.0
    """Time in which the class adapts to its equilibrium speed [s]."""


class TrafficMix(Document):
    """The two classes; motorbikes still seep forward where cars stand (jam occupancy 1 against 0.85)."""

    motorbike: VehicleClass = VehicleClass(length_m=1.6, jam_occupancy=1.0, relaxation_s=3.0)
    """The small class."""
    car: VehicleClass = VehicleClass()
    """The large class; one car is one passenger-car unit (pcu)."""
    motorbike_share: Share = 0.4
    """Share of motorbikes among arriving vehicles [-]."""
    stop_speed_m_s: Positive = 1.4
    """Below this speed a vehicle counts as queued [m/s]."""


class Turning(Document):
    """Where the vehicles of an approach go; the three shares sum to 1."""

    left: Share = 0.15
    """Share that turns left [-]."""
    through: Share = 0.7
    """Share that goes straight on [-]."""
    right: Share = 0.15
    """Share that turns right [-]."""

    @model_validator(mode="after")
    def _sums_to_one(self) -> Turning:
        total = self.left + self.through + self.right
        if not math.isclose(total, 1.0, abs_tol=1e-9):
            raise ValueError(f"left + through + right must be 1 [-], not {total:g}")
        return self


class Network(Document):
    """``rows`` x ``columns`` signalised intersections; 1 x 1 is the intersection, 1 x K an arterial."""

    rows: Annotated[int, Field(ge=1, le=16)] = 1
    """Number of intersections from north to south."""
    columns: Annotated[int, Field(ge=1, le=64)] = 1
    """Number of intersections from west to east."""
    entry_length_m: Positive = 1000.0
    """Length of the roads that lead into the network [m]."""
    spacing_m: Positive = 400.0
    """Distance between neighbouring intersections [m]."""
    cell_length_m: Annotated[float, Field(ge=0.5)] = 10.0
    """Length of a finite-volume cell [m]; roads hold a whole number of cells."""
    lanes_north_south: Annotated[int, Field(ge=1, le=8)] = 2
    """Lanes of the northern and southern approaches."""
    lanes_east_west: Annotated[int, Field(ge=1, le=8)] = 2
    """Lanes of the eastern and western approaches."""
    saturation_flow_pcu_per_h_lane: Positive = 1600.0
    """Greatest discharge of a queue at green [pcu/h per lane]."""
    turning_north_south: Turning = Turning()
    """Turning shares of the northern and southern approaches."""
    turning_east_west: Turning = Turning()
    """Turning shares of the eastern and western approaches."""

    @model_validator(mode="after")
    def _whole_cells(self) -> Network:
        for name in ("entry_length_m", "spacing_m"):
            cells = getattr(self, name) / self.cell_length_m
            if not math.isclose(cells, round(cells), abs_tol=1e-6) or round(cells) < 3:
                raise ValueError(f"{name} [m] must be a multiple of cell_length_m [m], and 3 cells or more")
        return self


class SideFlows(Document):
    """Demand of the entries on each side of the network [veh/h per entry]."""

    north: NotNegative = 1600.0
    """From the north [veh/h]."""
    south: NotNegative = 1400.0
    """From the south [veh/h]."""
    east: NotNegative = 1100.0
    """From the east [veh/h]."""
    west: NotNegative = 900.0
    """From the west [veh/h]."""


class Demand(Document):
    """Arrivals: a Poisson process whose rate follows a profile, drawn from the environment's seed."""

    profile: Literal["constant", "peak", "step", "stochastic", "saturated", "platoons"] = "saturated"
    """How the rate varies; ``saturated`` and ``platoons`` scale ``flow_veh_per_h`` to ``degree_of_saturation``."""
    flow_veh_per_h: SideFlows = SideFlows()
    """Base demand by side [veh/h per entry]."""
    degree_of_saturation: Annotated[float, Field(gt=0, le=2)] = 0.95
    """Volume over capacity under the best fixed split of ``reference_cycle_s`` [-]; for ``saturated``."""
    reference_cycle_s: Positive = 90.0
    """Cycle at which capacity is reckoned [s]."""
    spread: Annotated[float, Field(ge=0, lt=1)] = 0.15
    """Each entry's demand is multiplied by 1 ± spread, drawn anew each episode [-]; not for ``constant``."""
    peak_factor: Positive = 1.5
    """Greatest multiple of the base demand, for ``peak`` and ``step`` [-]."""
    platoon_share: Share = 0.8
    """Vehicles that arrive in platoons, at saturation flow; the others turned in at any time; ``platoons`` [-]."""
    platoon_cycle_s: tuple[Positive, Positive] = (60.0, 100.0)
    """Least and greatest upstream cycle; each entry's is drawn anew each episode; ``platoons`` [s]."""


class Signal(Document):
    """The signal plan; the same at every intersection."""

    phases: Annotated[tuple[tuple[Approach, ...], ...], Field(min_length=1, max_length=16)] = (
        ("north", "south"),
        ("east", "west"),
    )
    """Approaches that have green together; an empty phase is red for all."""
    yellow_s: NotNegative = 3.0
    """Yellow after a green [s]; nobody enters the junction in it."""
    all_red_s: NotNegative = 1.0
    """All-red after the yellow [s]."""
    min_green_s: NotNegative = 10.0
    """A green lasts at least this long [s]; earlier requests are ignored."""
    max_green_s: Positive | None = None
    """A green lasts at most this long [s], then the next phase follows; none: no limit."""
    action: Literal["phase", "switch"] = "phase"
    """``phase``: the action names the phase; ``switch``: 0 keeps, 1 goes to the next phase."""

    @model_validator(mode="after")
    def _serves_everyone(self) -> Signal:
        missing = set(APPROACHES) - {approach for phase in self.phases for approach in phase}
        if missing:
            raise ValueError(f"no phase gives green to {', '.join(sorted(missing))}")
        if self.max_green_s is not None and self.max_green_s < self.min_green_s:
            raise ValueError("max_green_s [s] must not be below min_green_s [s]")
        return self


class Observation(Document):
    """What the agent sees of each approach."""

    segments: Annotated[int, Field(ge=1, le=16)] = 3
    """Number of equal road segments whose occupancy is shown, from the stop line upstream."""
    entry_queue_scale_veh: Positive = 20.0
    """Vehicles waiting outside, q, are shown as q / (q + scale) [veh]."""


class Reward(Document):
    """What the agent is paid for, per decision."""

    kind: Literal["delay", "queue", "pressure", "throughput"] = "delay"
    """Mean delayed vehicles, mean queued vehicles, imbalance of queues, or vehicles that left."""
    scale_veh: Positive = 50.0
    """The vehicles that count as one unit of reward, per intersection [veh]."""


class Solver(Document):
    """The numerical scheme."""

    order: Literal[1, 2] = 1
    """1: HLL with Euler steps; 2: MUSCL reconstruction with SSP-RK2."""
    cfl: Annotated[float, Field(gt=0, le=1)] = 0.9
    """Share of the largest positivity-preserving time step [-]."""
    precision: Literal["float64", "float32"] = "float64"
    """Type of the state."""
    device: Literal["cpu", "cuda"] = "cpu"
    """``cuda`` simulates the batch on a graphics processor; worth it from thousands of environments."""
    threads: Annotated[int, Field(ge=1, le=64)] = 1
    """Threads that share the environments of a batch on the processor; results do not depend on it."""


class EnvironmentConfig(Document):
    """The network, its demand, its signals and its episode; the default is one intersection near saturation."""

    horizon_s: Annotated[float, Field(gt=0, le=86_400)] = 600.0
    """Simulated time of one episode [s]; then it is truncated, never terminated."""
    decision_s: Annotated[float, Field(gt=0, le=300)] = 5.0
    """Time between two decisions of the agent [s]."""
    traffic: TrafficMix = TrafficMix()
    """The two vehicle classes."""
    network: Network = Network()
    """Roads and intersections."""
    demand: Demand = Demand()
    """Arrivals at the entries."""
    signal: Signal = Signal()
    """Phases and their timing."""
    observation: Observation = Observation()
    """What the agent sees."""
    reward: Reward = Reward()
    """What the agent is paid for."""
    solver: Solver = Solver()
    """How the equations are solved."""

    @model_validator(mode="after")
    def _whole_decisions(self) -> EnvironmentConfig:
        steps = self.horizon_s / self.decision_s
        if not math.isclose(steps, round(steps), abs_tol=1e-6) or round(steps) < 1:
            raise ValueError("horizon_s [s] must be a multiple of decision_s [s]")
        return self

    @property
    def steps_per_episode(self) -> int:
        """Decisions in one episode.

        >>> EnvironmentConfig().steps_per_episode
        120
        """
        return round(self.horizon_s / self.decision_s)
