"""The fused kernel: all substeps of one decision for one environment after another, in one compiled call.

Environments run in the outer loop and time in the inner one, so that the state of one environment stays in the
first-level cache. Each environment is computed by the same instructions whatever the size of the batch.
"""

from __future__ import annotations

from collections.abc import Callable

from validation_ch7.traffic import flow, junction, lanes, measure, second_order
from validation_ch7.traffic.arrays import Array, Rows, Scratch, Tables
from validation_ch7.traffic.compilation import fingerprint, fused, inlined, loop


@inlined
def request(signal: Array, wanted: Array, tables: Tables) -> None:
    """Begin a change of phase where one is wanted, no change is under way and the least green is over.

    Args:
        signal: (intersections, 3) phase, target, substeps elapsed; updated.
        wanted: (intersections,) phase that the agent wants.
        tables: constants.
    """
    for k in range(signal.shape[0]):
        if signal[k, 0] == signal[k, 1] and wanted[k] != signal[k, 0] and signal[k, 2] >= tables.timing[3]:
            signal[k, 1] = wanted[k]
            signal[k, 2] = 0


@inlined
def tick(signal: Array, open_road: Array, tables: Tables) -> None:
    """Find the roads that have green in this substep, then advance the clocks.

    Args:
        signal: (intersections, 3) phase, target, substeps elapsed; updated.
        open_road: (links,) whether a road has green, written.
        tables: constants.
    """
    phases = tables.green.shape[0]
    for k in range(signal.shape[0]):
        if signal[k, 0] != signal[k, 1] and signal[k, 2] >= tables.timing[2]:
            signal[k, 0] = signal[k, 1]
            signal[k, 2] = 0
        elif signal[k, 0] == signal[k, 1] and tables.timing[4] > 0 and signal[k, 2] >= tables.timing[4]:
            signal[k, 1] = (signal[k, 0] + 1) % phases
            signal[k, 2] = 0
        steady = signal[k, 0] == signal[k, 1]
        for approach in range(4):
            open_road[4 * k + approach] = steady and tables.green[signal[k, 0], approach] > 0
        signal[k, 2] += 1


@inlined
def first_order_step(queue: Array, exits: Array, work: Scratch, tables: Tables, rows: Rows) -> None:
    """Advance by one time step: relaxation, HLL fluxes, Euler update.

    Args:
        queue: (entries, 2) vehicles outside [veh], updated.
        exits: (2,) vehicles that left [veh], added to.
        work: scratch; ``cells`` holds the state, ``open_road`` says which roads have green.
        tables: constants.
        rows: where the roads lie side by side.
    """
    cells, waves, groups, physics = work.cells, work.waves, rows.groups, tables.physics
    for group in range(groups.shape[0]):
        lanes.relax(cells, waves, groups[group, 0], groups[group, 1], physics)
    lanes.look(cells, waves, work.tips, tables.links, tables.places, physics)
    junction.join(work.tips, queue, work.open_road, work.ends, work.edges, exits, tables)
    for group in range(groups.shape[0]):
        lanes.renew(cells, waves, work.edges, group, rows, physics)


@loop
def second_order_step(x: Array, queue: Array, exits: Array, work: Scratch, tables: Tables) -> None:
    """Advance by one time step: half relaxation, MUSCL with SSP-RK2, half relaxation.

    Args:
        x: (4, slots) state, updated.
        queue: (entries, 2) vehicles outside [veh], updated.
        exits: (2,) vehicles that left [veh], added to.
        work: scratch; ``open_road`` says which roads have green.
        tables: constants.
    """
    v, pair, flux, slope, before, waiting = work.v, work.wave, work.flux, work.slope, work.before, work.waiting
    flow.relax_and_wave(x, v, pair, tables.physics)
    gone0, gone1 = exits[0], exits[1]
    for k in range(4):
        for j in range(x.shape[1]):
            before[k, j] = x[k, j]
    for entry in range(queue.shape[0]):
        for k in range(2):
            waiting[entry, k] = queue[entry, k]
    for _ in range(2):
        flow.find_speeds(x, v, tables.physics)
        second_order.find_slopes(x, pair, slope, tables.rate, tables.physics)
        second_order.muscl_fluxes(x, pair, slope, flux, tables.physics)
        junction.look(x, v, work.tips, tables)
        junction.join(work.tips, queue, work.open_road, work.ends, work.edges, exits, tables)
        junction.put(work.edges, flux, tables)
        flow.update(x, flux, tables.rate, tables.physics)
    half = tables.physics[8, 0]
    for k in range(4):
        for j in range(x.shape[1]):
            x[k, j] = half * (x[k, j] + before[k, j])
    for entry in range(queue.shape[0]):
        for k in range(2):
            queue[entry, k] = 0.5 * (queue[entry, k] + waiting[entry, k])
    exits[0] = 0.5 * (exits[0] + gone0)
    exits[1] = 0.5 * (exits[1] + gone1)
    flow.relax_and_wave(x, v, pair, tables.physics)


