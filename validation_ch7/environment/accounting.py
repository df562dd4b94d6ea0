"""What one decision means for the episodes of a batch: rewards, sums, horizons; in one compiled pass over the rows."""

from __future__ import annotations

from validation_ch7.environment_config import Reward
from validation_ch7.traffic.arrays import Array, Floats, Integers
from validation_ch7.traffic.compilation import fused

KINDS = ("delay", "queue", "pressure", "throughput")
"""The rewards by their number in :func:`account`."""
SUMS = 5
"""How many of the measures add up over an episode; of those behind them the greatest counts."""


@fused
def account(
    measures: Floats,
    skip: Array,
    clock: Integers,
    horizon: int,
    seconds: float,
    kind: int,
    scale: float,
    totals: Floats,
    returns: Floats,
    elapsed: Floats,
    rewards: Floats,
    done: Array,
    running: Array,
) -> int:
    """Add the measures of one decision to the episodes, find the rewards, and return how many rows ended.

    Args:
        measures: (rows, 7, 2) of the decision; see :data:`~validation_ch7.traffic.arrays.MEASURES`.
        skip: (rows,) rows that did not move; their reward is 0.
        clock: (rows,) decisions since the start of the episode.
        horizon: decisions in an episode.
        seconds: length of a decision [s].
        kind: index in :data:`KINDS`.
        scale: what a reward of -1 stands for [veh].
        totals: (rows, 7, 2) sums, or greatest values, of the episode; updated.
        returns: (rows,) sums of rewards; updated.
        elapsed: (rows,) simulated time [s]; updated.
        rewards: (rows,) written.
        done: (rows,) whether the horizon is reached, written.
        running: (rows,) the opposite, written.
    """
    ended = 0
    for row in range(measures.shape[0]):
        found = measures[row]
        for k in range(2):
            for item in range(SUMS):
                totals[row, item, k] += found[item, k]
            for item in range(SUMS, found.shape[0]):
                totals[row, item, k] = max(totals[row, item, k], found[item, k])
        if kind == 0:
            reward = -(found[0, 0] + found[0, 1]) / (scale * seconds)
        elif kind == 1:
            reward = -(found[2, 0] + found[2, 1]) / scale
        elif kind == 2:
            reward = -found[6, 1] / scale
        else:
            reward = (found[4, 0] + found[4, 1]) / scale
        if skip[row]:
            reward = 0.0
        else:
            elapsed[row] += seconds
        rewards[row] = reward
        returns[row] += reward
        done[row] = clock[row] >= horizon
        running[row] = not done[row]
        ended += done[row]
    return ended


def number_of(reward: Reward) -> int:
    """Return the index of a reward in :data:`KINDS`.

    >>> number_of(Reward(kind="queue"))
    1
    """
    return KINDS.index(reward.kind)
