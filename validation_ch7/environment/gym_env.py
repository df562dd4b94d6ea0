"""The Gymnasium environment: one network, one agent for all its signals."""

from __future__ import annotations

from typing import Any, cast

import gymnasium
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from validation_ch7.environment.episodes import EpisodeBatch
from validation_ch7.environment.pictures import Picture, draw_network, draw_time_space
from validation_ch7.environment.spaces import make_spaces
from validation_ch7.environment_config import EnvironmentConfig
from validation_ch7.errors import ConfigurationError

Observation = NDArray[np.float32]


class TrafficEnv(gymnasium.Env[Observation, Any]):
    """Signalised intersections on two-class ARZ traffic; tables of observation and action, with units: :mod:`.spaces`.

    An episode never terminates; it is truncated at the horizon. ``info["traffic"]`` at its end holds
    :func:`~validation_ch7.traffic.summarise`.

    Args:
        config: the environment; default: one intersection near saturation.
        render_mode: ``rgb_array``: the network from above; ``time_space``: occupancy of the northern approach of
            the first intersection since the reset, time to the right.
    """

    metadata = {"render_modes": ["rgb_array", "time_space"], "render_fps": 10}  # noqa: RUF012  as Gymnasium declares it

    def __init__(self, config: EnvironmentConfig | None = None, render_mode: str | None = None) -> None:
        if render_mode not in (None, *self.metadata["render_modes"]):
            raise ConfigurationError(
                "There is no such render mode.",
                where="render_mode",
                expected="rgb_array, time_space or None",
                found=render_mode,
                remedy="choose one of these",
            )
        self.render_mode = render_mode
        self.config = config or EnvironmentConfig()
        self._history: list[NDArray[np.floating[Any]]] = []
        observations, self.action_space = make_spaces(self.config)
        self.observation_space = cast("spaces.Space[Observation]", observations)
        self.batch = EpisodeBatch(self.config, [self.np_random])

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Start a new episode; without a seed, its demand is drawn on from the last one's generator."""
        super().reset(seed=seed)
        self.batch.generators[0] = self.np_random
        self.batch.begin([0])
        self._history = []
        return self.batch.observe()[0], {}

    def step(self, action: Any) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Hold or request phases for one decision.

        Raises:
            ConfigurationError: the action is not in the action space, or reset() is due.
        """
        observation, rewards, done = self.batch.step(np.asarray(action)[None])
        truncated = bool(done[0])
        if self.render_mode == "time_space":
            first, last, _, _ = self.batch.simulator.layout.tables.links[0]
            self._history.append(self.batch.simulator.x[0, :2, first:last].sum(axis=0))
        info: dict[str, Any] = {"traffic": self.batch.statistics([0])[0]} if truncated else {}
        return observation[0], float(rewards[0]), False, truncated, info

    def render(self) -> Picture | None:
        """Return a picture, (height, width, 3) uint8, or None without a render mode."""
        if self.render_mode == "rgb_array":
            return draw_network(self.batch.simulator, self.config.network)
        return draw_time_space(self._history) if self.render_mode == "time_space" else None

    def clone(self) -> TrafficEnv:
        """Return an independent environment in the same state, random generator included."""
        copy = TrafficEnv(self.config, self.render_mode)
        copy.set_state(self.get_state())
        copy._history = list(self._history)
        return copy

    def get_state(self) -> dict[str, Any]:
        """Return the complete state as plain data."""
        return self.batch.get_state()

    def set_state(self, state: dict[str, Any]) -> None:
        """Take over a state from :meth:`get_state`; what follows is then bit for bit the same."""
        self.batch.set_state(state)
