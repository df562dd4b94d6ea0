"""Controllers that do not look at the traffic: fixed time, Webster's plan, random, all-red."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from validation_ch7.environment_config import EnvironmentConfig
from validation_ch7.errors import ConfigurationError
from validation_ch7.traffic import Simulator, base_flows, build_layout
from validation_ch7.traffic.arrays import Integers
from validation_ch7.traffic.demand import phase_ratios

LONGEST_CYCLE_S = 120.0
"""Webster's formula diverges at capacity; practice stops here [s]."""


@dataclass(frozen=True)
class FixedTime:
    """Each phase in turn for its time, whatever the traffic: pretimed control (Webster 1958; HCM chapter 19).

    Attributes:
        green_s: green of each phase [s]; 0 skips it.
        intergreen_s: yellow and all-red before each green [s].
        offset_s: how far each intersection lags behind the one before it, row by row [s].
    """

    green_s: tuple[float, ...]
    intergreen_s: float
    offset_s: float = 0.0

    def __post_init__(self) -> None:
        if min(self.green_s, default=0.0) < 0.0 or not any(self.green_s):
            raise ConfigurationError(
                "A fixed-time plan needs greens.",
                where="green_s [s]",
                expected="no negative time, at least one above 0",
                found=self.green_s,
                remedy="give one time per phase",
            )

    @property
    def cycle_s(self) -> float:
        """Length of the cycle [s].

        >>> FixedTime((20.0, 0.0, 30.0), 4.0).cycle_s
        58.0
        """
        return sum(green + self.intergreen_s for green in self.green_s if green > 0.0)

    def decide(self, simulator: Simulator) -> Integers:
        """Return the phase whose window the time falls in; a window is the intergreen and the green after it."""
        now = simulator.clock[:, None] * simulator.layout.tables.scalars[4]
        lag = np.arange(simulator.layout.intersections)[None] * self.offset_s
        windows = [green + self.intergreen_s if green > 0.0 else 0.0 for green in self.green_s]
        phases = np.searchsorted(np.cumsum(windows), (now - lag) % self.cycle_s, side="right")
        return np.asarray(phases, np.int64)


def webster(config: EnvironmentConfig) -> FixedTime:
    """Return Webster's plan for the base demand.

    Cycle C = (1.5 L + 5) / (1 - Y) [s], lost time L [s] per cycle, Y the sum of critical flow ratios y; greens
    share C - L as their y (F. V. Webster, Traffic Signal Settings, Road Research Technical Paper 39, 1958).
    """
    layout = build_layout(config)
    intergreen = config.signal.yellow_s + config.signal.all_red_s
    ratios = phase_ratios(config, layout, base_flows(config, layout))
    return FixedTime(webster_greens(ratios, intergreen * sum(y > 0 for y in ratios)), intergreen)


def webster_greens(ratios: list[float], lost_s: float) -> tuple[float, ...]:
    """Return the greens [s] for critical flow ratios [-] and the lost time of a cycle [s].

    >>> [round(green, 2) for green in webster_greens([0.4, 0.3], 8.0)]
    [27.81, 20.86]
    """
    total = sum(ratios)
    if total <= 0.0:
        return tuple(1.0 for _ in ratios)
    cycle = (1.5 * lost_s + 5.0) / (1.0 - total) if total < 1.0 else LONGEST_CYCLE_S
    green = min(cycle, LONGEST_CYCLE_S) - lost_s
    return tuple(green * ratio / total for ratio in ratios)


class RandomPhase:
    """A phase drawn evenly at each decision, from a generator that the caller owns: the floor of any comparison."""

    def __init__(self, generator: np.random.Generator) -> None:
        self.generator = generator

    def decide(self, simulator: Simulator) -> Integers:
        """Return phases at random."""
        shape = (simulator.size, simulator.layout.intersections)
        return self.generator.integers(0, simulator.layout.phases, shape)


class AllRed:
    """Red for everyone: what a reward must not pay for."""

    def decide(self, simulator: Simulator) -> Integers:
        """Return the phase that serves nobody.

        Raises:
            ConfigurationError: there is none.
        """
        empty = np.flatnonzero(~simulator.layout.tables.green.any(axis=1))
        if len(empty) == 0:
            raise ConfigurationError(
                "There is no phase that is red for everyone.",
                where="signal.phases",
                expected="an empty phase: phases: [[north, south], [east, west], []]",
                remedy="add an empty phase for this controller",
            )
        return np.full((simulator.size, simulator.layout.intersections), empty[0], np.int64)
