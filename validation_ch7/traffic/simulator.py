"""A batch of independent copies of one network, advanced together by one decision at a time."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from validation_ch7.environment_config import EnvironmentConfig
from validation_ch7.errors import ConfigurationError
from validation_ch7.traffic.arrays import MEASURES, Array, Floats, Integers, Scratch, make_scratch
from validation_ch7.traffic.kernel import ADVANCE
from validation_ch7.traffic.layout import build_layout
from validation_ch7.traffic.possible import FAULTS, find_impossible

STATE = ("x", "queue", "signal", "arrivals", "clock", "roads")
"""The arrays that make up the complete state."""


class Simulator:
    """``size`` environments with the same network and each its own state; see :mod:`.kernel` for the arrays.

    Attributes:
        layout: the network.
        x: (size, 4, slots) occupancies [-] and a w [m/s].
        queue: (size, entries, 2) vehicles waiting outside, by class [veh].
        signal: (size, intersections, 3) phase, target phase, substeps since the last change.
        arrivals: (size, decisions, entries, 2) [veh per decision].
        clock: (size,) decisions since the start of the episode.
        roads: (size, links, 2, 2) by class: queued and present vehicles [veh] at the last sample.
        measures: (size, 7, 2) of the last decision; see :data:`~validation_ch7.traffic.arrays.MEASURES`.
    """

    def __init__(self, config: EnvironmentConfig, size: int) -> None:
        if size < 1:
            raise ConfigurationError(
                "A batch needs at least one environment.",
                where="number of environments (seeds)",
                expected="1 or more",
                found=size,
                remedy="give one seed per environment",
            )
        self.layout = build_layout(config)
        self._constants = (*self.layout.tables, *self.layout.rows)
        self._advance = ADVANCE[config.solver.order]
        threads = min(config.solver.threads, size)
        edges = [size * part // threads for part in range(threads + 1)]
        self._shares = [slice(*pair) for pair in itertools.pairwise(edges)]
        self._pool = ThreadPoolExecutor(threads - 1) if threads > 1 else None
        tables, entries = self.layout.tables, len(self.layout.entries)
        self.x: Array = np.zeros((size, 4, self.layout.slots), tables.rate.dtype)
        self.queue: Floats = np.zeros((size, entries, 2))
        self.signal: Integers = np.zeros((size, self.layout.intersections, 3), np.int64)
        self.arrivals: Array = np.zeros((size, config.steps_per_episode, entries, 2), np.uint16)
        self.clock: Integers = np.zeros(size, np.int64)
        self.roads: Floats = np.zeros((size, len(tables.links), 2, 2))
        self.measures: Floats = np.zeros((size, len(MEASURES), 2))
        self._limits = np.array([self.layout.phases, config.steps_per_episode], np.int64)
        self._found = np.zeros(1, np.int64)
        self._scratch = [make_scratch(tables, self.layout.rows, entries, config.solver.order) for _ in self._shares]

    @property
    def size(self) -> int:
        """Number of environments."""
        return len(self.x)

    def restart(self, rows: Sequence[int], arrivals: Array) -> None:
        """Empty the roads of some environments, put their signals to the start of phase 0 and give them new arrivals.

        Args:
            rows: which environments.
            arrivals: (rows, decisions, entries, 2) [veh per decision].
        """
        chosen = list(rows)
        for array in (self.x, self.queue, self.signal, self.clock, self.roads):
            array[chosen] = 0
        self.arrivals[chosen] = arrivals

    def step(self, wanted: Integers) -> Array:
        """Advance by one decision and return the observations, shape (size, observation_size), float32.

        Args:
            wanted: (size, intersections) phase wanted at each intersection; -1 in the first column leaves an
                environment as it is and only observes it.
        """
        observation = np.empty((self.size, self.layout.observation_size), np.float32)
        state = (self.x, self.queue, self.signal, self.arrivals, self.clock)
        arrays = (*state, wanted, self.measures, self.roads, observation)
        if self._pool is None:
            self._advance(*arrays, *self._constants, *self._scratch[0])
        else:
            first, *others = zip(self._shares, self._scratch, strict=True)
            begun = [self._pool.submit(self._run, arrays, *share) for share in others]
            self._run(arrays, *first)
            for share in begun:
                share.result()
        return observation

    def _run(self, arrays: tuple[Array, ...], rows: slice, work: Scratch) -> None:
        self._advance(*(array[rows] for array in arrays), *self._constants, *work)

    def vehicles(self, rows: slice | list[int] = slice(None)) -> Floats:
        """Return the vehicles in each environment, outside and on the roads, by class, shape (size, 2) [veh]."""
        inside = np.einsum("bkj,kj->bk", self.x[rows, :2].astype(np.float64), self.layout.vehicles)
        return np.asarray(inside + self.queue[rows].sum(axis=1))

    def density(self) -> Floats:
        """Return the density of each class in each slot, shape (size, 2, slots) [veh/m]."""
        cells = np.where(self.layout.tables.rate > 0, self.layout.tables.rate / self.layout.time_step_s, 0.0)
        return np.asarray(self.x[:, :2] * self.layout.vehicles * cells)

    def get_state(self) -> dict[str, Any]:
        """Return a copy of the complete state."""
        return {name: getattr(self, name).copy() for name in STATE}

    def set_state(self, state: dict[str, Any], from_outside: bool = False) -> None:
        """Take over a state from :meth:`get_state`.

        Args:
            state: the arrays of :data:`STATE`.
            from_outside: whether it may hold what no road can; then that is refused.

        Raises:
            ConfigurationError: an array is missing, has another shape or type, or holds a negative or infinite
                occupancy, more than a full lane, or a phase or decision that does not exist.
        """
        for name in STATE:
            mine, given = getattr(self, name), state.get(name)
            if type(given) is not np.ndarray or mine.shape != given.shape or mine.dtype != given.dtype:
                found = np.asarray(given)
                raise ConfigurationError(
                    "The traffic state belongs to another configuration.",
                    where=f"array {name!r} of the state",
                    expected=f"{mine.dtype} of shape {mine.shape}",
                    found=f"{found.dtype} of shape {found.shape}",
                    remedy="use the configuration and the number of environments that the state was taken with",
                )
        if from_outside:
            self._refuse_impossible(state)
        for name in STATE:
            getattr(self, name)[...] = state[name]

    def _refuse_impossible(self, state: dict[str, Any]) -> None:
        find_impossible(state["x"], state["queue"], state["signal"], state["clock"], self._limits, self._found)
        if self._found[0]:
            where, expected = FAULTS[self._found[0] - 1]
            name = where.split()[0]
            raise ConfigurationError(
                "The traffic state is not possible.",
                where=where,
                expected=expected,
                found=f"{name} from {np.min(state[name]):g} to {np.max(state[name]):g}",
                remedy="use a state from get_state()",
            )
