"""Controllers that look at the approaches near the stop line: vehicle-actuated and self-organising."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from validation_ch7.control.controller import near_stop_line, served
from validation_ch7.traffic import Simulator
from validation_ch7.traffic.arrays import Floats, Integers


@dataclass(frozen=True)
class Actuated:
    """Green is extended while vehicles follow each other closely, and ends at a gap or at the greatest green.

    Fully actuated operation with gap-out and max-out (FHWA Traffic Signal Timing Manual, 2008, chapter 5). The
    headway of the traffic in the detector zone is taken from its density per lane at free speed.
    """

    gap_s: float = 2.0
    """Headway from which the green ends [s]."""
    zone_m: float = 40.0
    """Length of the detector zone before the stop line [m]."""
    max_green_s: float | tuple[float, ...] = 50.0
    """Greatest green [s]; one for all phases, or one for each."""

    def decide(self, simulator: Simulator) -> Integers:
        """Return the current phase, or the next one that someone waits for after a gap or the greatest green."""
        tables = simulator.layout.tables
        present = near_stop_line(simulator, self.zone_m)
        density = present / (tables.widths[:, 1] * self.zone_m)
        close = density * float(tables.physics[0].max()) * self.gap_s >= 1.0
        current = simulator.signal[:, :, 1]
        extend = _take(served(simulator, close.astype(np.float64)), current) > 0.0
        elapsed = simulator.signal[:, :, 2] * tables.scalars[0]
        longest = np.broadcast_to(np.asarray(self.max_green_s), (simulator.layout.phases,))
        stay = extend & (elapsed < longest[current])
        return np.where(stay, current, self._next(simulator, present, current))

    def _next(self, simulator: Simulator, present: Floats, current: Integers) -> Integers:
        waiting = served(simulator, present)
        chosen, phases = current.copy(), simulator.layout.phases
        for ahead in range(phases - 1, 0, -1):
            candidate = (current + ahead) % phases
            chosen = np.where(_take(waiting, candidate) > 0.5, candidate, chosen)
        return chosen


class Sotl:
    """Self-organising lights: a red that has gathered enough vehicle-seconds takes the green.

    The counter of vehicles within ``far_m`` of red stop lines is added up over time; at ``threshold_veh_s`` the
    light changes, unless a small platoon, fewer than ``platoon_veh`` within ``near_m``, is just crossing
    (S.-B. Cools, C. Gershenson & B. D'Hooghe, Self-organizing traffic lights: a realistic simulation, 2008).
    The least green is the signal's own.
    """

    def __init__(
        self,
        threshold_veh_s: float = 600.0,
        far_m: float = 80.0,
        near_m: float = 30.0,
        platoon_veh: float = 1.0,
    ) -> None:
        self.threshold_veh_s = threshold_veh_s
        self.far_m = far_m
        self.near_m = near_m
        self.platoon_veh = platoon_veh
        self._gathered: Floats = np.zeros((0, 0))

    def decide(self, simulator: Simulator) -> Integers:
        """Return the current phase, or the one with most vehicles where the counter is full."""
        current = simulator.signal[:, :, 1]
        if self._gathered.shape != current.shape:
            self._gathered = np.zeros(current.shape)
        self._gathered[simulator.clock == 0] = 0.0
        far = served(simulator, near_stop_line(simulator, self.far_m))
        np.put_along_axis(far, current[:, :, None], -np.inf, axis=2)
        waiting = np.where(np.isfinite(far), far, 0.0).sum(axis=2)
        self._gathered += waiting * simulator.layout.tables.scalars[4]
        crossing = _take(served(simulator, near_stop_line(simulator, self.near_m)), current)
        small = (crossing > 0.5) & (crossing < self.platoon_veh)
        free = (simulator.signal[:, :, 0] == current) & (simulator.signal[:, :, 2] >= simulator.layout.tables.timing[3])
        change = (self._gathered >= self.threshold_veh_s) & ~small & free
        self._gathered[change] = 0.0
        return np.where(change, far.argmax(axis=2), current)


def _take(values: Floats, phases: Integers) -> Floats:
    return np.asarray(np.take_along_axis(values, phases[:, :, None], axis=2)[:, :, 0])
