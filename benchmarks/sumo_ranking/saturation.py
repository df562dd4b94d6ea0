"""How fast queues discharge on SUMO, and the drivers' headway at which they do so as on our model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.sumo_ranking.network import lanes, write_network
from benchmarks.sumo_ranking.simulator import Rival, open_rivals
from validation_ch7.environment_config import APPROACHES, Approach, EnvironmentConfig

FILLING_S, SKIPPED_S, COUNTED_S = 120, 10, 60
"""Red while the queue forms, green that is left out as start-up, green in which vehicles are counted [s]."""
DRIVERS = 6
"""Episodes over which a flow is averaged, each with drivers of its own."""
TAUS_S = (0.8, 1.6)
"""Headways between which the search lies [s]; SUMO's own is 1."""


def discharge(python: str, folder: Path, config: EnvironmentConfig, tau_s: float) -> dict[Approach, float]:
    """Return the saturation flow of each approach on SUMO, the mean over some drivers [veh/h per lane]."""
    write_network(folder, config, tau_s)
    with open_rivals(python, folder, DRIVERS) as rivals:
        gone = {approach: sum(crossing(rivals, config, approach)) for approach in APPROACHES}
    counted_h = DRIVERS * COUNTED_S / 3600.0
    return {approach: count / counted_h / lanes(config, approach) for approach, count in gone.items()}


def crossing(rivals: Sequence[Rival], config: EnvironmentConfig, approach: Approach) -> list[int]:
    """Return how many vehicles of a queue cross the stop line while they are counted, for each process."""
    for seed, rival in enumerate(rivals):
        for order in ({"seed": seed + 1}, filling(config, approach), green(approach, SKIPPED_S)):
            rival.send(order)
        rival.send(green(approach, COUNTED_S))
    found = []
    for rival in rivals:
        _, before, after = (sum(rival.receive()["cells"][APPROACHES.index(approach)]) for _ in range(3))
        found.append(before - after)
    return found


def green(approach: Approach, seconds: int) -> dict[str, list]:
    """Return the order that gives one approach green, and lets nobody arrive.

    >>> green("east", 1)
    {'lights': ['rrGr'], 'arrivals': [[0, 0, 0, 0]]}
    """
    light = "".join("G" if other == approach else "r" for other in APPROACHES)
    return {"lights": [light] * seconds, "arrivals": [[0, 0, 0, 0]] * seconds}


def filling(config: EnvironmentConfig, approach: Approach) -> dict[str, list]:
    """Return the order that fills an approach before its red light, a vehicle in each lane every two seconds.

    >>> sum(second[0] for second in filling(EnvironmentConfig(), "north")["arrivals"])
    120
    """
    arriving = [lanes(config, approach) if approach == other else 0 for other in APPROACHES]
    seconds = [arriving if second % 2 else [0, 0, 0, 0] for second in range(FILLING_S)]
    return {"lights": ["rrrr"] * FILLING_S, "arrivals": seconds}


def per_lane(found: dict[Approach, float], config: EnvironmentConfig) -> float:
    """Return the mean over all lanes [veh/h].

    >>> round(per_lane({"north": 1500.0, "south": 1500.0, "east": 1600.0, "west": 1600.0}, EnvironmentConfig()))
    1550
    """
    weights = {approach: lanes(config, approach) for approach in found}
    return sum(found[approach] * weight for approach, weight in weights.items()) / sum(weights.values())


def bisect(value: Callable[[float], float], target: float, low: float, high: float, halvings: int = 5) -> float:
    """Return where a falling function takes the target, halving the interval.

    >>> round(bisect(lambda at: 10.0 - at, 7.0, 0.0, 8.0, 20), 4)
    3.0
    """
    for _ in range(halvings):
        middle = (low + high) / 2.0
        low, high = (middle, high) if value(middle) > target else (low, middle)
    return (low + high) / 2.0


def calibrate(python: str, folder: Path, config: EnvironmentConfig) -> dict[str, Any]:
    """Return the headway at which SUMO discharges as our model does, and what each approach then discharges.

    The network with that headway is left in ``folder / "network"``.
    """
    target = config.network.saturation_flow_pcu_per_h_lane

    def flow(tau_s: float) -> float:
        place = folder / f"tau_{tau_s:.4f}"
        return per_lane(discharge(python, place, config, tau_s), config)

    tau_s = round(bisect(flow, target, *TAUS_S), 3)
    measured = discharge(python, folder / "network", config, tau_s)
    return {"tau_s": tau_s, "saturation_veh_per_h_lane": measured}
