"""Ends of the roads: entries with vertical queues, stop lines, turning flows between roads.

Outflow at green is the demand of the last cell: with its mix and its w kept, the greatest flow that it can
reach by thinning out (Herty, Moutari & Rascle 2006; for one class the ARZ demand function), at most the
saturation flow. At red every component is exactly 0, which is the half-Riemann solution v = 0.

Inflow is limited by supply: the middle state keeps the w that arrives and the speed v that it meets, so
r_M solves W - P r_M^2 = u_R; below the critical occupancy the maximum of the flow is available. W, P and u_R
are area-weighted over the arriving mix, which is exact for one class and a closure for two. Motorbikes so
enter a road on which cars stand. Roads discharge first in, first out: a class that one of its turning
movements cannot take holds back all of that class (Daganzo 1995).

The formulas are multiplied out, since this code runs at both ends of every road in every substep and a division
costs as much as all else: a road asks for one where it takes all that arrives, and for three at a queue.
"""

from __future__ import annotations

import math
from typing import Any

from validation_ch7.traffic.arrays import Array, Tables
from validation_ch7.traffic.compilation import inlined, loop


@inlined
def demand(a0: float, a1: float, y0: float, y1: float, c0: float, c1: float, most: float) -> tuple[float, float]:
    """Return the greatest outflow of both classes from a cell, mix and w kept [m/s].

    Thinning to the share s of the occupancy lets a w - a c r^2 s^2 flow s times as much; the sum is greatest at
    s^2 = sum a w / (3 r^2 sum a c), or at s = 1 where that exceeds 1.

    Args:
        a0: occupancy of motorbikes [-].
        a1: occupancy of cars [-].
        y0: a w of motorbikes [m/s].
        y1: a w of cars [m/s].
        c0: pressure coefficient of motorbikes [m/s].
        c1: pressure coefficient of cars [m/s].
        most: greatest outflow of both together [m/s].
    """
    rr = (a0 + a1) * (a0 + a1)
    drive = y0 + y1
    drag = 3.0 * (a0 * c0 + a1 * c1) * rr
    thin = 1.0
    if drive < drag:
        square = drive / drag
        thin = math.sqrt(square)
        rr *= square
    d0 = thin * max(y0 - a0 * c0 * rr, 0.0)
    d1 = thin * max(y1 - a1 * c1 * rr, 0.0)
    if d0 + d1 > most:
        scale = most / (d0 + d1)
        return d0 * scale, d1 * scale
    return d0, d1


@inlined
def accepted(
    d0: float, d1: float, w0: float, w1: float, c0: float, c1: float, u0: float, u1: float
) -> tuple[float, float]:
    """Return the share of an arriving flow that a road can take, by class [-].

    Args:
        d0: arriving flow of motorbikes, per lane [m/s].
        d1: arriving flow of cars, per lane [m/s].
        w0: their w [m/s].
        w1: w of the cars [m/s].
        c0: pressure coefficient of motorbikes [m/s].
        c1: pressure coefficient of cars [m/s].
        u0: speed of motorbikes in the road's first cell [m/s].
        u1: speed of cars there [m/s].
    """
    total = d0 + d1
    drive = d0 * w0 + d1 * w1
    above = drive - d0 * u0 - d1 * u1
    critical = drive * (1.0 / 3.0)
    rr = max(above, critical) / (d0 * c0 + d1 * c1)
    if above <= critical:
        u0, u1 = max(w0 - c0 * rr, 0.0), max(w1 - c1 * rr, 0.0)
    slower = min(u0, u1)
    if rr * slower * slower >= total * total:
        return 1.0, 1.0
    root = math.sqrt(rr) / total
    return min(1.0, root * u0), min(1.0, root * u1)


@inlined
def admit(tips: Array, road: int, d0: float, d1: float, w0: float, w1: float, tables: Tables) -> tuple[float, float]:
    """Return the share of what arrives at a road that its first cell can take, by class [-].

    Args:
        tips: (links, 8) see :func:`look`.
        road: the road.
        d0: arriving flow of motorbikes [lanes m/s].
        d1: arriving flow of cars [lanes m/s].
        w0: their w [m/s].
        w1: w of the cars [m/s].
        tables: constants.
    """
    physics, per_lane = tables.physics, tables.factors[road, 0]
    c0, c1 = physics[1, 0], physics[1, 1]
    a0, a1 = tips[road, 0], tips[road, 1]
    rr = (a0 + a1) * (a0 + a1)
    u0 = tips[road, 2] if a0 > physics[7, 0] else max(w0 - c0 * rr, 0.0)
    u1 = tips[road, 3] if a1 > physics[7, 0] else max(w1 - c1 * rr, 0.0)
    return accepted(d0 * per_lane, d1 * per_lane, w0, w1, c0, c1, u0, u1)


