"""What every controller is, and what controllers look at."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from validation_ch7.traffic import Simulator
from validation_ch7.traffic.arrays import Floats, Integers


class Controller(Protocol):
    """Chooses the phase of every intersection at each decision."""

    def decide(self, simulator: Simulator) -> Integers:
        """Return the phases wanted, (rows, intersections), for the state that the simulator is in."""


def by_approach(simulator: Simulator, values: Floats) -> Floats:
    """Return values of roads, (rows, links), by intersection and approach, (rows, intersections, 4)."""
    return values.reshape(simulator.size, simulator.layout.intersections, 4)


def near_stop_line(simulator: Simulator, distance_m: float) -> Floats:
    """Return the vehicles within a distance of each stop line, both classes, (rows, links) [veh].

    Args:
        simulator: the simulator.
        distance_m: rounded to whole cells, at least one [m].
    """
    tables = simulator.layout.tables
    result = np.empty((simulator.size, len(tables.links)))
    for road, (first, last, _, _) in enumerate(tables.links):
        start = max(first, last - max(1, round(distance_m / tables.widths[road, 0])))
        cells = simulator.x[:, :2, start:last] * simulator.layout.vehicles[:, start:last]
        result[:, road] = cells.sum(axis=(1, 2))
    return result


def served(simulator: Simulator, values: Floats) -> Floats:
    """Return, for each phase, the sum of values over the approaches that it serves.

    A phase that serves none gets minus infinity, so that no controller prefers it.

    Args:
        simulator: the simulator.
        values: (rows, links).

    Returns:
        (rows, intersections, phases).
    """
    green = simulator.layout.tables.green
    total = by_approach(simulator, values) @ green.T.astype(np.float64)
    return np.where(green.any(axis=1), total, -np.inf)
