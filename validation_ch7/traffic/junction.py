"""Ends of the roads: entries with vertical queues, stop lines, turning flows between roads.

Outflow at green is the demand of the last cell: with its mix and its w kept, the greatest flow that it can
reach by thinning out (Herty, Moutari & Rascle 2006; for one class the ARZ demand function), at most the
saturation flow. At red every component is exactly 0, which is the half-Riemann solution v = 0.

Inflow is limited by supply: the middle state keeps the w that arrives and the speed v that it meets, so
r_M solves W - P r_M^2 = u_R; below the critical occupancy the maximum of the flow is available. W, P and u_R
are area-weighted over the arriving mix, which is exact for one class and a closure for two. Motorbikes so
enter a road on which cars stand. Roads discharge first in, first out: a class that one of its turning
movements cannot take holds back all of that class (Daganzo 1995).
"""

from __future__ import annotations

import math
from typing import Any

from numba import njit

from validation_ch7.traffic.arrays import Array, Tables


@njit(error_model="numpy")
def demand(a0: float, a1: float, w0: float, w1: float, c0: float, c1: float) -> tuple[float, float]:
    """Return the greatest outflow of both classes from a cell, mix and w kept [m/s].

    Args:
        a0: occupancy of motorbikes [-].
        a1: occupancy of cars [-].
        w0: w of motorbikes [m/s].
        w1: w of cars [m/s].
        c0: pressure coefficient of motorbikes [m/s].
        c1: pressure coefficient of cars [m/s].
    """
    rr = (a0 + a1) * (a0 + a1)
    drive = a0 * w0 + a1 * w1
    drag = (a0 * c0 + a1 * c1) * rr
    thin = 1.0
    if drive < 3.0 * drag:
        thin = math.sqrt(drive / (3.0 * drag))
    rr = rr * thin * thin
    return thin * a0 * max(w0 - c0 * rr, 0.0), thin * a1 * max(w1 - c1 * rr, 0.0)


@njit(error_model="numpy")
def supply(
    d0: float, d1: float, w0: float, w1: float, c0: float, c1: float, u0: float, u1: float
) -> tuple[float, float]:
    """Return what a road can take of an arriving mix, by class [m/s].

    Args:
        d0: arriving flow of motorbikes [m/s]; only the proportion of d0 to d1 matters.
        d1: arriving flow of cars [m/s].
        w0: their w [m/s].
        w1: w of the cars [m/s].
        c0: pressure coefficient of motorbikes [m/s].
        c1: pressure coefficient of cars [m/s].
        u0: speed of motorbikes in the road's first cell [m/s].
        u1: speed of cars there [m/s].
    """
    share0 = d0 / (d0 + d1)
    share1 = 1.0 - share0
    drive = share0 * w0 + share1 * w1
    drag = share0 * c0 + share1 * c1
    critical = drive / (3.0 * drag)
    middle = (drive - share0 * u0 - share1 * u1) / drag
    if middle <= critical:
        root = math.sqrt(critical)
        return root * share0 * max(w0 - c0 * critical, 0.0), root * share1 * max(w1 - c1 * critical, 0.0)
    root = math.sqrt(middle)
    return root * share0 * u0, root * share1 * u1


@njit(error_model="numpy")
def offer(x: Array, open_road: Array, ends: Array, tables: Tables) -> None:
    """Write what each road wants to send through its stop line.

    Args:
        x: (4, slots) state.
        open_road: (links,) whether the road has green.
        ends: (5, links, 2) by class; row 0 is written with flows [lanes m/s], row 1 with their w [m/s].
        tables: constants.
    """
    physics = tables.physics
    for road in range(tables.links.shape[0]):
        ends[0, road, 0] = 0.0
        ends[0, road, 1] = 0.0
        if not open_road[road]:
            continue
        j = tables.links[road, 1] - 1
        a0, a1 = x[0, j], x[1, j]
        w0 = min(x[2, j] / max(a0, 1e-300), physics[0, 0])
        w1 = min(x[3, j] / max(a1, 1e-300), physics[0, 1])
        d0, d1 = demand(a0, a1, w0, w1, physics[1, 0], physics[1, 1])
        scale = tables.widths[road, 1]
        if d0 + d1 > tables.scalars[1]:
            scale *= tables.scalars[1] / (d0 + d1)
        ends[0, road, 0] = d0 * scale
        ends[0, road, 1] = d1 * scale
        ends[1, road, 0] = w0
        ends[1, road, 1] = w1


@njit(error_model="numpy")
def turn_in(ends: Array, tables: Tables) -> None:
    """Add what roads send to the roads that they turn into.

    Args:
        ends: (5, links, 2) rows 0 and 1 are read, rows 2 and 3 added to.
        tables: constants.
    """
    for road in range(tables.links.shape[0]):
        if tables.links[road, 3]:
            for turn in range(3):
                target = tables.targets[road, turn]
                if target >= 0:
                    for k in range(2):
                        flow = tables.ratios[road, turn] * ends[0, road, k]
                        ends[2, target, k] += flow
                        ends[3, target, k] += flow * ends[1, road, k]


