"""The first-order step with four roads side by side: one vector holds the same cell of four roads.

A row of ``cells`` holds a_m, a_c [-] and w_m, w_c [m/s] of four cells, in this order, from the upstream end of the
longest of four roads to the stop lines, which lie in the same row. Shorter roads begin further down; above, their
lanes hold nobody, and no flux from there is used. A cell always keeps the least number, which spares the division
a question; ten times what a cell gets so in a decision, at least a thousand times the least number, counts as nobody.
Between :func:`relax` and :func:`renew` the last two components are y = a w.

The next row is the next cell downstream. So :func:`renew` passes each face once: it keeps the flux of the face
above in registers, while the division for the face below and those for the row above are under way. Formulas
and their rounding are those of :mod:`.flow`, which see.
"""

from __future__ import annotations

from typing import Any

from validation_ch7.traffic.arrays import Array, Rows
from validation_ch7.traffic.compilation import inlined, loop
from validation_ch7.traffic.flow import bounds, coefficients, relaxed, sides
from validation_ch7.traffic.vectors import above, greatest, least, load, spread, store


@inlined
def _twice(x: Array, cells: Array, road: int, k: int, links: Array, places: Array) -> tuple[Array, Array]:
    """Return one component of a road where it lies in its slots, and where it lies beside others."""
    first, last = links[road, 0], links[road, 1]
    row, lane = places[road, 0], places[road, 2]
    return x[k, first:last], cells[row : row + last - first, k, lane]


@loop
def gather(x: Array, cells: Array, links: Array, places: Array, physics: Array) -> None:
    """Put the roads side by side; where nobody is, leave the least number that is kept.

    Args:
        x: (4, slots) state.
        cells: (rows + 1, 4, 4) written.
        links: (links, 4) of each road first slot, slot after the last.
        places: (links, 3) of each road row of its first cell, group, lane.
        physics: constants.
    """
    for road in range(links.shape[0]):
        for k in range(4):
            here, there = _twice(x, cells, road, k, links, places)
            for j in range(here.size):
                there[j] = here[j]
    tiny = spread(physics[6, 0])
    fastest = spread((physics[0, 0], physics[0, 1]))
    for row in range(cells.shape[0]):
        for k in range(2):
            at = 16 * row + 4 * k
            a = greatest(load(cells, at), tiny)
            store(cells, at, a)
            store(cells, at + 8, least(load(cells, at + 8) / a, fastest[k]))


@loop
def scatter(cells: Array, x: Array, links: Array, places: Array, physics: Array) -> None:
    """Write the roads back, one after another.

    Args:
        cells: (rows + 1, 4, 4) read; used up.
        x: (4, slots) state, written.
        links: (links, 4) of each road first slot, slot after the last.
        places: (links, 3) of each road row of its first cell, group, lane.
        physics: constants.
    """
    counted, zero = spread((physics[8, 1], physics[5, 0]))
    for row in range(cells.shape[0]):
        for k in range(2):
            at = 16 * row + 4 * k
            a = load(cells, at)
            a = above(a, counted, a, zero)
            store(cells, at, a)
            store(cells, at + 8, a * load(cells, at + 8))
    for road in range(links.shape[0]):
        for k in range(4):
            here, there = _twice(x, cells, road, k, links, places)
            for j in range(here.size):
                here[j] = there[j]


@loop
def relax(cells: Array, waves: Array, first: int, last: int, physics: Array) -> None:
    """Relax the speeds over one time step, then find speeds and wave bounds.

    Args:
        cells: (rows + 1, 4, 4) w becomes y.
        waves: (rows + 1, 4, 4) speeds of both classes, lowest and highest wave speed [m/s], written.
        first: first row.
        last: row after the last.
        physics: constants.
    """
    numbers = spread(coefficients(physics))
    for at in range(16 * first, 16 * last, 16):
        y0, y1, s0, s1, low, high = relaxed(
            load(cells, at), load(cells, at + 4), load(cells, at + 8), load(cells, at + 12), numbers
        )
        store(cells, at + 8, y0)
        store(cells, at + 12, y1)
        store(waves, at, s0)
        store(waves, at + 4, s1)
        store(waves, at + 8, low)
        store(waves, at + 12, high)


@inlined
def look(cells: Array, waves: Array, tips: Array, links: Array, places: Array, physics: Array) -> None:
    """Write what a junction sees of each road; see :func:`~validation_ch7.traffic.junction.look`.

    Args:
        cells: (rows + 1, 4, 4) after :func:`relax`.
        waves: (rows + 1, 4, 4) see :func:`relax`.
        tips: (links, 8) written.
        links: (links, 4) of each road first slot, slot after the last.
        places: (links, 3) of each road row of its first cell, group, lane.
        physics: constants.
    """
    for road in range(links.shape[0]):
        first, lane = places[road, 0], places[road, 2]
        last = first + links[road, 1] - links[road, 0] - 1
        for k in range(2):
            tips[road, k] = cells[first, k, lane]
            tips[road, 2 + k] = waves[first, k, lane]
            there = cells[last, k, lane] > physics[8, 1]
            tips[road, 4 + k] = cells[last, k, lane] if there else 0.0
            tips[road, 6 + k] = cells[last, 2 + k, lane] if there else 0.0


