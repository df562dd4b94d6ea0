"""Classical controllers at their best: parameters by grid search on demand apart from that of the evaluation."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from validation_ch7.control import Actuated, Controller, Greedy, MaxPressure, Sotl, make_controller, mean_delay_s
from validation_ch7.control.plans import FixedTime
from validation_ch7.control.runs import search_fixed_time
from validation_ch7.environment_config import EnvironmentConfig

GRIDS: Mapping[str, tuple[Callable[..., Controller], Mapping[str, tuple[float, ...]]]] = MappingProxyType(
    {
        "actuated": (
            Actuated,
            {"gap_s": (1.5, 2.0, 3.0), "zone_m": (30.0, 50.0, 80.0), "max_green_s": (30.0, 45.0, 60.0)},
        ),
        "sotl": (Sotl, {"threshold_veh_s": (200.0, 400.0, 600.0, 900.0), "far_m": (50.0, 80.0, 150.0, 300.0)}),
        "max_pressure": (
            MaxPressure,
            {"range_m": (50.0, 100.0, 150.0, 300.0, 1000.0), "horizon_s": (5.0, 10.0, 20.0, 30.0)},
        ),
        "greedy": (Greedy, {"range_m": (30.0, 50.0, 100.0, 150.0, 300.0, 1000.0)}),
    }
)
"""For each controller that has parameters: how it is made, and the values that are tried, all combinations."""


@dataclass(frozen=True)
class Tuned:
    """A controller and the parameters that it was given.

    Attributes:
        parameters: what the search chose; empty for a controller that has nothing to tune.
        tried: candidates.
    """

    make: Callable[[], Controller]
    parameters: Mapping[str, float | tuple[float, ...]]
    tried: int


def tune(name: str, environment: EnvironmentConfig, seeds: Sequence[int]) -> Tuned:
    """Return the controller with the least mean delay on ``seeds``; among equals the first tried.

    Raises:
        ConfigurationError: there is no such controller.
    """
    if name == "fixed_time":
        plan = search_fixed_time(environment, seeds)
        return Tuned(lambda: plan, {"green_s": plan.green_s}, 7 ** sum(map(bool, environment.signal.phases)))
    if name not in GRIDS:
        controller = make_controller(name, environment)
        parameters = {"green_s": controller.green_s} if isinstance(controller, FixedTime) else {}
        return Tuned(lambda: make_controller(name, environment), parameters, 1)
    kind, grid = GRIDS[name]
    candidates = [dict(zip(grid, values, strict=True)) for values in itertools.product(*grid.values())]
    best = min(candidates, key=lambda given: mean_delay_s(environment, kind(**given), seeds))
    return Tuned(lambda: kind(**best), best, len(candidates))
