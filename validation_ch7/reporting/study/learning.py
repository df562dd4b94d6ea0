"""Learning curves as the sessions of each chain recorded them; nothing is interpolated, nothing invented."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from validation_ch7.study.tasks import TrainedAgent
from validation_ch7.training.curve import SESSION_ID, STEP, csv_text, merge_progress, read_sessions

CURVE_COLUMNS = ("scenario", "algorithm", "training_seed", "session", "step", "mean_delay_s", "mean_reward")
_LOGGED = {"mean_delay_s": "eval/mean_delay_s", "mean_reward": "eval/mean_reward"}


@dataclass(frozen=True)
class LearningCurve:
    """The evaluations that a chain made while it trained.

    Attributes:
        points: session id, cumulative step, mean delay [s] and mean reward on a few held-out seeds.
        borders: cumulative steps at which a session took over from the one before it.
    """

    scenario: str
    algorithm: str
    training_seed: int
    points: tuple[tuple[str, int, float, float], ...]
    borders: tuple[int, ...]


def read_learning(agent: TrainedAgent) -> LearningCurve | None:
    """Return the curve of one chain, or None where nothing was recorded."""
    sessions = read_sessions(agent.logs)
    points = [
        (row[SESSION_ID], int(row[STEP]), *values)
        for row in merge_progress(sessions)
        if (values := _values(row)) is not None
    ]
    borders = tuple(session.resumed_at for session in sessions[1:])
    return LearningCurve(agent.scenario, agent.algorithm, agent.seed, tuple(points), borders) if points else None


def _values(row: dict[str, str]) -> tuple[float, float] | None:
    try:
        delay, reward = (float(row[_LOGGED[name]]) for name in ("mean_delay_s", "mean_reward"))
    except (KeyError, ValueError):
        return None  # a row of losses, or of an environment that measures no delay
    return (delay, reward) if math.isfinite(delay) and math.isfinite(reward) else None


def learning_csv(curves: Sequence[LearningCurve]) -> bytes:
    """Return all points as UTF-8 CSV."""
    rows = [
        dict(
            zip(
                CURVE_COLUMNS,
                map(str, (curve.scenario, curve.algorithm, curve.training_seed, *point)),
                strict=True,
            )
        )
        for curve in curves
        for point in curve.points
    ]
    return csv_text(rows, CURVE_COLUMNS).encode("utf-8")