@inlined
def _face(waves: Array, at: int) -> Any:
    """Return the wave bounds at the face between the rows before and at a flat index; see :func:`.flow.bounds`."""
    return bounds(load(waves, at - 8), load(waves, at + 8), load(waves, at + 12))


@inlined
def _weights(waves: Array, at: int, left: Any, weight: Any, one: Any) -> Any:
    """Return for both classes how both sides count at the face below a row; see :func:`.flow.sides`."""
    right = load(waves, at + 28)
    up0, down0 = sides(left, weight, right, load(waves, at), load(waves, at + 16), one)
    up1, down1 = sides(left, weight, right, load(waves, at + 4), load(waves, at + 20), one)
    return up0, down0, up1, down1


@inlined
def _through(cells: Array, at: int, up: Any, down: Any) -> Any:
    """Return the flux of one component between the row at a flat index and the next one."""
    return up * load(cells, at) + down * load(cells, at + 16)


@inlined
def _keep(cells: Array, at: int, into: Any, out: Any, step: Any, tiny: Any) -> Any:
    """Add what flowed in and out to an occupancy, write and return it."""
    a = greatest(load(cells, at) + step * (into - out), tiny)
    store(cells, at, a)
    return a


@inlined
def _settle(cells: Array, at: int, row: Any, zero: Any, fastest: Any) -> None:
    """Write the w of a row, given its new occupancies and y."""
    a0, y0, a1, y1 = row
    store(cells, at + 8, least(greatest(y0, zero) / a0, fastest[0]))
    store(cells, at + 12, least(greatest(y1, zero) / a1, fastest[1]))


@inlined
def _fluxes(edges: Array, at: int) -> Any:
    """Return the fluxes into the first cells of a group, or out of the last ones, from a flat index on."""
    return load(edges, at), load(edges, at + 4), load(edges, at + 8), load(edges, at + 12)


@loop
def renew(cells: Array, waves: Array, edges: Array, group: int, rows: Rows, physics: Array) -> None:
    """Add what flowed in and out over one time step; what rounding took below zero becomes nobody.

    Args:
        cells: (rows + 1, 4, 4) after :func:`relax`; y becomes w.
        waves: (rows + 1, 4, 4) see :func:`relax`.
        edges: (groups, 8, 4) see :func:`~validation_ch7.traffic.junction.bound`.
        group: four roads.
        rows: where they lie.
        physics: constants.
    """
    stretches = rows.stretches
    one, zero, tiny = spread((physics[5, 1], physics[5, 0], physics[6, 0]))
    fastest = spread((physics[0, 0], physics[0, 1]))
    last = rows.groups[group, 1]
    entering, leaving = _fluxes(edges, 32 * group), _fluxes(edges, 32 * group + 16)
    f0, f1, f2, f3 = entering
    left, weight = _face(waves, 16 * rows.groups[group, 0] + 16)
    a0, y0, a1, y1 = one, zero, one, zero
    for stretch in range(rows.groups[group, 2], rows.groups[group, 3]):
        step = load(rows.steps, 4 * stretch)
        for at in range(16 * stretches[stretch, 0], 16 * stretches[stretch, 1] - 16, 16):
            up0, down0, up1, down1 = _weights(waves, at, left, weight, one)
            left, weight = _face(waves, at + 32)
            _settle(cells, at - 16, (a0, y0, a1, y1), zero, fastest)
            out = _through(cells, at, up0, down0)
            a0 = _keep(cells, at, f0, out, step, tiny)
            f0, out = out, _through(cells, at + 8, up0, down0)
            y0 = load(cells, at + 8) + step * (f2 - out)
            f2, out = out, _through(cells, at + 4, up1, down1)
            a1 = _keep(cells, at + 4, f1, out, step, tiny)
            f1, out = out, _through(cells, at + 12, up1, down1)
            y1 = load(cells, at + 12) + step * (f3 - out)
            f3 = out
        at = 16 * stretches[stretch, 1] - 16
        if stretches[stretch, 1] == last:
            g0, g1, g2, g3 = leaving
        else:
            up0, down0, up1, down1 = _weights(waves, at, left, weight, one)
            left, weight = _face(waves, at + 32)
            starts = load(rows.starts, 4 * stretch + 4)
            g0 = above(starts, zero, entering[0], _through(cells, at, up0, down0))
            g1 = above(starts, zero, entering[1], _through(cells, at + 4, up1, down1))
            g2 = above(starts, zero, entering[2], _through(cells, at + 8, up0, down0))
            g3 = above(starts, zero, entering[3], _through(cells, at + 12, up1, down1))
        _settle(cells, at - 16, (a0, y0, a1, y1), zero, fastest)
        a0 = _keep(cells, at, f0, g0, step, tiny)
        a1 = _keep(cells, at + 4, f1, g1, step, tiny)
        y0 = load(cells, at + 8) + step * (f2 - g2)
        y1 = load(cells, at + 12) + step * (f3 - g3)
        f0, f1, f2, f3 = g0, g1, g2, g3
    _settle(cells, 16 * last - 16, (a0, y0, a1, y1), zero, fastest)