@inlined
def send(tips: Array, open_road: Array, ends: Array, tables: Tables) -> None:
    """Write what each road wants to send through its stop line.

    Args:
        tips: (links, 8) see :func:`look`.
        open_road: (links,) whether the road has green.
        ends: (links, 10) columns 0, 1 are written with flows by class [lanes m/s], 2, 3 with their w [m/s].
        tables: constants.
    """
    physics, most = tables.physics, tables.scalars[1]
    for road in range(tables.links.shape[0]):
        ends[road, 0] = 0.0
        ends[road, 1] = 0.0
        ends[road, 2] = 0.0
        ends[road, 3] = 0.0
        if open_road[road]:
            a0, a1, y0, y1 = tips[road, 4], tips[road, 5], tips[road, 6], tips[road, 7]
            d0, d1 = demand(a0, a1, y0, y1, physics[1, 0], physics[1, 1], most)
            ends[road, 0] = d0 * tables.widths[road, 1]
            ends[road, 1] = d1 * tables.widths[road, 1]
            ends[road, 2] = min(y0 / max(a0, physics[6, 0]), physics[0, 0])
            ends[road, 3] = min(y1 / max(a1, physics[6, 0]), physics[0, 1])


@inlined
def enter(tips: Array, queue: Array, ends: Array, tables: Tables) -> None:
    """Let those who wait outside into the entry roads, as far as there is room.

    Args:
        tips: (links, 8) see :func:`look`.
        queue: (entries, 2) vehicles outside [veh], reduced by those who enter.
        ends: (links, 10) columns 4, 5 of entry roads are written with flows [lanes m/s], 6, 7 with flow times w.
        tables: constants.
    """
    w0, w1 = tables.physics[0, 0], tables.physics[0, 1]
    for road in range(tables.links.shape[0]):
        entry = tables.links[road, 2]
        if entry >= 0:
            d0, d1 = queue[entry, 0] * tables.scalars[6], queue[entry, 1] * tables.scalars[7]
            if d0 + d1 > 0.0:
                s0, s1 = admit(tips, road, d0, d1, w0, w1, tables)
                queue[entry, 0] -= queue[entry, 0] * s0
                queue[entry, 1] -= queue[entry, 1] * s1
                d0, d1 = d0 * s0, d1 * s1
            ends[road, 4] = d0
            ends[road, 5] = d1
            ends[road, 6] = d0 * w0
            ends[road, 7] = d1 * w1


@inlined
def turn_in(ends: Array, tables: Tables) -> None:
    """Write what the roads between intersections get from those that turn into them.

    Args:
        ends: (links, 10) columns 0 to 3 are read; 4 to 7 of these roads are written.
        tables: constants.
    """
    for movement in range(tables.movements.shape[0]):
        for column in range(4, 8):
            ends[tables.movements[movement, 1], column] = 0.0
    for movement in range(tables.movements.shape[0]):
        road, target = tables.movements[movement, 0], tables.movements[movement, 1]
        for k in range(2):
            flow = tables.shares[movement] * ends[road, k]
            ends[target, 4 + k] += flow
            ends[target, 6 + k] += flow * ends[road, 2 + k]


