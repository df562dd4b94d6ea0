"""What is read off the state: queues, delay and stops by class, and the agent's observation.

A vehicle is queued below the stop speed. A cell's queued content that grows counts as stops; what shrinks does
not. Delay is the time lost against free flow: n (1 - v / Vmax) on the road and all the time waiting outside.
"""

from __future__ import annotations

from typing import Any

from validation_ch7.traffic.arrays import Array, Tables
from validation_ch7.traffic.compilation import inlined, loop


@inlined
def imbalance(roads: Array, tables: Tables) -> float:
    """Return the sum over intersections of |queued before the stop lines - queued on the roads behind| [veh].

    Args:
        roads: (links, 2, 2) queued and present vehicles.
        tables: constants.
    """
    amount = 0.0
    for intersection in range(tables.links.shape[0] // 4):
        pressure = 0.0
        for road in range(4 * intersection, 4 * intersection + 4):
            pressure += roads[road, 0, 0] + roads[road, 1, 0]
            for turn in range(3):
                target = tables.targets[road, turn]
                if target >= 0:
                    pressure -= tables.ratios[road, turn] * (roads[target, 0, 0] + roads[target, 1, 0])
        amount += abs(pressure)
    return amount


@inlined
def total(values: Array) -> float:
    """Return the sum of values, taken in eight strands.

    One strand would wait for each addition before the next, and the compiler may not split it, as that changes the
    rounding. Written out, the order is the same on every processor.
    """
    s0 = s1 = s2 = s3 = s4 = s5 = s6 = s7 = rest = 0.0
    for part in range(values.size // 8):
        j = 8 * part
        s0 += values[j]
        s1 += values[j + 1]
        s2 += values[j + 2]
        s3 += values[j + 3]
        s4 += values[j + 4]
        s5 += values[j + 5]
        s6 += values[j + 6]
        s7 += values[j + 7]
    for j in range(values.size - values.size % 8, values.size):
        rest += values[j]
    return ((s0 + s4) + (s2 + s6)) + ((s1 + s5) + (s3 + s7)) + rest


@loop
def mark(x: Array, marks: Array, physics: Array) -> None:
    """Find in each cell what is queued, and add what is there, what moves and what came to a stop.

    Without a division: a class is queued where its flow a v = y - a c r^2 is less than a times the stop speed.

    Args:
        x: (4, slots) state.
        marks: (4, 2, slots) by class: occupancy of queued vehicles [-], written; sums over the samples of
            occupancy [-], flow [m/s] and growth of the queued occupancy [-], added to.
        physics: constants.
    """
    zero, stop, c0, c1 = physics[5, 0], physics[7, 1], physics[1, 0], physics[1, 1]
    a0, a1, y0, y1 = x[0], x[1], x[2], x[3]
    queued0, queued1, there0, there1 = marks[0, 0], marks[0, 1], marks[1, 0], marks[1, 1]
    flow0, flow1, growth0, growth1 = marks[2, 0], marks[2, 1], marks[3, 0], marks[3, 1]
    for j in range(a0.size):
        p, q = a0[j], a1[j]
        rr = (p + q) * (p + q)
        f0, f1 = max(y0[j] - p * (c0 * rr), zero), max(y1[j] - q * (c1 * rr), zero)
        still0 = p if f0 < p * stop else zero
        still1 = q if f1 < q * stop else zero
        there0[j] += p
        there1[j] += q
        flow0[j] += f0
        flow1[j] += f1
        growth0[j] += max(still0 - queued0[j], zero)
        growth1[j] += max(still1 - queued1[j], zero)
        queued0[j] = still0
        queued1[j] = still1


@inlined
def add_up(x: Array, marks: Array, sums: Array, tables: Tables) -> None:
    """Add the marks of the cells up over each road.

    Args:
        x: (4, slots) state.
        marks: (4, 2, slots) see :func:`mark`.
        sums: (links, 2, 5) by class, over the cells of a road: occupancy of queued vehicles and of all now [-]; sums
            over the samples of occupancy [-], flow [m/s] and growth of the queued occupancy [-]; written.
        tables: constants.
    """
    for road in range(tables.links.shape[0]):
        first, last = tables.links[road, 0], tables.links[road, 1]
        for k in range(2):
            sums[road, k, 0] = total(marks[0, k, first:last])
            sums[road, k, 1] = total(x[k, first:last])
            for kind in range(1, 4):
                sums[road, k, 1 + kind] = total(marks[kind, k, first:last])


@inlined
def sample(sums: Array, queue: Array, measures: Array, tables: Tables) -> None:
    """Add one sample to the measures of the decision.

    Args:
        sums: (links, 2, 5) see :func:`add_up`.
        queue: (entries, 2) vehicles outside [veh].
        measures: (7, 2) rows 0 to 2 get those outside, rows 2, 5 and 6 queues.
        tables: constants.
    """
    samples = tables.timing[1]
    interval = tables.scalars[4] / samples
    overall = 0.0
    for k in range(2):
        outside = 0.0
        for entry in range(queue.shape[0]):
            outside += queue[entry, k]
        halted = outside
        for road in range(tables.links.shape[0]):
            halted += sums[road, k, 0] * tables.factors[road, 2 + k]
        measures[0, k] += outside * interval
        measures[1, k] += outside * interval
        measures[2, k] += halted / samples
        measures[5, k] = max(measures[5, k], halted)
        overall += halted
    measures[6, 0] = max(measures[6, 0], overall)


@inlined
def conclude(sums: Array, roads: Array, measures: Array, tables: Tables) -> None:
    """Turn the sums of a decision's samples into vehicles, delay and stops.

    Args:
        sums: (links, 2, 5) see :func:`add_up`.
        roads: (links, 2, 2) by class: queued and present vehicles of each road [veh], written.
        measures: (7, 2) delay, time and stops are added to; see :data:`~validation_ch7.traffic.arrays.MEASURES`.
        tables: constants.
    """
    interval = tables.scalars[4] / tables.timing[1]
    for k in range(2):
        for road in range(tables.links.shape[0]):
            vehicles = tables.factors[road, 2 + k]
            roads[road, k, 0] = sums[road, k, 0] * vehicles
            roads[road, k, 1] = sums[road, k, 1] * vehicles
            there = sums[road, k, 2] * vehicles
            free = sums[road, k, 3] * vehicles / tables.physics[0, k]
            measures[0, k] += (there - free) * interval
            measures[1, k] += there * interval
            measures[3, k] += sums[road, k, 4] * vehicles
    measures[6, 1] = imbalance(roads, tables)


@inlined
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
            filled = total(x[0, lower:upper]) + total(x[1, lower:upper])
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


KERNELS: tuple[Any, ...] = (imbalance, total, mark, add_up, sample, conclude, observe)
"""What the fused kernel inlines from here."""
