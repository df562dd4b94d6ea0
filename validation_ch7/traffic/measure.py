"""What is read off the state: queues, delay and stops by class, and the agent's observation.

A vehicle is queued below the stop speed. A cell's queued content that grows counts as stops; what shrinks does
not. Delay is the time lost against free flow: n (1 - v / Vmax) on the road and all the time waiting outside.
"""

from __future__ import annotations

from typing import Any

from numba import njit

from validation_ch7.traffic.arrays import Array, Tables


@njit(error_model="numpy")
def sample(x: Array, v: Array, queued: Array, roads: Array, queue: Array, measures: Array, tables: Tables) -> None:
    """Add one sample of queues, delay and stops to the measures of the decision.

    Args:
        x: (4, slots) state.
        v: (2, slots) speeds [m/s].
        queued: (2, slots) occupancy of queued vehicles at the last sample [-]; becomes that of this one.
        roads: (links, 2, 2) by class: queued and present vehicles of each road [veh], written.
        queue: (entries, 2) vehicles outside [veh].
        measures: (7, 2) added to; see :data:`~validation_ch7.traffic.arrays.MEASURES`.
        tables: constants.
    """
    samples = tables.timing[1]
    interval = tables.scalars[4] / samples
    total = 0.0
    for k in range(2):
        waiting = 0.0
        for entry in range(queue.shape[0]):
            waiting += queue[entry, k]
        halted, present, lost, stops = waiting, waiting, waiting, 0.0
        for road in range(tables.links.shape[0]):
            vehicles = tables.widths[road, 0] * tables.widths[road, 1] / tables.physics[4, k]
            slow = 1.0 / tables.physics[0, k]
            here, there, moving, halts = 0.0, 0.0, 0.0, 0.0
            for j in range(tables.links[road, 0], tables.links[road, 1]):
                n, u = x[k, j], v[k, j]
                still = n if u < tables.scalars[2] else 0.0
                there += n
                here += still
                moving += n * u
                halts += max(still - queued[k, j], 0.0)
                queued[k, j] = still
            here, there = here * vehicles, there * vehicles
            lost += there - moving * vehicles * slow
            stops += halts * vehicles
            roads[road, k, 0] = here
            roads[road, k, 1] = there
            halted += here
            present += there
        measures[0, k] += lost * interval
        measures[1, k] += present * interval
        measures[2, k] += halted / samples
        measures[3, k] += stops
        measures[5, k] = max(measures[5, k], halted)
        total += halted
    measures[6, 0] = max(measures[6, 0], total)


@njit(error_model="numpy")
def mark_queued(x: Array, v: Array, queued: Array, tables: Tables) -> None:
    """Write the occupancy of queued vehicles in each cell, as at the start of a decision.

    Args:
        x: (4, slots) state.
        v: (2, slots) speeds [m/s].
        queued: (2, slots) [-], written.
        tables: constants.
    """
    for k in range(2):
        for j in range(x.shape[1]):
            queued[k, j] = x[k, j] if v[k, j] < tables.scalars[2] else 0.0


@njit(error_model="numpy")
def imbalance(roads: Array, tables: Tables) -> float:
    """Return the sum over intersections of |queued before the stop lines - queued on the roads behind| [veh].

    Args:
        roads: (links, 2, 2) queued and present vehicles.
        tables: constants.
    """
    total = 0.0
    for intersection in range(tables.links.shape[0] // 4):
        pressure = 0.0
        for road in range(4 * intersection, 4 * intersection + 4):
            pressure += roads[road, 0, 0] + roads[road, 1, 0]
            for turn in range(3):
                target = tables.targets[road, turn]
                if target >= 0:
                    pressure -= tables.ratios[road, turn] * (roads[target, 0, 0] + roads[target, 1, 0])
        total += abs(pressure)
    return total


@njit(error_model="numpy")
def observe(x: Array, roads: Array, queue: Array, signal: Array, observation: Array, tables: Tables) -> None:
    """Write the observation, every entry in [0, 1].

    For each road: queued share of its jam capacity for motorbikes and cars, occupancy of each segment from the
    stop line upstream, and q / (q + scale) of the vehicles waiting outside. Then, for each intersection: the
    phase that has or will have green (one-hot), whether it is still yellow or red, elapsed / (elapsed + 30 s).

    Args:
        x: (4, slots) state.
        roads: (links, 2, 2) queued and present vehicles [veh].
        queue: (entries, 2) vehicles outside [veh].
        signal: (intersections, 3) phase, target, substeps elapsed.
        observation: (size,) float32, written.
        tables: constants.
    """
    segments = tables.timing[5]
    at = 0
    for road in range(tables.links.shape[0]):
        first, last, entry = tables.links[road, 0], tables.links[road, 1], tables.links[road, 2]
        length = tables.widths[road, 0] * (last - first)
        for k in range(2):
            jam = length * tables.widths[road, 1] / (tables.physics[4, k] * tables.physics[2, k])
            observation[at] = min(roads[road, k, 0] / jam, 1.0)
            at += 1
        for segment in range(segments):
            lower = last - (segment + 1) * (last - first) // segments
            upper = last - segment * (last - first) // segments
            filled = 0.0
            for j in range(lower, upper):
                filled += x[0, j] + x[1, j]
            observation[at] = min(filled / max(upper - lower, 1), 1.0)
            at += 1
        outside = queue[entry, 0] + queue[entry, 1] if entry >= 0 else 0.0
        observation[at] = outside / (outside + tables.scalars[3])
        at += 1
    phases = tables.green.shape[0]
    for intersection in range(signal.shape[0]):
        for phase in range(phases):
            observation[at + phase] = 1.0 if signal[intersection, 1] == phase else 0.0
        at += phases
        observation[at] = 1.0 if signal[intersection, 0] != signal[intersection, 1] else 0.0
        elapsed = signal[intersection, 2] * tables.scalars[0]
        observation[at + 1] = elapsed / (elapsed + tables.scalars[5])
        at += 2


KERNELS: tuple[Any, ...] = (sample, mark_queued, imbalance, observe)
"""What the fused kernel inlines from here."""
