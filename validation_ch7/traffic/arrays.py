"""The arrays that the compiled kernels read and work in: constants of a network, and scratch.

Roads lie one after another in *slots*; an unused slot, with rate 0, lies before each road and after the last. So the
face between slots j - 1 and j belongs to one road only, and a loop over all slots does the interior. At first order the
processor's kernel puts them side by side in *rows* first.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Floats = NDArray[np.floating[Any]]
Integers = NDArray[np.int64]

CACHE_LINE = 64
"""Bytes that a processor fetches at once."""
MEASURES = ("delay_veh_s", "time_veh_s", "queue_mean_veh", "stops_veh", "exits_veh", "queue_max_veh", "overall")
"""Rows of the measures of one decision, each for motorbikes and cars; ``overall`` holds the greatest
total queue [veh] and the imbalance of queues between approaches and exits [veh]."""


class Tables(NamedTuple):
    """Constants of one network, its classes and its signals.

    Attributes:
        physics: (9, 2) by class: Vmax [m/s]; c = Vmax / R^2 [m/s]; 1 / R [-]; 1 - exp(-dt / order / tau) [-];
            vehicle length [m]; then constants of the same type: (0, 1); (least number kept, 2); (least occupancy
            of a present class, stop speed [m/s]); (1 / 2, least occupancy that the first-order kernel counts).
        rate: (slots,) dt / dx [s/m], 0 in unused slots.
        links: (links, 4) first slot, slot after the last, row of the entry queue or -1, whether it leads to a road.
        widths: (links, 2) cell length [m], lanes.
        targets: (links, 3) link that left, through and right lead to, or -1 for out of the network.
        ratios: (links, 3) shares of left, through and right [-].
        movements: (movements, 2) road and target of each turn that leads to another road, by road.
        shares: (movements,) share of the road's flow that takes it [-].
        places: (links, 3) where a road lies side by side with others: row of its first cell, group, lane.
        factors: (links, 4) 1 / lanes [-], share of the outflow that leaves the network [-], vehicles in a cell
            filled by motorbikes alone and by cars alone [veh].
        green: (phases, 4) 1 where a phase gives green to north, south, east, west.
        timing: substeps, samples a decision, intergreen, least green and greatest green (0: none) in
            substeps, road segments observed, yellow in substeps.
        scalars: time step [s], greatest outflow a lane [m/s], stop speed [m/s], entry queue scale [veh],
            decision [s], elapsed green shown as one half [s], by class the flow that empties a queue of one
            vehicle in a time step [lanes m/s / veh] (2 entries) and its inverse (2 entries).
    """

    physics: Floats
    rate: Floats
    links: Integers
    widths: Floats
    targets: Integers
    ratios: Floats
    movements: Integers
    shares: Floats
    places: Integers
    factors: Floats
    green: Integers
    timing: Integers
    scalars: Floats


class Rows(NamedTuple):
    """Where the cells of four roads each lie side by side; see :mod:`~validation_ch7.traffic.lanes`.

    Attributes:
        groups: (groups, 4) first row, row after the last, first stretch, stretch after the last.
        stretches: (stretches, 2) first row, row after the last: in between, the same lanes have cells.
        steps: (stretches, 4) dt / dx in the lanes that have cells [s/m], else 0.
        starts: (stretches, 4) 1 in the lanes whose first cell is the first row, else 0.
    """

    groups: Integers
    stretches: Integers
    steps: Floats
    starts: Floats


class Scratch(NamedTuple):
    """Room for the work of one thread; the first four at first order only.

    Attributes:
        cells: (rows + 1, 4, 4) state of four roads side by side; see :mod:`~validation_ch7.traffic.lanes`.
        waves: (rows + 1, 4, 4) speeds of both classes, lowest and highest wave speed [m/s], of the same cells.
        queued: (rows, 2, 4) occupancy of queued vehicles of the same cells [-].
        totals: (groups, 4, 2, 4) sums over the cells of four roads.
        v: (2, slots) second order: speeds [m/s].
        wave: (2, slots) second order: lowest and highest wave speed, then w of both classes [m/s].
        flux: (4, slots + 1) second order: fluxes of the state.
        marks: (4, 2, slots) second order: see :func:`~validation_ch7.traffic.measure.mark`.
        slope: (4, slots) second order: slopes.
        before: (4, slots) second order: state at the start of a step.
        waiting: (entries, 2) second order: vehicles outside then [veh].
        sums: (links, 2, 5) see :func:`~validation_ch7.traffic.measure.add_up`.
        tips: (links, 8) see :func:`~validation_ch7.traffic.junction.look`.
        ends: (links, 10) see :mod:`~validation_ch7.traffic.junction`.
        edges: (groups, 8, 4) see :func:`~validation_ch7.traffic.junction.bound`.
        open_road: (links,) whether a road has green.
        inflow: (entries, 2) arrivals in a substep [veh].
    """

    cells: Floats
    waves: Floats
    queued: Floats
    totals: Floats
    v: Floats
    wave: Floats
    flux: Floats
    marks: Floats
    slope: Floats
    before: Floats
    waiting: Floats
    sums: Floats
    tips: Floats
    ends: Floats
    edges: Floats
    open_road: NDArray[np.bool_]
    inflow: Floats


def _zeros(shape: tuple[int, ...], dtype: np.dtype[Any]) -> Floats:
    """Return zeros that begin with a cache line, so that no vector lies across two."""
    room = np.zeros(math.prod(shape) * dtype.itemsize + CACHE_LINE, np.uint8)
    start = -room.ctypes.data % CACHE_LINE
    return room[start : start + math.prod(shape) * dtype.itemsize].view(dtype).reshape(shape)


def make_scratch(tables: Tables, rows: Rows, entries: int, order: int) -> Scratch:
    """Return scratch arrays for a network with that many entries; what another order needs has no cells."""
    links, dtype = len(tables.links), tables.rate.dtype
    slots = tables.rate.size if order == 2 else 0
    cells = int(rows.groups[-1, 1]) if order == 1 else 0
    return Scratch(
        cells=_zeros((cells + 1, 4, 4), dtype),
        waves=_zeros((cells + 1, 4, 4), dtype),
        queued=_zeros((cells, 2, 4), dtype),
        totals=_zeros((links // 4, 4, 2, 4), dtype),
        v=np.zeros((2, slots), dtype),
        wave=np.zeros((2, slots), dtype),
        flux=np.zeros((4, slots + 1), dtype),
        marks=np.zeros((4, 2, slots), dtype),
        slope=np.zeros((4, slots), dtype),
        before=np.zeros((4, slots), dtype),
        waiting=np.zeros((entries, 2)),
        sums=np.zeros((links, 2, 5)),
        tips=np.zeros((links, 8)),
        ends=np.zeros((links, 10)),
        edges=_zeros((links // 4, 8, 4), dtype),
        open_road=np.zeros(links, np.bool_),
        inflow=np.zeros((entries, 2)),
    )
