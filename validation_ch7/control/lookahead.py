"""The look-ahead oracle: every sequence of phases over the next decisions, tried on copies of the exact state."""

from __future__ import annotations

import numpy as np

from validation_ch7.environment_config import EnvironmentConfig
from validation_ch7.errors import ConfigurationError
from validation_ch7.traffic import Simulator
from validation_ch7.traffic.arrays import Integers
from validation_ch7.traffic.simulator import STATE

MOST_SEQUENCES = 1 << 16
"""More sequences than this are refused."""


class LookAhead:
    """Takes the first phase of the sequence with the least delay over ``depth`` decisions.

    Exhaustive model predictive control with perfect knowledge of the coming arrivals: no controller that
    minimises delay over the same horizon can do better, which makes it a yardstick, not a rival. The tree is
    expanded level by level, so that depth d costs 2 + 4 + ... + 2^d simulated decisions for two phases.

    Args:
        config: the environment that is controlled; one intersection.
        depth: decisions looked ahead.

    Raises:
        ConfigurationError: there are several intersections or too many sequences.
    """

    def __init__(self, config: EnvironmentConfig, depth: int = 10) -> None:
        phases = len(config.signal.phases)
        if config.network.rows * config.network.columns > 1 or depth < 1 or phases**depth > MOST_SEQUENCES:
            raise ConfigurationError(
                "The look-ahead would try too many sequences.",
                where="network and depth",
                expected=f"one intersection, depth from 1, at most {MOST_SEQUENCES} sequences",
                found=f"{config.network.rows} x {config.network.columns}, {phases} phases to the power of {depth}",
                remedy="look less far ahead",
            )
        self.phases = phases
        self.levels = [Simulator(config, phases ** (level + 1)) for level in range(depth)]

    def decide(self, simulator: Simulator) -> Integers:
        """Return the first phase of the best sequence for each row; among equals the lowest phase."""
        return np.array([[self.best_first(simulator, row)] for row in range(simulator.size)], np.int64)

    def best_first(self, simulator: Simulator, row: int) -> int:
        """Return the first phase of the best sequence for one row."""
        left = simulator.arrivals.shape[1] - int(simulator.clock[row])
        costs = self.costs(simulator, row, min(len(self.levels), left))
        return int(costs.argmin()) * self.phases // len(costs)

    def costs(self, simulator: Simulator, row: int, depth: int) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        """Return the delay of every sequence [veh s]; sequences count up with the first phase as highest digit.

        Args:
            simulator: left as it is.
            row: the row to look ahead from.
            depth: decisions.
        """
        parent, rows = simulator, slice(row, row + 1)
        cost = np.zeros(1)
        for level in self.levels[:depth]:
            for name in STATE:
                getattr(level, name)[...] = np.repeat(getattr(parent, name)[rows], self.phases, axis=0)
            level.step(np.tile(np.arange(self.phases), len(cost))[:, None])
            cost = np.repeat(cost, self.phases) + level.measures[:, 0].sum(axis=1)
            parent, rows = level, slice(None)
        return cost
