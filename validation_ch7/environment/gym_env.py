"""The Gymnasium environment: one network, one agent for all its signals."""

from __future__ import annotations

from typing import Any, cast

import gymnasium
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from validation_ch7.environment.episodes import EpisodeBatch
from validation_ch7.environment.spaces import make_spaces
from validation_ch7.environment_config import EnvironmentConfig

Observation = NDArray[np.float32]


class TrafficEnv(gymnasium.Env[Observation, Any]):
    """Signalised intersections on two-class ARZ traffic; spaces and units: :mod:`.spaces`.

    An episode never terminates; it is truncated at the horizon. ``info["traffic"]`` at its end holds
    :func:`~validation_ch7.traffic.summarise`.

    Args:
        config: the environment; default: one intersection near saturation.
    """

    metadata = {"render_modes": []}  # noqa: RUF012  as Gymnasium declares it

    def __init__(self, config: EnvironmentConfig | None = None) -> None:
        self.config = config or EnvironmentConfig()
        observations, self.action_space = make_spaces(self.config)
        self.observation_space = cast("spaces.Space[Observation]", observations)
        self.batch = EpisodeBatch(self.config, [self.np_random])

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Start a new episode; without a seed, its demand is drawn on from the last one's generator."""
        super().reset(seed=seed)
        self.batch.generators[0] = self.np_random
        self.batch.begin(0)
        return self.batch.observe()[0], {}

    def step(self, action: Any) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Hold or request phases for one decision.

        Raises:
            ConfigurationError: the action is not in the action space, or reset() is due.
        """
        observation, rewards, done = self.batch.step(np.asarray(action)[None])
        truncated = bool(done[0])
        info: dict[str, Any] = {"traffic": self.batch.statistics(0)} if truncated else {}
        return observation[0], float(rewards[0]), False, truncated, info

    def get_state(self) -> dict[str, Any]:
        """Return the complete state as plain data."""
        return self.batch.get_state()

    def set_state(self, state: dict[str, Any]) -> None:
        """Take over a state from :meth:`get_state`; what follows is then bit for bit the same."""
        self.batch.set_state(state)