@loop
def pass_on(tips: Array, ends: Array, tables: Tables) -> None:
    """Reduce what roads send into others to what these can take, and write what these get.

    Args:
        tips: (links, 8) see :func:`look`.
        ends: (links, 10) columns 0, 1 are reduced; 4 to 7 of the roads between intersections are written, and
            8, 9 with the share that they take [-].
        tables: constants.
    """
    turn_in(ends, tables)
    for road in range(tables.links.shape[0]):
        d0, d1 = ends[road, 4], ends[road, 5]
        ends[road, 8] = 1.0
        ends[road, 9] = 1.0
        if tables.links[road, 2] < 0 and d0 + d1 > 0.0:
            w0 = ends[road, 6] / d0 if d0 > 0.0 else tables.physics[0, 0]
            w1 = ends[road, 7] / d1 if d1 > 0.0 else tables.physics[0, 1]
            s0, s1 = admit(tips, road, d0, d1, w0, w1, tables)
            ends[road, 8] = s0 if d0 > 0.0 else 1.0
            ends[road, 9] = s1 if d1 > 0.0 else 1.0
    movement = 0
    while movement < tables.movements.shape[0]:
        road, s0, s1 = tables.movements[movement, 0], 1.0, 1.0
        while movement < tables.movements.shape[0] and tables.movements[movement, 0] == road:
            s0 = min(s0, ends[tables.movements[movement, 1], 8])
            s1 = min(s1, ends[tables.movements[movement, 1], 9])
            movement += 1
        ends[road, 0] *= s0
        ends[road, 1] *= s1
    turn_in(ends, tables)


@inlined
def bound(ends: Array, edges: Array, exits: Array, tables: Tables) -> None:
    """Write the fluxes at both ends of each road, and count who leaves the network.

    Args:
        ends: (links, 10) columns 0 to 7.
        edges: (groups, 8, 4) by place of the road: fluxes of the state into its first cell and out of its last one,
            written.
        exits: (2,) vehicles that left [veh], added to.
        tables: constants.
    """
    for road in range(tables.links.shape[0]):
        group, lane = tables.places[road, 1], tables.places[road, 2]
        per_lane, leaving = tables.factors[road, 0], tables.factors[road, 1]
        for k in range(2):
            edges[group, k, lane] = ends[road, 4 + k] * per_lane
            edges[group, 2 + k, lane] = ends[road, 6 + k] * per_lane
            edges[group, 4 + k, lane] = ends[road, k] * per_lane
            edges[group, 6 + k, lane] = ends[road, k] * per_lane * ends[road, 2 + k]
            exits[k] += ends[road, k] * leaving * tables.scalars[8 + k]


@inlined
def join(tips: Array, queue: Array, open_road: Array, ends: Array, edges: Array, exits: Array, tables: Tables) -> None:
    """Write the fluxes at both ends of every road, and move the vehicles that enter and leave the network.

    Args:
        tips: (links, 8) see :func:`look`.
        queue: (entries, 2) vehicles outside [veh], reduced by those who enter.
        open_road: (links,) whether the road has green.
        ends: (links, 10) scratch.
        edges: (groups, 8, 4) fluxes, written; see :func:`bound`.
        exits: (2,) vehicles that left [veh], added to.
        tables: constants.
    """
    send(tips, open_road, ends, tables)
    enter(tips, queue, ends, tables)
    if tables.movements.shape[0] > 0:
        pass_on(tips, ends, tables)
    bound(ends, edges, exits, tables)


@inlined
def look(x: Array, v: Array, tips: Array, tables: Tables) -> None:
    """Write what a junction sees of each road.

    Args:
        x: (4, slots) state.
        v: (2, slots) speeds [m/s].
        tips: (links, 8) of the first cell occupancies [-] and speeds [m/s], of the last one occupancies and a w [m/s],
            each by class; written.
        tables: constants.
    """
    for road in range(tables.links.shape[0]):
        first, last = tables.links[road, 0], tables.links[road, 1] - 1
        for k in range(2):
            tips[road, k] = x[k, first]
            tips[road, 2 + k] = v[k, first]
            tips[road, 4 + k] = x[k, last]
            tips[road, 6 + k] = x[2 + k, last]


@inlined
def put(edges: Array, flux: Array, tables: Tables) -> None:
    """Put the fluxes at the ends of the roads among those of all faces.

    Args:
        edges: (groups, 8, 4) see :func:`bound`.
        flux: (4, slots + 1) fluxes; those at road ends are written.
        tables: constants.
    """
    for road in range(tables.links.shape[0]):
        group, lane = tables.places[road, 1], tables.places[road, 2]
        for k in range(4):
            flux[k, tables.links[road, 0]] = edges[group, k, lane]
            flux[k, tables.links[road, 1]] = edges[group, 4 + k, lane]


KERNELS: tuple[Any, ...] = (demand, accepted, admit, send, enter, turn_in, pass_on, bound, join, look, put)
"""What the fused kernel inlines from here."""
