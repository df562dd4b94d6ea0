"""Two rankings side by side: orders, Kendall's tau, the pairs that swap, and the tables that show them."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from validation_ch7.study.protocol import Bootstrap
from validation_ch7.study.statistics import Estimate, Scores, estimate, interquartile_mean, reduction

BOOTSTRAP = Bootstrap()


def order(values: Mapping[str, float]) -> list[str]:
    """Return names from the least value to the greatest.

    >>> order({"a": 3.0, "b": 1.0, "c": 2.0})
    ['b', 'c', 'a']
    """
    return sorted(values, key=lambda name: values[name])


def swapped(here: Mapping[str, float], there: Mapping[str, float]) -> list[tuple[str, str]]:
    """Return the pairs that stand the other way round there; the first is the better one here.

    >>> swapped({"a": 1.0, "b": 2.0, "c": 3.0}, {"a": 1.0, "b": 9.0, "c": 3.0})
    [('b', 'c')]
    """
    pairs = itertools.combinations(order(here), 2)
    return [(better, worse) for better, worse in pairs if there[better] > there[worse]]


def kendall_tau(here: Mapping[str, float], there: Mapping[str, float]) -> float:
    """Return Kendall's tau of two rankings of the same names without ties: 1 same order, -1 reversed.

    >>> kendall_tau({"a": 1.0, "b": 2.0, "c": 3.0}, {"a": 9.0, "b": 2.0, "c": 1.0})
    -1.0
    """
    pairs = len(here) * (len(here) - 1) // 2
    return 1.0 - 2.0 * len(swapped(here, there)) / pairs


def interquartile(name: str, scores: Scores) -> Estimate:
    """Return the interquartile mean of a player's delays, (training seeds, demand seeds) [s], with its interval."""
    return estimate(interquartile_mean, f"delay {name}", BOOTSTRAP, scores)


def lead(better: str, worse: str, scores: Mapping[str, Scores]) -> Estimate:
    """Return by which part the delay of one player is below that of another on the same demand [-]."""
    return estimate(reduction, f"{better} against {worse}", BOOTSTRAP, scores[better], scores[worse])


def compared(scores: Mapping[str, Mapping[str, Scores]]) -> dict[str, Any]:
    """Return estimates, orders, tau and swapped pairs with the leads on both simulators.

    Args:
        scores: by simulator (``ours``, ``sumo``) and player, matrices (training seeds, demand seeds) [s].
    """
    estimates = {place: {name: interquartile(name, of) for name, of in scores[place].items()} for place in scores}
    values = {place: {name: one.value for name, one in found.items()} for place, found in estimates.items()}
    return {
        "delay_s": {place: {name: vars(one) for name, one in found.items()} for place, found in estimates.items()},
        "order": {place: order(found) for place, found in values.items()},
        "kendall_tau": kendall_tau(values["ours"], values["sumo"]),
        "pairs": [
            {"better": better, "worse": worse, "swaps": values["sumo"][better] > values["sumo"][worse]}
            | {place: vars(lead(better, worse, scores[place])) for place in scores}
            for better, worse in itertools.combinations(order(values["ours"]), 2)
        ],
    }


def delay_table(found: Mapping[str, Any], own: Mapping[str, float], recorded: Mapping[str, float]) -> list[str]:
    """Return the table of delays and ranks.

    Args:
        found: of :func:`compared`.
        own: mean delay by SUMO's own account, by player [s].
        recorded: interquartile means of the recorded study, by player [s].
    """
    ranks = {place: {name: at + 1 for at, name in enumerate(names)} for place, names in found["order"].items()}
    lines = [
        "| who | rank, our model | rank, SUMO | delay, our model [s] | delay, SUMO [s] | SUMO's own account [s] |"
        " recorded study, two classes [s] |",
        "|---|---|---|---|---|---|---|",
    ]
    for name in found["order"]["ours"]:
        cells = [str(ranks[place][name]) for place in ("ours", "sumo")]
        cells += [interval(found["delay_s"][place][name]) for place in ("ours", "sumo")]
        cells += [f"{own[name]:.1f}", f"{recorded[name]:.1f}" if name in recorded else "–"]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return lines


def pair_table(pairs: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the table of all pairs: by how much the first is below the second, on both simulators.

    >>> same = {"value": 0.1, "low": 0.05, "high": 0.15}
    >>> pair_table([{"better": "a", "worse": "b", "swaps": False, "ours": same, "sumo": same}])[-1]
    '| a | b | 10.0 % [5.0, 15.0] | 10.0 % [5.0, 15.0] | holds |'
    """
    lines = ["| below on our model | above | by, our model | by, SUMO | on SUMO |", "|---|---|---|---|---|"]
    for pair in pairs:
        both = " | ".join(interval(pair[place], 100.0, " %") for place in ("ours", "sumo"))
        lines.append(f"| {pair['better']} | {pair['worse']} | {both} | {verdict(pair)} |")
    return lines


def verdict(pair: Mapping[str, Any]) -> str:
    """Return in a word what became of a pair: an interval that holds zero decides nothing.

    >>> verdict({"ours": {"low": 0.1, "high": 0.2}, "sumo": {"low": -0.3, "high": -0.1}, "swaps": True})
    'swaps'
    >>> verdict({"ours": {"low": 0.1, "high": 0.2}, "sumo": {"low": -0.1, "high": 0.1}, "swaps": False})
    'not decided'
    """
    decided = all(pair[place]["low"] > 0.0 or pair[place]["high"] < 0.0 for place in ("ours", "sumo"))
    return ("swaps" if pair["swaps"] else "holds") if decided else "not decided"


def interval(one: Mapping[str, float], scale: float = 1.0, unit: str = "") -> str:
    """Return an estimate with its interval as text.

    >>> interval({"value": 25.04, "low": 24.0, "high": 26.0})
    '25.0 [24.0, 26.0]'
    """
    value, low, high = (scale * one[key] for key in ("value", "low", "high"))
    return f"{value:.1f}{unit} [{low:.1f}, {high:.1f}]"


def matrix(rows: Sequence[Sequence[float]]) -> Scores:
    """Return delays as a matrix (training seeds, demand seeds)."""
    return np.array(rows, dtype=np.float64)
