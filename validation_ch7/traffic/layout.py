"""From the configuration to the arrays of the kernel: roads, turning targets, time step, signal timing."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from validation_ch7.environment_config import APPROACHES, EnvironmentConfig, Network
from validation_ch7.traffic.arrays import Floats, Integers, Rows, Tables
from validation_ch7.traffic.vectors import LANES

HALF_SHOWN_S = 30.0
"""Elapsed green that the observation shows as one half [s]."""

_HEADING = {"north": (1, 0), "south": (-1, 0), "east": (0, -1), "west": (0, 1)}
_TURNS = {
    "north": ("west", "north", "east"),
    "south": ("east", "south", "west"),
    "east": ("north", "east", "south"),
    "west": ("south", "west", "north"),
}
"""Approach of the next intersection that left, through and right lead to, by the approach of this one."""


@dataclass(frozen=True)
class Layout:
    """A network ready to be simulated; road 4 k + a is approach a of intersection k, row by row from the north.

    Attributes:
        tables: what the kernel reads.
        rows: where the roads lie side by side.
        entries: (entries,) road of each entry.
        vehicles: (2, slots) vehicles in a cell filled by one class alone at occupancy 1 [veh].
        time_step_s: length of a substep [s].
    """

    tables: Tables
    rows: Rows
    entries: Integers
    vehicles: Floats
    time_step_s: float

    @property
    def intersections(self) -> int:
        """Number of intersections."""
        return len(self.tables.links) // 4

    @property
    def slots(self) -> int:
        """Number of slots, unused ones included."""
        return len(self.tables.rate)

    @property
    def phases(self) -> int:
        """Number of phases."""
        return len(self.tables.green)

    @property
    def observation_size(self) -> int:
        """Entries of the observation."""
        return len(self.tables.links) * (3 + int(self.tables.timing[5])) + self.intersections * (self.phases + 2)


def next_road(network: Network, road: int, turn: int) -> int:
    """Return the road that a turn (0 left, 1 through, 2 right) leads to, or -1 for out of the network.

    >>> [next_road(Network(columns=2), 3, turn) for turn in (0, 1, 2)]
    [-1, 7, -1]
    """
    row, column = divmod(road // 4, network.columns)
    approach = _TURNS[APPROACHES[road % 4]][turn]
    down, right = _HEADING[approach]
    row, column = row + down, column + right
    if not (0 <= row < network.rows and 0 <= column < network.columns):
        return -1
    return 4 * (row * network.columns + column) + APPROACHES.index(approach)


def substeps_per_decision(config: EnvironmentConfig) -> tuple[int, int]:
    """Return the substeps and the samples of one decision.

    The step keeps dt (Vmax + 2 max c) <= cfl dx, the greatest gap between the fastest and slowest wave, at
    which every cell's share of its own content stays positive; half of that for second order. A sample is
    taken about every second.

    >>> substeps_per_decision(EnvironmentConfig())
    (30, 5)
    """
    classes = (config.traffic.motorbike, config.traffic.car)
    fastest = max(kind.free_speed_m_s for kind in classes)
    slowest = 2.0 * max(kind.free_speed_m_s / kind.jam_occupancy**2 for kind in classes)
    longest = config.solver.cfl * config.network.cell_length_m / (fastest + slowest) / config.solver.order
    samples = max(1, round(config.decision_s))
    return samples * math.ceil(config.decision_s / longest / samples - 1e-9), samples


def build_layout(config: EnvironmentConfig) -> Layout:
    """Return the layout of a configuration."""
    network, substeps = config.network, substeps_per_decision(config)
    dt = config.decision_s / substeps[0]
    roads = 4 * network.rows * network.columns
    targets = np.array([[next_road(network, road, turn) for turn in range(3)] for road in range(roads)], np.int64)
    entries = np.setdiff1d(np.arange(roads), targets)
    links, widths = _roads(network, entries, targets)
    slots = int(links[-1, 1]) + 1
    dtype = np.dtype(config.solver.precision)
    rate = np.zeros(slots, dtype)
    vehicles = np.zeros((2, slots))
    lengths = np.array([config.traffic.motorbike.length_m, config.traffic.car.length_m])
    for (first, last, _, _), (dx, lanes) in zip(links, widths, strict=True):
        rate[first:last] = dt / dx
        vehicles[:, first:last] = (dx * lanes / lengths)[:, None]
    ratios = _ratios(network)
    movements = np.argwhere((targets >= 0) & (ratios > 0.0))
    shares = ratios[tuple(movements.T)]
    leaving = 1.0 - np.bincount(movements[:, 0], shares, minlength=len(targets))
    places, side_by_side = put_side_by_side(links, dt / widths[:, 0], dtype)
    tables = Tables(
        physics=_physics(config, dt, substeps[0]).astype(dtype),
        rate=rate,
        links=links,
        widths=widths,
        targets=targets,
        ratios=ratios,
        movements=np.stack([movements[:, 0], targets[tuple(movements.T)]], axis=1).astype(np.int64),
        shares=shares,
        places=places,
        factors=np.column_stack([1.0 / widths[:, 1], leaving, widths.prod(axis=1)[:, None] / lengths]),
        green=np.array([[approach in phase for approach in APPROACHES] for phase in config.signal.phases], np.int64),
        timing=_timing(config, substeps, dt),
        scalars=_scalars(config, dt),
    )
    return Layout(tables, side_by_side, entries.astype(np.int64), vehicles, dt)


def _roads(network: Network, entries: Integers, targets: Integers) -> tuple[Integers, Floats]:
    roads = len(targets)
    links, widths = np.zeros((roads, 4), np.int64), np.zeros((roads, 2))
    rank = {int(road): row for row, road in enumerate(entries)}
    slot = 1
    for road in range(roads):
        length = network.entry_length_m if road in rank else network.spacing_m
        cells = round(length / network.cell_length_m)
        links[road] = slot, slot + cells, rank.get(road, -1), targets[road].max() >= 0
        widths[road] = network.cell_length_m, network.lanes_north_south if road % 4 < 2 else network.lanes_east_west
        slot += cells + 1
    return links, widths


def put_side_by_side(links: Integers, rates: Floats, dtype: np.dtype[Any]) -> tuple[Integers, Rows]:
    """Put roads of like length into groups of four, their stop lines in the same row; a spare row lies before each.

    Args:
        links: (links, 2 or more) first slot, slot after the last; a multiple of four roads.
        rates: (links,) time step over cell length [s/m].
        dtype: type of the rates.
    """
    lengths = links[:, 1] - links[:, 0]
    order = np.argsort(-lengths, kind="stable").reshape(-1, LANES)
    places = np.zeros((len(links), 3), np.int64)
    groups: list[tuple[int, ...]] = []
    stretches: list[tuple[int, int]] = []
    steps, starts, row = [], [], 1
    for group, roads in enumerate(order):
        end = row + int(lengths[roads].max())
        firsts = end - lengths[roads]
        for lane, road in enumerate(roads):
            places[road] = firsts[lane], group, lane
        edges = [*np.unique(firsts), end]
        groups.append((row, end, len(stretches), len(stretches) + len(edges) - 1))
        for first, after in itertools.pairwise(edges):
            stretches.append((first, after))
            steps.append(np.where(firsts <= first, rates[roads], 0.0))
            starts.append(firsts == first)
        row = end + 1
    return places, Rows(
        np.array(groups, np.int64), np.array(stretches, np.int64), np.array(steps, dtype), np.array(starts, dtype)
    )


def _ratios(network: Network) -> Floats:
    turnings = [network.turning_north_south] * 2 + [network.turning_east_west] * 2
    shares = np.array([[turning.left, turning.through, turning.right] for turning in turnings])
    return np.tile(shares, (network.rows * network.columns, 1))


def _physics(config: EnvironmentConfig, dt: float, substeps: int) -> Floats:
    double = config.solver.precision == "float64"
    least = 1e-100 if double else 1e-18
    classes = (config.traffic.motorbike, config.traffic.car)
    rows = [
        [kind.free_speed_m_s for kind in classes],
        [kind.free_speed_m_s / kind.jam_occupancy**2 for kind in classes],
        [1.0 / kind.jam_occupancy for kind in classes],
        [-math.expm1(-dt / config.solver.order / kind.relaxation_s) for kind in classes],
        [kind.length_m for kind in classes],
        [0.0, 1.0],
        [least, 2.0],
        [1e-9 if double else 1e-6, config.traffic.stop_speed_m_s],
        [0.5, 10.0 * max(100, substeps) * least],  # a cell gets the least number at most once in a substep
    ]
    return np.array(rows)


def _timing(config: EnvironmentConfig, substeps: tuple[int, int], dt: float) -> Integers:
    signal = config.signal
    seconds = (
        signal.yellow_s + signal.all_red_s,
        signal.min_green_s,
        signal.max_green_s or 0.0,
    )
    steps = [round(value / dt) for value in seconds]
    return np.array(
        [*substeps, *steps, config.observation.segments, round(signal.yellow_s / dt), config.solver.order], np.int64
    )


def _scalars(config: EnvironmentConfig, dt: float) -> Floats:
    saturation = config.network.saturation_flow_pcu_per_h_lane / 3600.0 * config.traffic.car.length_m
    return np.array(
        [
            dt,
            saturation,
            config.traffic.stop_speed_m_s,
            config.observation.entry_queue_scale_veh,
            config.decision_s,
            HALF_SHOWN_S,
            *(kind.length_m / dt for kind in (config.traffic.motorbike, config.traffic.car)),
            *(dt / kind.length_m for kind in (config.traffic.motorbike, config.traffic.car)),
        ]
    )
