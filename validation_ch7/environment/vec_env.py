"""The SB3 vector environment: one row per seed, all rows in one call of the kernel."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from gymnasium import Wrapper
from numpy.typing import NDArray
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env import VecEnv

from validation_ch7.environment.episodes import EpisodeBatch
from validation_ch7.environment.spaces import make_spaces
from validation_ch7.environment_config import EnvironmentConfig

Indices = None | int | Iterable[int]


class TrafficRow:
    """One row of a :class:`TrafficVecEnv`, for ``get_attr``, ``set_attr`` and ``env_method``.

    Args:
        batch: the batch that it is part of.
        row: its index.
        seed: what its generator was made from.
    """

    def __init__(self, batch: EpisodeBatch, row: int, seed: int) -> None:
        self.batch = batch
        self.row = row
        self.seed = seed
        self.config = batch.config
        self.observation_space, self.action_space = make_spaces(batch.config)
        self.render_mode: str | None = None

    @property
    def phase(self) -> list[int]:
        """Phase of each intersection that has green, or had it last."""
        return [int(phase) for phase in self.batch.simulator.signal[self.row, :, 0]]

    def statistics(self) -> dict[str, float]:
        """Return the statistics of the current episode."""
        return self.batch.statistics([self.row])[0]


class TrafficVecEnv(VecEnv):
    """SB3 ``VecEnv`` over a batch; a row that reaches its horizon starts anew in the same step.

    ``infos`` at the end of an episode: ``terminal_observation``, ``TimeLimit.truncated``, ``traffic`` (see
    :func:`~validation_ch7.traffic.summarise`) and ``episode`` with r, l and t; t is simulated, not wall-clock,
    time [s], so that infos repeat exactly.

    Args:
        config: the environment.
        seeds: one seed per row; each row's demand depends on its own seed alone.
    """

    def __init__(self, config: EnvironmentConfig, seeds: Sequence[int]) -> None:
        self.config = config
        self.batch = EpisodeBatch(config, [np.random.default_rng(seed) for seed in seeds])
        self.rows = [TrafficRow(self.batch, row, seed) for row, seed in enumerate(seeds)]
        self._actions: Any = None
        super().__init__(len(seeds), *make_spaces(config))

    def seed(self, seed: int | None = None) -> Sequence[int]:
        """Give row i the generator of ``seed + i``, effective from the next episode; returns the seeds."""
        first = int(np.random.SeedSequence().generate_state(1)[0]) if seed is None else seed
        for row, view in enumerate(self.rows):
            view.seed = first + row
            self.batch.generators[row] = np.random.default_rng(view.seed)
        return [view.seed for view in self.rows]

    def reset(self) -> NDArray[np.float32]:
        """Start a new episode in every row and return the observations, (rows, size)."""
        self.batch.begin(range(self.num_envs))
        self.reset_infos = [{} for _ in range(self.num_envs)]
        return self.batch.observe()

    def step_async(self, actions: Any) -> None:
        """Take the actions of the next :meth:`step_wait`."""
        self._actions = actions

    def step_wait(self) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.bool_], list[dict[str, Any]]]:
        """Advance every row by one decision."""
        observation, rewards, done = self.batch.step(self._actions)
        infos: list[dict[str, Any]] = [{} for _ in range(self.num_envs)]
        if not self.batch.all_go_on:
            observation = self._begin_again(observation, done, infos)
        return observation, rewards.astype(np.float32), done, infos

    def _begin_again(
        self, observation: NDArray[np.float32], done: NDArray[np.bool_], infos: list[dict[str, Any]]
    ) -> NDArray[np.float32]:
        ended = np.flatnonzero(done).tolist()
        for row, traffic in zip(ended, self.batch.statistics(ended), strict=True):
            infos[row] = {
                "terminal_observation": observation[row].copy(),
                "TimeLimit.truncated": True,
                "traffic": traffic,
                "episode": {
                    "r": float(self.batch.returns[row]),
                    "l": int(self.batch.simulator.clock[row]),
                    "t": float(self.batch.elapsed_s[row]),
                },
            }
        self.batch.begin(ended)
        return self.batch.observe()

    def get_state(self) -> dict[str, Any]:
        """Return the complete state as plain data: arrays, numbers, strings, lists and dictionaries."""
        return {**self.batch.get_state(), "seeds": [int(view.seed) for view in self.rows]}

    def set_state(self, state: dict[str, Any]) -> None:
        """Take over a state from :meth:`get_state`; what follows is then bit for bit the same.

        Raises:
            ConfigurationError: it belongs to another configuration or number of rows.
        """
        self.batch.set_state(state)
        for view, seed in zip(self.rows, state["seeds"], strict=True):
            view.seed = seed

    def close(self) -> None:
        """Nothing to release."""

    def get_attr(self, attr_name: str, indices: Indices = None) -> list[Any]:
        """Return an attribute of the rows."""
        return [getattr(self.rows[row], attr_name) for row in self._get_indices(indices)]

    def set_attr(self, attr_name: str, value: Any, indices: Indices = None) -> None:
        """Set an attribute of the rows."""
        for row in self._get_indices(indices):
            setattr(self.rows[row], attr_name, value)

    def env_method(self, method_name: str, *args: Any, indices: Indices = None, **kwargs: Any) -> list[Any]:
        """Call a method of the rows."""
        return [getattr(self.rows[row], method_name)(*args, **kwargs) for row in self._get_indices(indices)]

    def env_is_wrapped(self, wrapper_class: type[Wrapper[Any, Any, Any, Any]], indices: Indices = None) -> list[bool]:
        """Say yes for ``Monitor``, whose ``episode`` entry the infos hold, and no for every other wrapper."""
        return [issubclass(Monitor, wrapper_class) for _ in self._get_indices(indices)]


def make_vec_env(config: EnvironmentConfig, seeds: Sequence[int]) -> TrafficVecEnv:
    """Return the SB3 vector environment with one row per seed."""
    return TrafficVecEnv(config, seeds)
