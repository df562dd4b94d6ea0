"""Curves on common steps, and what can be said about them: means with intervals, differences with intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from validation_ch7.reporting.comparison.run import Run
from validation_ch7.reporting.curves import Series
from validation_ch7.study.protocol import Bootstrap
from validation_ch7.study.statistics import Estimate, Scores, estimate, interquartile_mean

LEAST_POINTS = 3
_MOST_POINTS = 2_000
EVALUATION, TRAINING = "evaluation", "training"


@dataclass(frozen=True)
class Aligned:
    """Rewards of several runs at the same cumulative steps.

    Attributes:
        quantity: ``evaluation`` where every run has enough of them, else ``training``.
        steps: the steps of the run with the fewest points, within the range that all runs share.
        rewards: (runs, steps); between two points of a curve, the line that joins them.
    """

    quantity: str
    steps: tuple[int, ...]
    rewards: tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class Level:
    """How high one run's curve lies over the later half of the shared range.

    Attributes:
        reward: interquartile mean, with its interval.
        against_first: by how much it is higher than the first run's, with its interval; None for the first run.
        area: mean over the whole shared range: how fast it learned, as well as how far.
    """

    run: str
    reward: Estimate
    against_first: Estimate | None
    area: float


def align(runs: Sequence[Run]) -> Aligned | None:
    """Return the curves of all runs on common steps, or None where they share too few."""
    for quantity in (EVALUATION, TRAINING):
        curves = [run.curve.evaluated if quantity == EVALUATION else run.curve.trained for run in runs]
        steps = shared_steps(curves)
        if len(steps) >= LEAST_POINTS:
            rewards = [np.interp(steps, curve.steps, curve.values) for curve in curves]
            return Aligned(quantity, steps, tuple(tuple(float(value) for value in row) for row in rewards))
    return None


def shared_steps(curves: Sequence[Series]) -> tuple[int, ...]:
    """Return the steps of the shortest curve within the range of all.

    >>> shared_steps([Series("a", (0, 5, 10), (0.0,) * 3), Series("b", (4, 6, 8, 12), (0.0,) * 4)])
    (5, 10)
    """
    if not curves or not all(curve.steps for curve in curves):
        return ()
    first, last = max(curve.steps[0] for curve in curves), min(curve.steps[-1] for curve in curves)
    inside = [tuple(step for step in curve.steps if first <= step <= last) for curve in curves]
    fewest = min((steps for steps in inside if len(steps) > 1), key=len, default=())
    return fewest[:: 1 + len(fewest) // _MOST_POINTS]


def levels(names: Sequence[str], aligned: Aligned, bootstrap: Bootstrap) -> tuple[Level, ...]:
    """Return how high each curve lies; intervals are over the points of the curve, for one training each."""
    late = len(aligned.steps) // 2
    rows = [np.asarray(row, dtype=np.float64)[None, late:] for row in aligned.rewards]
    found = []
    for index, name in enumerate(names):
        level = estimate(interquartile_mean, f"level.{name}", bootstrap, rows[index])
        ahead = estimate(_difference, f"ahead.{name}", bootstrap, rows[index], rows[0]) if index else None
        found.append(Level(name, level, ahead, _area(aligned.steps, aligned.rewards[index])))
    return tuple(found)


def _difference(ours: Scores, theirs: Scores) -> Scores:
    return interquartile_mean(ours) - interquartile_mean(theirs)


def _area(steps: Sequence[int], rewards: Sequence[float]) -> float:
    return float(np.trapezoid(rewards, steps) / (steps[-1] - steps[0]))