KERNELS = (
    *(request, tick, first_order_step, second_order_step),
    *(*flow.KERNELS, *lanes.KERNELS, *second_order.KERNELS, *junction.KERNELS, *measure.KERNELS),
)


def _build(order: int, parts: str) -> Callable[..., None]:
    # Array by array: Numba looks at the arrays of a named tuple five times as long as at an array.
    @fused
    def advance(
        x: Array, queue: Array, signal: Array, arrivals: Array, clock: Array,
        wanted: Array, measures: Array, roads: Array, observation: Array,
        physics: Array, rate: Array, links: Array, widths: Array, targets: Array, ratios: Array,
        movements: Array, shares: Array, places: Array, factors: Array, green: Array, timing: Array, scalars: Array,
        groups: Array, stretches: Array, steps: Array, starts: Array,
        cells: Array, waves: Array, queued: Array, totals: Array, v: Array, wave: Array, flux: Array, marks: Array,
        slope: Array, before: Array, waiting: Array,
        sums: Array, tips: Array, ends: Array, edges: Array, open_road: Array, inflow: Array,
    ) -> None:  # fmt: skip
        parts  # noqa: B018  part of the cache's key
        tables = Tables(
            physics, rate, links, widths, targets, ratios, movements, shares, places, factors, green, timing, scalars
        )
        rows = Rows(groups, stretches, steps, starts)
        work = Scratch(
            cells, waves, queued, totals, v, wave, flux, marks, slope, before, waiting,
            sums, tips, ends, edges, open_road, inflow,
        )  # fmt: skip
        substeps, samples = timing[0], timing[1]
        for b in range(x.shape[0]):
            xb, queue_b, signal_b, roads_b, measures_b = x[b], queue[b], signal[b], roads[b], measures[b]
            exits = measures_b[4]
            measures_b[:] = 0.0
            if wanted[b, 0] >= 0:
                request(signal_b, wanted[b], tables)
                if order == 1:
                    lanes.gather(xb, cells, links, places, physics)
                    lanes.add_up(cells, queued, totals, sums, groups, places, physics)
                else:
                    measure.mark(xb, marks, physics)
                    marks[1:] = 0.0
                sums[:] = 0.0
                for entry in range(inflow.shape[0]):
                    inflow[entry, 0] = arrivals[b, clock[b], entry, 0] / substeps
                    inflow[entry, 1] = arrivals[b, clock[b], entry, 1] / substeps
                for _ in range(samples):
                    for _ in range(substeps // samples):
                        for entry in range(inflow.shape[0]):
                            queue_b[entry, 0] += inflow[entry, 0]
                            queue_b[entry, 1] += inflow[entry, 1]
                        tick(signal_b, open_road, tables)
                        if order == 1:
                            first_order_step(queue_b, exits, work, tables, rows)
                        else:
                            second_order_step(xb, queue_b, exits, work, tables)
                    if order == 1:
                        lanes.add_up(cells, queued, totals, sums, groups, places, physics)
                    else:
                        measure.mark(xb, marks, physics)
                        measure.add_up(xb, marks, sums, tables)
                    measure.sample(sums, queue_b, measures_b, tables)
                measure.conclude(sums, roads_b, measures_b, tables)
                if order == 1:
                    lanes.scatter(cells, xb, links, places, physics)
                clock[b] += 1
            measure.observe(xb, roads_b, queue_b, signal_b, observation[b], tables)

    return advance


ADVANCE = {order: _build(order, fingerprint(KERNELS)) for order in (1, 2)}
"""By order of the scheme: advance every environment of a batch by one decision.

Args, with B environments: x (B, 4, slots) state; queue (B, entries, 2) [veh]; signal
(B, intersections, 3); arrivals (B, decisions, entries, 2) [veh per decision]; clock (B,) decision within the
episode, advanced; wanted (B, intersections) phases, or -1 to leave an environment as it is; measures (B, 7, 2), roads
(B, links, 2, 2) and observation (B, size), all three written; then the arrays of ``Tables``, ``Rows`` and ``Scratch``.
"""
