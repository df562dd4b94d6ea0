"""The look-ahead oracle: every sequence of phases over the next decisions, tried on copies of the exact state."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from validation_ch7.environment_config import EnvironmentConfig
from validation_ch7.errors import ConfigurationError
from validation_ch7.traffic import Simulator
from validation_ch7.traffic.arrays import Floats, Integers
from validation_ch7.traffic.simulator import STATE

MOST_SEQUENCES = 1 << 16
"""More sequences than this are refused."""
_AT_ONCE = 1 << 14
"""Copies of the state that are simulated together at most, unless one row alone needs more."""


class Sequences(NamedTuple):
    """All sequences from some rows, each that the signals can tell apart once.

    Attributes:
        row: (n,) the row that each starts from.
        first: (n,) its first phase.
        delay: (n,) delay over the whole sequence [veh s].
    """

    row: Integers
    first: Integers
    delay: Floats


def count_sequences(config: EnvironmentConfig, depth: int) -> int:
    """Return how many sequences of ``depth`` decisions differ, at most; a change locks the light for a while.

    >>> count_sequences(EnvironmentConfig(), 10), 2**10
    (60, 1024)
    """
    signal = config.signal
    locked = signal.yellow_s + signal.all_red_s + signal.min_green_s
    pause, others = max(1, math.ceil(locked / config.decision_s - 1e-9)), len(signal.phases) - 1
    counts = [1]
    for decision in range(1, depth + 1):
        counts.append(counts[-1] + others * counts[max(0, decision - pause)])
    return counts[depth]


class LookAhead:
    """Takes the first phase of the sequence with the least delay over ``depth`` decisions.

    Exhaustive model predictive control with perfect knowledge of the coming arrivals (enumeration over a rolling
    horizon, as OPAC began: Gartner, Transportation Research Record 906, 1983): no controller that
    minimises delay over the same horizon can do better, which makes it a yardstick, not a rival; one that plans
    further ahead can. While a change or the least green locks the light, every request has the same effect, so
    one of them stands for all.

    Args:
        config: the environment that is controlled; one intersection.
        depth: decisions looked ahead.

    Raises:
        ConfigurationError: there are several intersections or too many sequences.
    """

    def __init__(self, config: EnvironmentConfig, depth: int = 10) -> None:
        phases = len(config.signal.phases)
        self.sequences = count_sequences(config, max(depth, 0))
        if config.network.rows * config.network.columns > 1 or depth < 1 or self.sequences > MOST_SEQUENCES:
            raise ConfigurationError(
                "The look-ahead would try too many sequences.",
                where="network and depth",
                expected=f"one intersection, depth from 1, at most {MOST_SEQUENCES} sequences",
                found=f"{config.network.rows} x {config.network.columns}, depth {depth}, {phases} phases:"
                f" {self.sequences} sequences",
                remedy="look less far ahead",
            )
        self.config = config
        self.depth = depth
        self._copies: dict[int, Simulator] = {}

    def decide(self, simulator: Simulator) -> Integers:
        """Return the first phase of the best sequence for each row; among equals the lowest phase."""
        wanted = np.zeros((simulator.size, 1), np.int64)
        left = simulator.arrivals.shape[1] - simulator.clock
        at_once = max(1, _AT_ONCE // self.sequences)
        for depth in np.unique(np.minimum(left, self.depth)).tolist():
            rows = np.flatnonzero(np.minimum(left, self.depth) == depth)
            for start in range(0, len(rows), at_once):
                tried = self.search(simulator, rows[start : start + at_once], depth)
                order = np.lexsort((tried.first, tried.delay, tried.row))
                best = order[np.flatnonzero(np.diff(tried.row[order], prepend=-1))]
                wanted[tried.row[best], 0] = tried.first[best]
        return wanted

    def search(self, simulator: Simulator, rows: Integers, depth: int) -> Sequences:
        """Return every sequence of ``depth`` decisions from the given rows; the simulator is left as it is."""
        row, first, delay = rows, np.zeros(len(rows), np.int64), np.zeros(len(rows))
        parent, at = simulator, rows
        for level in range(depth):
            chosen, wanted = self._branch(parent, at)
            row, delay = row[chosen], delay[chosen]
            first = wanted if level == 0 else first[chosen]
            parent = self._advance(parent, at[chosen], wanted)
            at = np.arange(len(wanted))
            delay = delay + parent.measures[: len(wanted), 0].sum(axis=1)
        return Sequences(row, first, delay)

    def _branch(self, simulator: Simulator, rows: Integers) -> tuple[Integers, Integers]:
        """Return the index into ``rows`` and the phase of every request that makes a difference."""
        phase, target, elapsed = simulator.signal[rows, 0].T
        free = (phase == target) & (elapsed >= simulator.layout.tables.timing[3])
        keys, wanted = [np.arange(len(rows))], [target]
        for other in range(simulator.layout.phases):
            changed = np.flatnonzero(free & (target != other))
            keys.append(changed)
            wanted.append(np.full(len(changed), other))
        return np.concatenate(keys), np.concatenate(wanted)

    def _advance(self, parent: Simulator, rows: Integers, wanted: Integers) -> Simulator:
        """Return a simulator whose first rows are copies of the parent's, one decision further."""
        size = 1 << (len(rows) - 1).bit_length()
        if size not in self._copies:
            self._copies[size] = Simulator(self.config, size)
        copy = self._copies[size]
        for name in STATE:
            getattr(copy, name)[: len(rows)] = getattr(parent, name)[rows]
        padded = np.full((size, 1), -1, np.int64)
        padded[: len(rows), 0] = wanted
        copy.step(padded)
        return copy
