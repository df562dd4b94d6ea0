"""Evaluation: how good the agent is on demand it never trained on, measured without disturbing the training.

The moments of evaluation, and so the best model, depend on cumulative steps and restored state only: however
a chain is cut into sessions, it evaluates at the same steps and keeps the same best.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.vec_env import VecEnv

from validation_ch7.training.generators import undisturbed_generators


@dataclass(frozen=True)
class EvaluationResult:
    """What one evaluation found."""

    rewards: tuple[float, ...]
    """Undiscounted return of each held-out seed's episode, not normalised."""
    traffic: Mapping[str, float] = field(default_factory=dict)
    """Means over the episodes of what the environment measured."""

    @property
    def mean_reward(self) -> float:
        """Mean return."""
        return float(np.mean(self.rewards))

    @property
    def std_reward(self) -> float:
        """Standard deviation of the returns."""
        return float(np.std(self.rewards))

    def metrics(self) -> dict[str, float]:
        """Return everything as named numbers.

        >>> EvaluationResult((1.0, 3.0), {"mean_delay_s": 9.5}).metrics()
        {'mean_reward': 2.0, 'std_reward': 1.0, 'episodes': 2.0, 'mean_delay_s': 9.5}
        """
        own = {"mean_reward": self.mean_reward, "std_reward": self.std_reward, "episodes": float(len(self.rewards))}
        return own | dict(self.traffic)


Evaluate = Callable[[BaseAlgorithm], EvaluationResult]
OnBest = Callable[[BaseAlgorithm, Mapping[str, float], int], None]


def evaluate(model: BaseAlgorithm, make_env: Callable[[], VecEnv]) -> EvaluationResult:
    """Return how the deterministic policy does in the first episode of each row of a fresh environment.

    Observations are normalised by the training statistics as they stand; these, and every global random
    generator, are the same afterwards.
    """
    with undisturbed_generators(), contextlib.closing(make_env()) as env:
        rewards = np.zeros(env.num_envs, dtype=np.float64)
        running = np.ones(env.num_envs, dtype=np.bool_)
        endings: list[Mapping[str, Any]] = []
        for row_rewards, dones, infos in _played(model, env):
            rewards[running] += row_rewards[running]
            endings += [infos[int(row)] for row in np.flatnonzero(running & dones)]
            running &= ~dones
            if not running.any():
                break
    return EvaluationResult(tuple(float(reward) for reward in rewards), _traffic_means(endings))


def _played(model: BaseAlgorithm, env: VecEnv) -> Iterator[tuple[Any, Any, Sequence[Mapping[str, Any]]]]:
    normalizer = model.get_vec_normalize_env()
    observations: Any = env.reset()
    state: Any = None
    starts = np.ones(env.num_envs, dtype=np.bool_)
    while True:
        seen = observations if normalizer is None else normalizer.normalize_obs(observations)
        actions, state = model.predict(
            seen, state=state, episode_start=starts, deterministic=True, **_masks(model, env)
        )
        observations, row_rewards, starts, infos = env.step(actions)
        yield np.asarray(row_rewards, dtype=np.float64), np.asarray(starts, dtype=np.bool_), infos


def _masks(model: BaseAlgorithm, env: VecEnv) -> dict[str, Any]:
    if type(model).__name__ != "MaskablePPO":
        return {}
    return {"action_masks": np.stack(env.env_method("action_masks"))}


def _traffic_means(endings: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Return the mean of every quantity that all episodes report."""
    measured: list[Mapping[str, float]] = [ending.get("traffic", {}) for ending in endings]
    shared = set.intersection(*(set(entry) for entry in measured)) if measured else set()
    return {name: float(np.mean([entry[name] for entry in measured])) for name in sorted(shared)}


def is_due(steps: int, last: int, freq: int) -> bool:
    """Whether a multiple of ``freq`` lies above ``last`` and not above ``steps``.

    >>> is_due(0, 0, 100), is_due(99, 0, 100), is_due(128, 0, 100), is_due(192, 128, 100)
    (False, False, True, False)
    """
    return steps // freq > last // freq


class EvaluationCallback(BaseCallback):
    """Evaluates at the first rollout start after each multiple of ``freq`` cumulative steps.

    Args:
        judge: evaluates the model.
        freq: steps between two evaluations.
        on_best: called with the model, its metrics and its steps whenever it beats all before.
    """

    def __init__(self, judge: Evaluate, freq: int, on_best: OnBest | None = None) -> None:
        super().__init__()
        self._judge = judge
        self._freq = freq
        self._on_best = on_best
        self.history: list[dict[str, float]] = []
        """Metrics of every evaluation so far, each with its ``step``."""
        self.best: float | None = None
        """Highest mean reward so far."""

    def get_state(self) -> dict[str, Any]:
        """Return what a later session must know; the frequency is configuration and no part of it."""
        return {"history": [dict(entry) for entry in self.history], "best": self.best}

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Go on from what :meth:`get_state` gave."""
        self.history = [dict(entry) for entry in state["history"]]
        self.best = state["best"]

    @property
    def last_step(self) -> int:
        """Cumulative steps at the latest evaluation; 0 before the first."""
        return int(self.history[-1]["step"]) if self.history else 0

    def latest_metrics(self) -> dict[str, float]:
        """Return the metrics of the latest evaluation; empty before the first."""
        return {name: value for name, value in self.history[-1].items() if name != "step"} if self.history else {}

    def judge_now(self) -> None:
        """Evaluate the model as it stands, log it, and report it where it is the best so far."""
        steps = self.model.num_timesteps
        metrics = self._judge(self.model).metrics()
        self.history.append({"step": steps, **metrics})
        for name, value in metrics.items():
            self.logger.record(f"eval/{name}", value)
        self.logger.dump(steps)
        reward = metrics["mean_reward"]
        if math.isfinite(reward) and (self.best is None or reward > self.best):
            self.best = reward
            if self._on_best is not None:
                self._on_best(self.model, metrics, steps)

    def _on_rollout_start(self) -> None:
        if is_due(self.model.num_timesteps, self.last_step, self._freq):
            self.judge_now()

    def _on_step(self) -> bool:
        return True
