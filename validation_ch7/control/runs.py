"""Running controllers on held-out demand, the same for all of them, and searching the best fixed-time plan."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence

import numpy as np

from validation_ch7.control.controller import Controller
from validation_ch7.control.lookahead import LookAhead
from validation_ch7.control.plans import AllRed, FixedTime, RandomPhase, webster
from validation_ch7.control.pressure import Greedy, MaxPressure
from validation_ch7.control.responsive import Actuated, Sotl
from validation_ch7.environment_config import EnvironmentConfig
from validation_ch7.errors import ConfigurationError
from validation_ch7.traffic import MEASURES, Simulator, start_episodes, summarise

CONTROLLERS = ("fixed_time", "webster", "actuated", "sotl", "max_pressure", "greedy", "random", "all_red", "lookahead")
"""Names that :func:`make_controller` knows."""


def simulate(config: EnvironmentConfig, controller: Controller, seeds: Sequence[int]) -> list[dict[str, float]]:
    """Return the statistics of one episode for each seed.

    The demand of a seed is that of the first episode of an environment made with it.

    Args:
        config: the environment.
        controller: decides for all seeds at once.
        seeds: one per episode.
    """
    simulator = Simulator(config, len(seeds))
    start_episodes(simulator, config, seeds)
    totals = np.zeros((len(seeds), len(MEASURES), 2))
    peaks = [MEASURES.index("queue_max_veh"), MEASURES.index("overall")]
    for _ in range(config.steps_per_episode):
        simulator.step(controller.decide(simulator))
        highest = np.maximum(totals[:, peaks], simulator.measures[:, peaks])
        totals += simulator.measures
        totals[:, peaks] = highest
    return summarise(totals, simulator, range(len(seeds)))


def mean_delay_s(config: EnvironmentConfig, controller: Controller, seeds: Sequence[int]) -> float:
    """Return the mean delay over seeds [s]."""
    return float(np.mean([episode["mean_delay_s"] for episode in simulate(config, controller, seeds)]))


def search_fixed_time(
    config: EnvironmentConfig, seeds: Sequence[int], greens_s: Iterable[float] = (10, 15, 20, 25, 30, 40, 50)
) -> FixedTime:
    """Return the fixed-time plan with the least mean delay, every combination of greens tried.

    Args:
        config: the environment.
        seeds: demand seeds for the search, apart from those of the evaluation.
        greens_s: candidates for each phase that serves anyone [s].
    """
    intergreen = config.signal.yellow_s + config.signal.all_red_s
    candidates = [tuple(greens_s) if phase else (0.0,) for phase in config.signal.phases]
    plans = [FixedTime(greens, intergreen) for greens in itertools.product(*candidates)]
    return min(plans, key=lambda plan: mean_delay_s(config, plan, seeds))


def make_controller(name: str, config: EnvironmentConfig, seed: int = 0) -> Controller:
    """Return a controller by its name.

    Args:
        name: one of :data:`CONTROLLERS`.
        config: the environment that it controls.
        seed: for ``random``, and first of the eight search seeds of ``fixed_time``.

    Raises:
        ConfigurationError: there is no such controller.
    """
    match name:
        case "fixed_time":
            return search_fixed_time(config, range(seed, seed + 8))
        case "webster":
            return webster(config)
        case "actuated":
            return Actuated(max_green_s=config.signal.max_green_s or Actuated.max_green_s)
        case "sotl":
            return Sotl()
        case "max_pressure":
            return MaxPressure()
        case "greedy":
            return Greedy()
        case "random":
            return RandomPhase(np.random.default_rng(seed))
        case "all_red":
            return AllRed()
        case "lookahead":
            return LookAhead(config)
    raise ConfigurationError(
        "There is no such controller.",
        where="controller",
        expected=", ".join(CONTROLLERS),
        found=name,
        remedy="choose one of these names",
    )