@inlined
def _halted(a: Any, w: Any, pressure: Any, stop: Any, counted: Any, zero: Any) -> Any:
    """Return what is there of a class, its flow [m/s] and what is queued of it [-]."""
    here = above(a, counted, a, zero)
    speed = greatest(w - pressure, zero)
    return here, here * speed, above(stop, speed, here, zero)


@loop
def mark(cells: Array, queued: Array, totals: Array, group: int, groups: Array, physics: Array) -> None:
    """Find in each cell what is queued, and add up over the cells; see :func:`~validation_ch7.traffic.measure.mark`.

    Args:
        cells: (rows + 1, 4, 4) with w.
        queued: (rows, 2, 4) occupancy of queued vehicles [-] before, updated.
        totals: (groups, 4, 2, 4) by class and lane: occupancy of queued vehicles and of all [-], flow [m/s] and growth
            of the queued occupancy [-] over the cells of a group, written.
        group: four roads.
        groups: (groups, 4) see :class:`~validation_ch7.traffic.arrays.Rows`.
        physics: constants.
    """
    c0, c1, stop = spread((physics[1, 0], physics[1, 1], physics[7, 1]))
    zero, counted = spread((physics[5, 0], physics[8, 1]))
    still0, still1, there0, there1, flow0, flow1, growth0, growth1 = zero, zero, zero, zero, zero, zero, zero, zero
    for row in range(groups[group, 0], groups[group, 1]):
        at, here = 16 * row, 8 * row
        p, q = load(cells, at), load(cells, at + 4)
        rr = (p + q) * (p + q)
        p, f0, h0 = _halted(p, load(cells, at + 8), c0 * rr, stop, counted, zero)
        q, f1, h1 = _halted(q, load(cells, at + 12), c1 * rr, stop, counted, zero)
        growth0 = growth0 + greatest(h0 - load(queued, here), zero)
        growth1 = growth1 + greatest(h1 - load(queued, here + 4), zero)
        there0, there1, flow0, flow1 = there0 + p, there1 + q, flow0 + f0, flow1 + f1
        still0, still1 = still0 + h0, still1 + h1
        store(queued, here, h0)
        store(queued, here + 4, h1)
    at = 32 * group
    store(totals, at, still0)
    store(totals, at + 4, still1)
    store(totals, at + 8, there0)
    store(totals, at + 12, there1)
    store(totals, at + 16, flow0)
    store(totals, at + 20, flow1)
    store(totals, at + 24, growth0)
    store(totals, at + 28, growth1)


@inlined
def add_up(
    cells: Array, queued: Array, totals: Array, sums: Array, groups: Array, places: Array, physics: Array
) -> None:
    """Take a sample of every road; see :func:`~validation_ch7.traffic.measure.add_up`.

    Args:
        cells: (rows + 1, 4, 4) with w.
        queued: (rows, 2, 4) see :func:`mark`.
        totals: (groups, 4, 2, 4) scratch.
        sums: (links, 2, 5) columns 0 and 1 are written, the others added to.
        groups: (groups, 4) see :class:`~validation_ch7.traffic.arrays.Rows`.
        places: (links, 3) of each road row of its first cell, group, lane.
        physics: constants.
    """
    for group in range(groups.shape[0]):
        mark(cells, queued, totals, group, groups, physics)
    for road in range(places.shape[0]):
        group, lane = places[road, 1], places[road, 2]
        for k in range(2):
            sums[road, k, 0] = totals[group, 0, k, lane]
            sums[road, k, 1] = totals[group, 1, k, lane]
            for kind in range(1, 4):
                sums[road, k, 1 + kind] += totals[group, kind, k, lane]


KERNELS: tuple[Any, ...] = (
    *(gather, scatter, relax, look, renew, mark, add_up),
    *(_twice, _face, _weights, _through, _keep, _settle, _fluxes, _halted),
)
"""What the fused kernel inlines from here."""
