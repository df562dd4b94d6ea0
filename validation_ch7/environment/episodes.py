"""Episodes over a batch of simulated networks: demand from each row's generator, reward, horizon, statistics.

Everything that the Gymnasium and SB3 interfaces share is here, so that they have the same dynamics.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from validation_ch7.environment.accounting import account, number_of
from validation_ch7.environment_config import EnvironmentConfig
from validation_ch7.errors import ConfigurationError
from validation_ch7.traffic import MEASURES, base_flows, draw_arrivals, make_simulator, summarise

TOGETHER = 1024
"""Rows whose arrivals are drawn in one pass, which takes about 20 kB each."""


class EpisodeBatch:
    """``len(generators)`` environments in step; each draws the demand of its episodes from its own generator.

    Attributes:
        config: the configuration.
        simulator: the physics.
        generators: one random generator per row.
        returns: (rows,) sum of rewards in the current episode.
        totals: (rows, 7, 2) measures of the current episode, summed, or the greatest for queue maxima.
        elapsed_s: (rows,) simulated time since construction, over all episodes [s].
    """

    def __init__(self, config: EnvironmentConfig, generators: Sequence[np.random.Generator]) -> None:
        self.config = config
        self.simulator = make_simulator(config, len(generators))
        self.generators = list(generators)
        rows = len(generators)
        self.returns = np.zeros(rows)
        self.totals = np.zeros((rows, len(MEASURES), 2))
        self.elapsed_s = np.zeros(rows)
        self.running = np.zeros(rows, np.bool_)
        self._flows = base_flows(config, self.simulator.layout)
        self._choices = 2 if config.signal.action == "switch" else self.simulator.layout.phases
        self._idle = np.full((rows, self.simulator.layout.intersections), -1, np.int64)
        self._none = np.zeros(rows, np.bool_)
        self._pay = (number_of(config.reward), config.reward.scale_veh * self.simulator.layout.intersections)
        self._all_go_on = False

    def begin(self, rows: Sequence[int]) -> None:
        """Start a new episode in some rows."""
        for start in range(0, len(rows), TOGETHER):
            part = list(rows[start : start + TOGETHER])
            generators = [self.generators[row] for row in part]
            self.simulator.restart(part, draw_arrivals(self.config, self.simulator.layout, self._flows, generators))
            self.returns[part] = 0.0
            self.totals[part] = 0.0
            self.running[part] = True

    def observe(self) -> NDArray[np.float32]:
        """Return the observations of all rows, (rows, size), without advancing."""
        return self.simulator.step(self._idle)

    def step(
        self, actions: Any, skip: NDArray[np.bool_] | None = None
    ) -> tuple[NDArray[np.float32], NDArray[np.float64], NDArray[np.bool_]]:
        """Advance all rows by one decision.

        Args:
            actions: integers, (rows,) or (rows, intersections).
            skip: (rows,) rows that are only observed.

        Returns:
            Observations (rows, size), rewards (rows,), and which rows reached the horizon (rows,).

        Raises:
            ConfigurationError: an action is no integer or out of range, or a row has not been reset.
        """
        wanted = self.phases_for(actions)
        self._check_running()
        if skip is None:
            skip = self._none
        else:
            wanted[skip] = -1
        simulator = self.simulator
        observation = simulator.step(wanted)
        rewards, done = np.empty(len(wanted)), np.empty(len(wanted), np.bool_)
        horizon, seconds = simulator.arrivals.shape[1], float(self.config.decision_s)
        sums = (self.totals, self.returns, self.elapsed_s)
        ended = account(
            simulator.measures, skip, simulator.clock, horizon, seconds, *self._pay, *sums, rewards, done, self.running
        )
        self._all_go_on = ended == 0
        return observation, rewards, done

    @property
    def all_go_on(self) -> bool:
        """Whether no row reached its horizon in the last step."""
        return self._all_go_on

    def _check_running(self) -> None:
        if not self._all_go_on and not self.running.all():
            raise ConfigurationError(
                "The episode has not begun, or is over.",
                where=f"row {int(np.argmin(self.running))}",
                expected="reset() before step()",
                remedy="call reset()",
            )

    def phases_for(self, actions: Any) -> NDArray[np.int64]:
        """Return the phase that each action wants, shape (rows, intersections).

        Raises:
            ConfigurationError: an action is no integer, or out of range.
        """
        array = np.asarray(actions)
        if array.size != self._idle.size or array.dtype.kind not in "iu":
            raise self._bad_action(f"{array.dtype} of shape {array.shape}: {array.ravel()[:8].tolist()}")
        values = array.ravel().tolist()
        if min(values) < 0 or max(values) >= self._choices:
            raise self._bad_action(values[:8])
        array = array.reshape(self._idle.shape)
        if self.config.signal.action == "switch":
            array = (self.simulator.signal[:, :, 1] + array) % self.simulator.layout.phases
        return array.astype(np.int64)

    def _bad_action(self, found: object) -> ConfigurationError:
        return ConfigurationError(
            "An action cannot be carried out.",
            where=f"actions, (rows, intersections) = {self._idle.shape}",
            expected=f"integers from 0 to {self._choices - 1}",
            found=found,
            remedy="give one integer per intersection, as action_space describes",
        )

    def statistics(self, rows: Sequence[int]) -> list[dict[str, float]]:
        """Return the traffic statistics of the current episodes of some rows."""
        return summarise(self.totals[list(rows)], self.simulator, rows)

    def get_state(self) -> dict[str, Any]:
        """Return the complete state as plain data: arrays, numbers and generator states."""
        return {
            "simulator": self.simulator.get_state(),
            "generators": [generator.bit_generator.state for generator in self.generators],
            "returns": self.returns.copy(),
            "totals": self.totals.copy(),
            "elapsed_s": self.elapsed_s.copy(),
            "running": self.running.copy(),
        }

    def set_state(self, state: dict[str, Any]) -> None:
        """Take over a state from :meth:`get_state`.

        Raises:
            ConfigurationError: it belongs to another configuration or number of rows, or no road can have it.
        """
        missing = sorted({"simulator", "generators", "returns", "totals", "elapsed_s", "running"} - set(state))
        if missing or len(state["generators"]) != len(self.generators):
            raise ConfigurationError(
                "The environment state cannot be used.",
                where="state of the traffic environment",
                expected=f"{len(self.generators)} rows and all entries",
                found=f"missing {missing}" if missing else f"{len(state['generators'])} rows",
                remedy="use the number of environments that the state was taken with",
            )
        self.simulator.set_state(state["simulator"], from_outside=True)
        for generator, saved in zip(self.generators, state["generators"], strict=True):
            generator.bit_generator.state = saved
        for name in ("returns", "totals", "elapsed_s", "running"):
            getattr(self, name)[...] = state[name]
        self._all_go_on = False
