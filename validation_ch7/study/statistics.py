"""Statistics of a comparison on common random numbers: estimates with bootstrap intervals, and profiles.

Scores lie in matrices (training seeds, demand seeds); a controller has one row; smaller is better. The measures are
those of R. Agarwal et al., Deep Reinforcement Learning at the Edge of the Statistical Precipice, NeurIPS 2021.
Resampling differs from theirs: whole rows and whole columns are drawn, since all episodes of one training seed share
a policy, and all policies share a demand seed. Columns are drawn once for everybody who is compared.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import trim_mean

from validation_ch7.study.protocol import Bootstrap

Scores = NDArray[np.float64]
Statistic = Callable[..., Scores]
"""From stacks of scores, (resamples, training seeds, demand seeds) each, to one value for each resample."""


@dataclass(frozen=True)
class Estimate:
    """A value with its interval."""

    value: float
    low: float
    high: float

    @property
    def excludes_zero(self) -> bool:
        """Whether the interval lies on one side of zero.

        >>> Estimate(0.1, 0.02, 0.2).excludes_zero, Estimate(0.1, -0.02, 0.2).excludes_zero
        (True, False)
        """
        return self.low > 0.0 or self.high < 0.0


def interquartile_mean(scores: Scores) -> Scores:
    """Return the mean of the middle half of all episodes: a quarter is cut off at each end.

    >>> interquartile_mean(np.array([[[1.0, 2.0, 3.0, 100.0]]])).tolist()
    [2.5]
    """
    return np.asarray(trim_mean(scores.reshape(len(scores), -1), 0.25, axis=1))


def reduction(ours: Scores, theirs: Scores) -> Scores:
    """Return by which part our interquartile mean is smaller than theirs [-]."""
    return 1.0 - interquartile_mean(ours) / interquartile_mean(theirs)


def excess(ours: Scores, best: Scores) -> Scores:
    """Return by which part our interquartile mean exceeds the best possible one: the optimality gap [-]."""
    return interquartile_mean(ours) / interquartile_mean(best) - 1.0


def improvement(ours: Scores, theirs: Scores) -> Scores:
    """Return the probability that a run of ours has the smaller score on the same demand; equals count half.

    >>> improvement(np.array([[[1.0, 5.0]]]), np.array([[[2.0, 5.0], [0.0, 6.0]]])).tolist()
    [0.625]
    """
    less = ours[:, :, None, :] < theirs[:, None, :, :]
    same = ours[:, :, None, :] == theirs[:, None, :, :]
    return np.asarray((less + 0.5 * same).mean(axis=(1, 2, 3)))


def estimate(statistic: Statistic, name: str, bootstrap: Bootstrap, *scores: Scores) -> Estimate:
    """Return a statistic of score matrices over the same demand seeds, with its percentile interval.

    Args:
        statistic: see :data:`Statistic`.
        name: of what is estimated; it picks the random stream, so that no estimate depends on another one.
        bootstrap: number of resamples, confidence, seed.
        scores: one matrix for each policy, (training seeds, demand seeds).
    """
    generator = np.random.default_rng([bootstrap.seed, zlib.crc32(name.encode())])
    demands = scores[0].shape[1]
    columns = generator.integers(0, demands, (bootstrap.resamples, demands))
    drawn = []
    for matrix in scores:
        rows = generator.integers(0, len(matrix), (bootstrap.resamples, len(matrix)))
        drawn.append(matrix[rows[:, :, None], columns[:, None, :]])
    tail = (1.0 - bootstrap.confidence) / 2.0
    low, high = np.quantile(statistic(*drawn), [tail, 1.0 - tail])
    return Estimate(float(statistic(*(matrix[None] for matrix in scores))[0]), float(low), float(high))


def profile(scores: Scores, thresholds: Scores, name: str, bootstrap: Bootstrap) -> list[Estimate]:
    """Return the share of episodes with a score of at most each threshold: the performance profile [-]."""

    def share(threshold: float) -> Statistic:
        return lambda stack: np.asarray((stack <= threshold).mean(axis=(1, 2)))

    return [estimate(share(float(threshold)), name, bootstrap, scores) for threshold in thresholds]
