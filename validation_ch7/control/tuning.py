"""Classical controllers at their best: parameters searched on demand apart from that of the evaluation.

Each controller gets all the freedom that its source gives it, a greatest green of its own for each phase
included: whoever is compared with them must not win by their bad settings.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, NamedTuple

from validation_ch7.control.controller import Controller
from validation_ch7.control.plans import FixedTime
from validation_ch7.control.pressure import Greedy, MaxPressure
from validation_ch7.control.responsive import Actuated, Sotl
from validation_ch7.control.runs import make_controller, mean_delay_s
from validation_ch7.environment_config import EnvironmentConfig

Values = Mapping[str, float]
Axes = Mapping[str, tuple[float, ...]]
Parameters = Mapping[str, Any]

RANGES_M = (20.0, 40.0, 60.0, 80.0, 100.0, 150.0, 200.0, 300.0, 400.0)
"""Distances before the stop line [m]."""
GAPS_S = (1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0)
"""Headways at which an actuated green ends [s]."""
LONGEST_GREENS_S = (15.0, 20.0, 25.0, 30.0, 40.0, 50.0, 60.0, 80.0, 100.0)
"""Greatest greens of a phase [s]."""
THRESHOLDS_VEH_S = (50.0, 100.0, 150.0, 200.0, 300.0, 400.0, 600.0, 800.0, 1000.0, 1400.0)
"""Vehicle-seconds at which a self-organising red ends [veh s]."""
PLATOONS_VEH = (0.5, 1.0, 2.0, 3.0, 4.0, 6.0, 8.0)
"""Platoons that it lets cross [veh]."""
HORIZONS_S = (10.0, 12.0, 15.0, 20.0, 25.0, 30.0, 40.0, 60.0, 100.0)
"""Times over which a change of max-pressure must pay [s]."""


@dataclass(frozen=True)
class Tuned:
    """A controller and the parameters that it was given.

    Attributes:
        make: makes it anew.
        parameters: what the search chose; empty for a controller that has nothing to tune.
        delay_s: its mean delay on the demand of the search [s].
        tried: candidates.
    """

    make: Callable[[], Controller]
    parameters: Parameters
    delay_s: float
    tried: int


class Family(NamedTuple):
    """How one controller is searched.

    Attributes:
        starts: points of which the best is where the search starts.
        axes: values of each parameter that are tried; greens of a phase have an axis each.
        build: makes the controller from keyword arguments.
    """

    starts: Sequence[Values]
    axes: Axes
    build: Callable[..., Controller]


def tune(name: str, config: EnvironmentConfig, seeds: Sequence[int]) -> Tuned:
    """Return the controller with the least mean delay on ``seeds`` that the search finds.

    From the best of some starting points (for fixed time a coarse grid of all plans), one parameter after
    another takes its best value, until none improves any more.

    Raises:
        ConfigurationError: there is no such controller.
    """
    family = find_family(name, config)
    tried: dict[tuple[float, ...], float] = {}

    def cost(at: Values) -> float:
        key = tuple(at.values())
        if key not in tried:
            tried[key] = mean_delay_s(config, family.build(**arguments(at, config)), seeds)
        return tried[key]

    best = descend(min(family.starts, key=cost), family.axes, cost)
    chosen = arguments(best, config)
    return Tuned(lambda: family.build(**chosen), MappingProxyType(chosen), cost(best), len(tried))


def descend(start: Values, axes: Axes, cost: Callable[[Values], float]) -> Values:
    """Return where no axis brings anything any more.

    >>> descend({"x": 0, "y": 0}, {"x": (0, 1, 2), "y": (0, 1, 2)}, lambda at: (at["x"] - 1) ** 2 - at["y"])
    {'x': 1, 'y': 2}
    """
    best = dict(start)
    while True:
        before = cost(best)
        for axis, values in axes.items():
            best = min([best, *({**best, axis: value} for value in values)], key=cost)
        if cost(best) >= before:
            return best


def arguments(at: Values, config: EnvironmentConfig) -> dict[str, Any]:
    """Return a point of the search as keyword arguments; ``green_s 0``, ``green_s 1`` become one tuple.

    >>> arguments({"gap_s": 2.0, "green_s 0": 30.0, "green_s 1": 20.0}, EnvironmentConfig())
    {'gap_s': 2.0, 'green_s': (30.0, 20.0)}
    """
    gathered: dict[str, Any] = {key: value for key, value in at.items() if " " not in key}
    for name in sorted({key.split()[0] for key in at if " " in key}):
        gathered[name] = tuple(at.get(f"{name} {phase}", 0.0) for phase in range(len(config.signal.phases)))
    return gathered


def find_family(name: str, config: EnvironmentConfig) -> Family:
    """Return how a controller is searched; one without parameters has a single point.

    Raises:
        ConfigurationError: there is no such controller.
    """
    match name:
        case "fixed_time":
            return _fixed_time(config)
        case "actuated":
            return _actuated(config)
        case "sotl":
            return _sotl(config)
        case "max_pressure":
            axes = {"range_m": ranges_m(config), "horizon_s": HORIZONS_S}
            return Family(
                [{"range_m": distance, "horizon_s": HORIZONS_S[0]} for distance in axes["range_m"]], axes, MaxPressure
            )
        case "greedy":
            return Family([{"range_m": RANGES_M[0]}], {"range_m": ranges_m(config)}, Greedy)
    return Family([{}], {}, lambda: make_controller(name, config))


def ranges_m(config: EnvironmentConfig, most: float = math.inf) -> tuple[float, ...]:
    """Return the distances before the stop line that are tried [m]."""
    return tuple(distance for distance in RANGES_M if distance <= min(config.network.entry_length_m, most))


def _phases(config: EnvironmentConfig) -> list[int]:
    return [number for number, phase in enumerate(config.signal.phases) if phase]


def _fixed_time(config: EnvironmentConfig) -> Family:
    """Greens that end where a decision ends, from the least green on; an offset where there are several lights."""
    intergreen, step = config.signal.yellow_s + config.signal.all_red_s, config.decision_s
    least = math.ceil((config.signal.min_green_s + intergreen) / step)
    greens = tuple(window * step - intergreen for window in range(least, least + 14))
    names = [f"green_s {phase}" for phase in _phases(config)]
    starts: list[dict[str, float]] = [
        dict(zip(names, plan, strict=True)) for plan in itertools.product(greens[::3], repeat=len(names))
    ]
    axes = dict.fromkeys(names, greens)
    if config.network.rows * config.network.columns > 1:
        starts = [{**plan, "offset_s": 0.0} for plan in starts]
        axes["offset_s"] = tuple(step * lag for lag in range(20))
    return Family(starts, axes, lambda **given: FixedTime(intergreen_s=intergreen, **given))


def _actuated(config: EnvironmentConfig) -> Family:
    names = [f"max_green_s {phase}" for phase in _phases(config)]
    axes = {"gap_s": GAPS_S, "zone_m": ranges_m(config, 150.0)} | dict.fromkeys(names, LONGEST_GREENS_S)
    first = {"gap_s": 2.0, "zone_m": RANGES_M[1]}
    return Family([first | dict.fromkeys(names, longest) for longest in LONGEST_GREENS_S], axes, Actuated)


def _sotl(config: EnvironmentConfig) -> Family:
    axes = {"threshold_veh_s": THRESHOLDS_VEH_S, "far_m": ranges_m(config), "near_m": ranges_m(config, 100.0)}
    axes["platoon_veh"] = PLATOONS_VEH
    first = {"far_m": 80.0, "near_m": 40.0, "platoon_veh": 1.0}
    return Family([{"threshold_veh_s": threshold, **first} for threshold in THRESHOLDS_VEH_S], axes, Sotl)
