"""What a session needs from checkpoints, as one interface: learn to a limit, and keep the best model.

:class:`CheckpointLearner` is the real one, over a checkpoint store; tests have their own.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.callbacks import BaseCallback

from validation_ch7.checkpoints import CheckpointStore, Deadline, Retention, learn_resumable, save_best
from validation_ch7.config import CheckpointConfig
from validation_ch7.session import Exactness, SummaryStatus

PROVISIONAL = "provisional"
"""Metric that marks a best model which the first regular evaluation replaces, whatever its reward."""


@dataclass(frozen=True)
class LearnJob:
    """How far to train, and everything that watches it."""

    session_id: str
    stop_at: int
    """Cumulative steps at which this session ends."""
    target_steps: int
    """Cumulative steps at which the chain ends; the horizon of schedules."""
    checkpoints: CheckpointConfig
    deadline_s: float
    """When to stop, in seconds of ``clock``."""
    clock: Callable[[], float]
    should_stop: Callable[[], bool]
    callbacks: Sequence[BaseCallback]
    environment: Mapping[str, Any]
    """Facts of the environment, compared with those of the checkpoint."""
    expected_parent: str | None
    """Digest of the checkpoint that must be resumed, or None."""
    log: Callable[[str], None]
    metrics: Callable[[], Mapping[str, float]]
    """Gives the latest evaluation results, or nothing."""
    log_interval: int
    """Rollouts, or episodes where the algorithm is off-policy, between two rows of the log."""
    trust_foreign: bool = False


@dataclass(frozen=True)
class Learnt:
    """How a training ended."""

    status: SummaryStatus
    steps_before: int
    steps_after: int
    exactness: Exactness = Exactness.EXACT
    resumed_from: str | None = None
    warnings: tuple[str, ...] = field(default=())


class Learner(Protocol):
    """Trains a model and keeps its checkpoints in one training tree."""

    def newest_steps(self) -> int | None:
        """Return the steps of the newest checkpoint, or None where there is none."""

    def learn(self, model: BaseAlgorithm, job: LearnJob) -> Learnt:
        """Resume if there is something to resume, then train."""

    def best_metrics(self) -> Mapping[str, float] | None:
        """Return the metrics of the best model, or None where there is none."""

    def save_best(self, model: BaseAlgorithm, metrics: Mapping[str, float]) -> None:
        """Replace the best model."""


OpenLearner = Callable[[Path, str], Learner]


def replaces_best(recorded: Mapping[str, float] | None, metrics: Mapping[str, float]) -> bool:
    """Whether a model with ``metrics`` takes the place of the best one recorded so far.

    Rewards are compared only where they come from equally many episodes; one that is no number is never the best.

    >>> replaces_best({"mean_reward": 9.0, "episodes": 5.0}, {"mean_reward": 3.0, "episodes": 5.0})
    False
    >>> replaces_best({"mean_reward": 9.0, "episodes": 2.0, "provisional": 1.0}, {"mean_reward": 3.0, "episodes": 5.0})
    True
    >>> replaces_best(None, {"mean_reward": float("nan"), "episodes": 5.0})
    False
    """
    if not math.isfinite(metrics["mean_reward"]):
        return False
    if recorded is None or recorded.get(PROVISIONAL):
        return True
    if metrics.get(PROVISIONAL):
        return False
    if recorded.get("episodes") != metrics.get("episodes"):
        return True
    return metrics["mean_reward"] >= recorded.get("mean_reward", metrics["mean_reward"])


def best_line(recorded: Mapping[str, float] | None, metrics: Mapping[str, float], steps: int) -> str:
    """Return what is said of a model that takes the place of the best one; where its reward is lower, why.

    >>> best_line(None, {"mean_reward": -9.0, "episodes": 1.0, "provisional": 1.0}, 4096)
    'new best model at 4,096 steps: mean reward -9.00, until the first regular evaluation'
    >>> best_line({"mean_reward": -9.0, "episodes": 1.0, "provisional": 1.0}, {"mean_reward": -12.0}, 8192)
    "new best model at 8,192 steps: mean reward -12.00; it replaces -9.00 of a session's end, which was provisional"
    >>> best_line({"mean_reward": -9.0, "episodes": 5.0}, {"mean_reward": -12.0, "episodes": 20.0}, 8192)
    'new best model at 8,192 steps: mean reward -12.00; it replaces -9.00, which other episodes gave'
    """
    text = f"new best model at {steps:,} steps: mean reward {metrics['mean_reward']:.2f}"
    if metrics.get(PROVISIONAL):
        text += ", until the first regular evaluation"
    if recorded is None or not recorded.get("mean_reward", -math.inf) > metrics["mean_reward"]:
        return text
    why = " of a session's end, which was provisional" if recorded.get(PROVISIONAL) else ", which other episodes gave"
    return f"{text}; it replaces {recorded['mean_reward']:.2f}{why}"


class CheckpointLearner:
    """Trains with the checkpoints of one store.

    Args:
        root: the training tree.
        prefix: the scenario.
    """

    def __init__(self, root: Path, prefix: str) -> None:
        self._store = CheckpointStore(root, prefix)
        self._session_id = ""
        self._environment: Mapping[str, str] = {}

    def newest_steps(self) -> int | None:
        """Return the steps of the newest checkpoint, or None where there is none."""
        return self._store.newest_steps()

    def learn(self, model: BaseAlgorithm, job: LearnJob) -> Learnt:
        """Resume if there is something to resume, then train."""
        keep = job.checkpoints
        self._session_id, self._environment = job.session_id, job.environment
        result = learn_resumable(
            model,
            total_timesteps=job.target_steps,
            store=self._store,
            save_freq=keep.save_freq,
            save_interval_s=keep.save_interval_s,
            retention=Retention.of(keep),
            stop_at=job.stop_at,
            deadline=Deadline(job.deadline_s, clock=job.clock),
            should_stop=job.should_stop,
            callback=list(job.callbacks),
            asynchronous=keep.asynchronous,
            compress_replay=keep.compress_replay,
            session_id=job.session_id,
            environment=job.environment,
            expected_parent=job.expected_parent,
            trust_foreign=job.trust_foreign,
            metrics=job.metrics,
            log=job.log,
            clock=job.clock,
            log_interval=job.log_interval,
        )
        return Learnt(
            status=result.status,
            steps_before=result.steps_before,
            steps_after=result.steps_after,
            exactness=result.exactness,
            resumed_from=result.resumed_from.name if result.resumed_from else None,
            warnings=(*result.warnings, *result.lost),
        )

    def best_metrics(self) -> Mapping[str, float] | None:
        """Return the metrics of the best model, or None where there is none."""
        best = self._store.best()
        return None if best is None else dict(best.metrics)

    def save_best(self, model: BaseAlgorithm, metrics: Mapping[str, float]) -> None:
        """Replace the best model."""
        save_best(self._store, model, metrics, self._session_id, self._environment)