@njit(error_model="numpy")
def gather(ends: Array, queue: Array, tables: Tables) -> None:
    """Write what arrives at each road: turning flows from other roads, or the entry queue.

    Args:
        ends: (5, links, 2) rows 2 and 3 are written: arriving flow [lanes m/s] and flow times w [m2/s2].
        queue: (entries, 2) vehicles outside that may enter in this step [veh].
        tables: constants.
    """
    for k in range(2):
        scale = tables.physics[4, k] / tables.scalars[0]
        for road in range(tables.links.shape[0]):
            entry = tables.links[road, 2]
            flow = queue[entry, k] * scale if entry >= 0 else 0.0
            ends[2, road, k] = flow
            ends[3, road, k] = flow * tables.physics[0, k]
    turn_in(ends, tables)


@njit(error_model="numpy")
def limit(x: Array, v: Array, ends: Array, tables: Tables) -> None:
    """Write the share of what arrives at each road that it can take, by class.

    Args:
        x: (4, slots) state.
        v: (2, slots) speeds [m/s].
        ends: (5, links, 2) row 4 is written: accepted share [-].
        tables: constants.
    """
    physics = tables.physics
    for road in range(tables.links.shape[0]):
        d0, d1 = ends[2, road, 0], ends[2, road, 1]
        ends[4, road, 0] = 1.0
        ends[4, road, 1] = 1.0
        if d0 + d1 <= 0.0:
            continue
        w0 = ends[3, road, 0] / d0 if d0 > 0.0 else physics[0, 0]
        w1 = ends[3, road, 1] / d1 if d1 > 0.0 else physics[0, 1]
        j = tables.links[road, 0]
        rr = (x[0, j] + x[1, j]) * (x[0, j] + x[1, j])
        u0 = v[0, j] if x[0, j] > physics[7, 0] else max(w0 - physics[1, 0] * rr, 0.0)
        u1 = v[1, j] if x[1, j] > physics[7, 0] else max(w1 - physics[1, 1] * rr, 0.0)
        s0, s1 = supply(d0, d1, w0, w1, physics[1, 0], physics[1, 1], u0, u1)
        lanes = tables.widths[road, 1]
        if d0 > 0.0:
            ends[4, road, 0] = min(1.0, s0 * lanes / d0)
        if d1 > 0.0:
            ends[4, road, 1] = min(1.0, s1 * lanes / d1)


@njit(error_model="numpy")
def hold_back(ends: Array, queue: Array, tables: Tables) -> None:
    """Reduce what roads send, and what entries admit, to what is accepted.

    Args:
        ends: (5, links, 2) row 0 is reduced; rows 2 and 3 become what really arrives.
        queue: (entries, 2) vehicles outside [veh], reduced by those who enter.
        tables: constants.
    """
    for road in range(tables.links.shape[0]):
        if tables.links[road, 3]:
            for k in range(2):
                share = 1.0
                for turn in range(3):
                    target = tables.targets[road, turn]
                    if target >= 0 and tables.ratios[road, turn] > 0.0:
                        share = min(share, ends[4, target, k])
                ends[0, road, k] *= share
    for road in range(tables.links.shape[0]):
        entry = tables.links[road, 2]
        for k in range(2):
            share = ends[4, road, k] if entry >= 0 else 0.0
            ends[2, road, k] *= share
            ends[3, road, k] *= share
            if entry >= 0:
                queue[entry, k] -= queue[entry, k] * share
    turn_in(ends, tables)


@njit(error_model="numpy")
def bound(flux: Array, ends: Array, exits: Array, tables: Tables) -> None:
    """Put the flows at both ends of each road into its fluxes, and count who leaves the network.

    Args:
        flux: (4, slots + 1) fluxes; those at road ends are written.
        ends: (5, links, 2) rows 0 to 3.
        exits: (2,) vehicles that left [veh], added to.
        tables: constants.
    """
    for road in range(tables.links.shape[0]):
        first, last = tables.links[road, 0], tables.links[road, 1]
        per_lane = 1.0 / tables.widths[road, 1]
        for k in range(2):
            leaving = ends[0, road, k]
            flux[k, first] = ends[2, road, k] * per_lane
            flux[2 + k, first] = ends[3, road, k] * per_lane
            flux[k, last] = leaving * per_lane
            flux[2 + k, last] = leaving * per_lane * ends[1, road, k]
            if tables.links[road, 3]:
                for turn in range(3):
                    if tables.targets[road, turn] >= 0:
                        leaving -= tables.ratios[road, turn] * ends[0, road, k]
            exits[k] += leaving * (tables.scalars[0] / tables.physics[4, k])


KERNELS: tuple[Any, ...] = (demand, supply, offer, turn_in, gather, limit, hold_back, bound)
"""What the fused kernel inlines from here."""
