"""The fused kernel: all substeps of one decision for one environment after another, in one compiled call.

Environments run in the outer loop and time in the inner one, so that the state of one environment stays in the
first-level cache. Each environment is computed by the same instructions whatever the size of the batch. The
first-order step is written out in that loop: behind one more call the compiler neither vectorises as well nor
saves the counting of references, which costs a sixth of the time.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from typing import Any, cast

import numpy as np
from numba import njit

from validation_ch7.traffic import flow, junction, measure, second_order
from validation_ch7.traffic.arrays import Array, Tables


def fingerprint(functions: Iterable[Any]) -> str:
    """Return a digest of compiled functions' bytecode.

    Numba's cache on disk notices a change in the file of the function that it caches, but not in those that
    are inlined into it. The fused kernel closes over this digest, which makes it part of the cache's key.
    """
    digest = hashlib.sha256(repr(Tables._fields).encode())
    for function in functions:
        code = function.py_func.__code__
        digest.update(code.co_code + repr((code.co_consts, code.co_names)).encode())
    return digest.hexdigest()


@njit(error_model="numpy")
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


@njit(error_model="numpy")
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


@njit(error_model="numpy")
def second_order_step(
    x: Array,
    queue: Array,
    exits: Array,
    open_road: Array,
    v: Array,
    pair: Array,
    flux: Array,
    ends: Array,
    tables: Tables,
) -> None:
    """Advance by one time step: half relaxation, MUSCL with SSP-RK2, half relaxation.

    Args:
        x: (4, slots) state, updated.
        queue: (entries, 2) vehicles outside [veh], updated.
        exits: (2,) vehicles that left [veh], added to.
        open_road: (links,) whether a road has green.
        v: (2, slots) scratch.
        pair: (2, slots) scratch.
        flux: (4, slots + 1) scratch.
        ends: (5, links, 2) scratch.
        tables: constants.
    """
    flow.relax_and_wave(x, v, pair, tables.physics)
    before, waiting, gone = x.copy(), queue.copy(), exits.copy()
    slope = np.empty_like(x)
    for _ in range(2):
        flow.find_speeds(x, v, tables.physics)
        second_order.find_slopes(x, pair, slope, tables.rate, tables.physics)
        second_order.muscl_fluxes(x, pair, slope, flux, tables.physics)
        junction.offer(x, open_road, ends, tables)
        junction.gather(ends, queue, tables)
        junction.limit(x, v, ends, tables)
        junction.hold_back(ends, queue, tables)
        junction.bound(flux, ends, exits, tables)
        flow.update(x, flux, tables.rate, tables.physics)
    half = tables.physics[8, 0]
    x[:] = half * (x + before)
    queue[:] = 0.5 * (queue + waiting)
    exits[:] = 0.5 * (exits + gone)
    flow.relax_and_wave(x, v, pair, tables.physics)


KERNELS = (
    request,
    tick,
    second_order_step,
    *flow.KERNELS,
    *second_order.KERNELS,
    *junction.KERNELS,
    *measure.KERNELS,
)


def compiled(function: Callable[..., None]) -> Callable[..., None]:
    """Compile a function, keeping the machine code on disk where there is a place for it.

    Numba stores it beside the source, else in the user's cache folder, or where NUMBA_CACHE_DIR says.
    """
    try:
        return cast("Callable[..., None]", njit(error_model="numpy", nogil=True, cache=True)(function))
    except RuntimeError:
        return cast("Callable[..., None]", njit(error_model="numpy", nogil=True)(function))


def _build(order: int, inlined: str) -> Callable[..., None]:
    @compiled
    def advance(
        tables: Tables,
        x: Array,
        queue: Array,
        signal: Array,
        arrivals: Array,
        clock: Array,
        wanted: Array,
        measures: Array,
        roads: Array,
        observation: Array,
    ) -> None:
        inlined  # noqa: B018  part of the cache's key
        substeps, samples, physics, rate = tables.timing[0], tables.timing[1], tables.physics, tables.rate
        slots, links = rate.size, tables.links.shape[0]
        v = np.zeros((2, slots), x.dtype)
        pair = np.zeros((2, slots), x.dtype)
        flux = np.zeros((4, slots + 1), x.dtype)
        queued = np.zeros((2, slots))
        ends = np.zeros((5, links, 2))
        open_road = np.zeros(links, np.bool_)
        inflow = np.zeros((queue.shape[1], 2))
        for b in range(x.shape[0]):
            xb, queue_b, signal_b, roads_b, measures_b = x[b], queue[b], signal[b], roads[b], measures[b]
            exits = measures_b[4]
            measures_b[:] = 0.0
            if wanted[b, 0] >= 0:
                request(signal_b, wanted[b], tables)
                flow.find_speeds(xb, v, physics)
                measure.mark_queued(xb, v, queued, tables)
                for entry in range(inflow.shape[0]):
                    inflow[entry, 0] = arrivals[b, clock[b], entry, 0] / substeps
                    inflow[entry, 1] = arrivals[b, clock[b], entry, 1] / substeps
                for _ in range(samples):
                    for _ in range(substeps // samples):
                        for entry in range(inflow.shape[0]):
                            queue_b[entry, 0] += inflow[entry, 0]
                            queue_b[entry, 1] += inflow[entry, 1]
                        tick(signal_b, open_road, tables)
                        if order == 2:
                            second_order_step(xb, queue_b, exits, open_road, v, pair, flux, ends, tables)
                            continue
                        flow.relax_and_wave(xb, v, pair, physics)
                        flow.hll_fluxes(xb, v, pair, flux, physics)
                        junction.offer(xb, open_road, ends, tables)
                        junction.gather(ends, queue_b, tables)
                        junction.limit(xb, v, ends, tables)
                        junction.hold_back(ends, queue_b, tables)
                        junction.bound(flux, ends, exits, tables)
                        flow.update(xb, flux, rate, physics)
                    flow.find_speeds(xb, v, physics)
                    measure.sample(xb, v, queued, roads_b, queue_b, measures_b, tables)
            measures_b[6, 1] = measure.imbalance(roads_b, tables)
            measure.observe(xb, roads_b, queue_b, signal_b, observation[b], tables)

    return advance


ADVANCE = {order: _build(order, fingerprint(KERNELS)) for order in (1, 2)}
"""By order of the scheme: advance every environment of a batch by one decision.

Args, with B environments: tables; x (B, 4, slots) state; queue (B, entries, 2) [veh]; signal
(B, intersections, 3); arrivals (B, decisions, entries, 2) [veh per decision]; clock (B,) decision within the
episode; wanted (B, intersections) phases, or -1 to leave an environment as it is; measures (B, 7, 2), roads
(B, links, 2, 2) and observation (B, size), all three written.
"""
