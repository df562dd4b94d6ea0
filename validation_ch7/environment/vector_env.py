"""The Gymnasium vector environment, with all three autoreset modes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from validation_ch7.environment.episodes import EpisodeBatch
from validation_ch7.environment.spaces import make_spaces
from validation_ch7.environment_config import EnvironmentConfig
from validation_ch7.errors import ConfigurationError

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]
Observations = NDArray[np.float32]


class TrafficVectorEnv(VectorEnv[Observations, Any, Any]):
    """``num_envs`` environments in one batch; rows are those of ``TrafficEnv`` with seeds seed, seed + 1, ….

    At the end of an episode ``infos["traffic"]`` holds the statistics, one array per name, with a mask under
    ``_traffic``. Modes: ``NEXT_STEP`` resets ended rows in the next step, whose action, reward and flags do not
    count; ``SAME_STEP`` resets them at once and gives ``final_obs`` and ``final_info``; ``DISABLED`` leaves the
    reset to ``reset(options={"reset_mask": mask})``.

    Args:
        num_envs: number of environments.
        config: the environment; default: one intersection near saturation.
        autoreset_mode: a mode or its name.
    """

    def __init__(
        self,
        num_envs: int = 1,
        config: EnvironmentConfig | None = None,
        autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
    ) -> None:
        self.num_envs = num_envs
        self.config = config or EnvironmentConfig()
        self.autoreset_mode = AutoresetMode(autoreset_mode)
        self.metadata = {"render_modes": [], "autoreset_mode": self.autoreset_mode}
        self.single_observation_space, self.single_action_space = make_spaces(self.config)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self.batch = EpisodeBatch(self.config, [np.random.default_rng() for _ in range(num_envs)])
        self._ended: Bools = np.zeros(num_envs, np.bool_)

    def reset(
        self, *, seed: int | Sequence[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observations, dict[str, Any]]:
        """Start new episodes: in all rows, or in those of ``options["reset_mask"]``.

        Args:
            seed: of the first row, or one per row; None leaves the generators as they are.
            options: may hold ``reset_mask``, booleans of shape (num_envs,).

        Raises:
            ConfigurationError: the mask or the seeds have another shape.
        """
        mask = np.asarray((options or {}).get("reset_mask", np.ones(self.num_envs, np.bool_)))
        seeds = [int(seed) + row for row in range(self.num_envs)] if isinstance(seed, int | np.integer) else seed
        seeds = [None] * self.num_envs if seeds is None else list(seeds)
        if mask.shape != (self.num_envs,) or mask.dtype != np.bool_ or len(seeds) != self.num_envs:
            raise ConfigurationError(
                "The rows to reset are not clear.",
                where="reset(seed, options['reset_mask'])",
                expected=f"{self.num_envs} seeds, and booleans of shape ({self.num_envs},)",
                found=f"{len(seeds)} seeds, {mask.dtype} of shape {mask.shape}",
                remedy="give one entry per environment",
            )
        rows = np.flatnonzero(mask).tolist()
        for row in rows:
            if seeds[row] is not None:
                self.batch.generators[row] = np.random.default_rng(seeds[row])
        self.batch.begin(rows)
        self._ended &= ~mask
        return self.batch.observe(), {}

    def step(self, actions: Any) -> tuple[Observations, Floats, Bools, Bools, dict[str, Any]]:
        """Advance all rows by one decision.

        Raises:
            ConfigurationError: an action is not in the action space, or an ended row has not been reset.
        """
        fresh = self._ended.copy() if self.autoreset_mode is AutoresetMode.NEXT_STEP else np.zeros_like(self._ended)
        if fresh.any():
            self.batch.begin(np.flatnonzero(fresh).tolist())
        observation, rewards, done = self.batch.step(actions, skip=fresh)
        infos = self._statistics(done)
        self._ended = done
        if self.autoreset_mode is AutoresetMode.SAME_STEP and done.any():
            infos |= self._final(observation, done, infos)
            self.batch.begin(np.flatnonzero(done).tolist())
            observation = self.batch.observe()
            self._ended = np.zeros_like(done)
        return observation, rewards, np.zeros(self.num_envs, np.bool_), done, infos

    def _statistics(self, done: Bools) -> dict[str, Any]:
        if not done.any():
            return {}
        ended = np.flatnonzero(done).tolist()
        rows = dict(zip(ended, self.batch.statistics(ended), strict=True))
        names = next(iter(rows.values()))
        values = {name: np.array([rows.get(row, {}).get(name, 0.0) for row in range(self.num_envs)]) for name in names}
        return {"traffic": values, "_traffic": done.copy()}

    def _final(self, observation: Observations, done: Bools, infos: dict[str, Any]) -> dict[str, Any]:
        final = np.full(self.num_envs, None, dtype=object)
        for row in np.flatnonzero(done).tolist():
            final[row] = observation[row].copy()
        return {"final_obs": final, "_final_obs": done.copy(), "final_info": dict(infos), "_final_info": done.copy()}

    def get_state(self) -> dict[str, Any]:
        """Return the complete state as plain data."""
        return {**self.batch.get_state(), "ended": self._ended.copy()}

    def set_state(self, state: dict[str, Any]) -> None:
        """Take over a state from :meth:`get_state`; what follows is then bit for bit the same."""
        self.batch.set_state(state)
        self._ended[...] = state["ended"]
