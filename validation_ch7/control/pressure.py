"""Controllers that weigh queues: greedy and max-pressure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from validation_ch7.control.controller import near_stop_line, served
from validation_ch7.traffic import Simulator
from validation_ch7.traffic.arrays import Floats, Integers


@dataclass(frozen=True)
class Greedy:
    """The phase with the most vehicles queued or approaching (MaxWave of RESCO, Ault & Sharon, NeurIPS 2021)."""

    range_m: float = 150.0
    """Distance before the stop line within which vehicles count [m]."""

    def decide(self, simulator: Simulator) -> Integers:
        """Return the phases with the most vehicles in range; among equals the one that has green."""
        return prefer_current(simulator, served(simulator, near_stop_line(simulator, self.range_m)), 1.0)


@dataclass(frozen=True)
class MaxPressure:
    """The phase with the greatest pressure, if it repays the green that a change loses.

    Pressure of a phase: vehicles before its stop lines, less those before the next ones on the roads that they
    turn into, by turning shares (P. Varaiya, Max pressure control of a network of signalized intersections,
    Transportation Research C 36, 2013). A change costs the intergreen: another phase must promise more over the
    least green than this one does over the least green and the intergreen together.
    """

    range_m: float = 150.0
    """Distance before the stop line within which vehicles count [m]."""
    horizon_s: float = 10.0
    """Time over which a change must pay [s]; the least green where that is longer."""

    def decide(self, simulator: Simulator) -> Integers:
        """Return the phases of greatest pressure after lost time."""
        timing, dt = simulator.layout.tables.timing, simulator.layout.tables.scalars[0]
        lasting = max(self.horizon_s, float(timing[3] * dt))
        return prefer_current(
            simulator, served(simulator, pressures(simulator, self.range_m)), 1.0 + timing[2] * dt / lasting
        )


def pressures(simulator: Simulator, range_m: float) -> Floats:
    """Return the vehicles before each stop line less those where they turn to, (rows, links) [veh].

    Args:
        simulator: the simulator.
        range_m: distance before the stop lines within which vehicles count [m].
    """
    tables, before = simulator.layout.tables, near_stop_line(simulator, range_m)
    beyond = np.where(tables.targets >= 0, before[:, tables.targets], 0.0)
    return np.asarray(before - (tables.ratios * beyond).sum(axis=2))


def prefer_current(simulator: Simulator, score: Floats, factor: float) -> Integers:
    """Return the phase of the highest score, or the current one unless its score times a factor is exceeded.

    Args:
        simulator: the simulator.
        score: (rows, intersections, phases).
        factor: at least 1.
    """
    current = simulator.signal[:, :, 1]
    here = np.take_along_axis(score, current[:, :, None], axis=2)[:, :, 0]
    best = score.argmax(axis=2)
    return np.where(score.max(axis=2) > np.maximum(here, 0.0) * factor, best, current)
