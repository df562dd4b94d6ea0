"""What the measurements say: the result as data, and as a page."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.sumo_ranking import ranking

RECORDED = Path(__file__).resolve().parents[2] / "docs" / "results" / "section_7_6" / "summary.json"
Found = Mapping[str, Any]
AGENT, BROUGHT = "ppo", "ppo_brought_over"
"""The agent that is trained where it is judged, and the one of our model that is judged on both."""
CHOSEN = ("seeds", "tuning_seeds", "steps", "training_seeds", "brought_over", "processes")


def recorded() -> dict[str, float]:
    """Return the interquartile means of the recorded study, near saturation, with motorbikes and cars [s]."""
    summary = json.loads(RECORDED.read_text(encoding="utf-8"))
    policies = summary["scenarios"]["traffic_light_control"]["cases"]["near_saturated"]["policies"]
    return {name: policy["delay"]["value"] for name, policy in policies.items()}


def delays(measured: Found, made: str, judged: str) -> dict[str, ranking.Scores]:
    """Return the delays of everybody tuned or trained in one place and judged in one, by player [s].

    Args:
        measured: what was measured.
        made: where it was tuned or trained, ``ours`` or ``sumo``.
        judged: where it was judged, or ``own`` for SUMO's own account.
    """
    rows = {name: [places[made][judged]] for name, places in measured["controllers"].items()}
    rows[AGENT] = [agent[judged] for agent in measured[AGENT][made]]
    rows[BROUGHT] = [agent[judged] for agent in measured[BROUGHT]]
    return {name: ranking.matrix(of) for name, of in rows.items() if of}


def conclude(facts: Found, saturation: Found, measured: Found, options: Found) -> dict[str, Any]:
    """Return the whole result."""
    crossed = {"ours": delays(measured, "sumo", "ours"), "sumo": delays(measured, "ours", "sumo")}
    return {
        "machine": dict(facts),
        "options": {key: options[key] for key in CHOSEN},
        "saturation": dict(saturation),
        "ranking": ranking.compared({place: delays(measured, place, place) for place in ("ours", "sumo")}),
        "own_account_s": {name: estimated(name, of)["value"] for name, of in delays(measured, "sumo", "own").items()},
        "crossed": {place: {name: estimated(name, of) for name, of in crossed[place].items()} for place in crossed},
        "stored": [
            {"store": one["store"]}
            | {place: estimated(AGENT, ranking.matrix([one[place]])) for place in ("ours", "sumo")}
            for one in measured["stored"]
        ],
        "recorded_s": recorded(),
        "measured": dict(measured),
    }


def estimated(name: str, scores: ranking.Scores) -> dict[str, float]:
    """Return an interquartile mean with its interval as data [s]."""
    return dict(vars(ranking.interquartile(name, scores)))


def as_markdown(result: Found) -> str:
    """Return the result as a page."""
    facts, options, found = result["machine"], result["options"], result["ranking"]
    flows = ", ".join(f"{side} {flow:.0f}" for side, flow in result["saturation"]["saturation_veh_per_h_lane"].items())
    lines = [
        "# The ranking on SUMO",
        "",
        f"{facts['date']}, {facts['cores']} cores shared with other work, {facts['sumo']}, Python {facts['python']},"
        f" Stable-Baselines3 {facts['stable_baselines3']}, PyTorch {facts['torch']}; `{facts['command']}`.",
        "",
        f"{options['seeds']} held-out demand seeds, the same for everybody. Controllers are tuned, and `ppo` is"
        f" trained, on the simulator that judges: on {options['tuning_seeds']} other demand seeds; for"
        f" {options['steps']:,} steps, {options['training_seeds']} training seed(s). `ppo_brought_over` was trained on"
        f" our model alone, as `section.yml` says, {options['brought_over']} training seed(s).",
        f"Drivers' headway on SUMO {result['saturation']['tau_s']:g} s, at which queues discharge, in veh/h per lane:"
        f" {flows}.",
        "Interquartile means with bootstrap intervals of 95 %. Delay is lost time on the approaches and before"
        " them, per vehicle that arrived.",
        "",
        *ranking.delay_table(found, result["own_account_s"], result["recorded_s"]),
        "",
        f"Order on our model: {', '.join(found['order']['ours'])}. On SUMO: {', '.join(found['order']['sumo'])}."
        f" Kendall's tau {found['kendall_tau']:.2f}.",
        "",
        "## Pair by pair",
        "",
        "By which part the delay of the first is below that of the second, on the same demand.",
        "",
        *ranking.pair_table(found["pairs"]),
        "",
        "## Across",
        "",
        "Tuned or trained on the one, judged on the other.",
        "",
        *crossed_table(result),
        "",
        "## What was tuned and trained",
        "",
        *made_table(result["measured"]),
    ]
    return "\n".join(lines) + "\n"


def crossed_table(result: Found) -> list[str]:
    """Return the table of those who are judged where they were not made."""
    home, away = result["ranking"]["delay_s"], result["crossed"]
    lines = [
        "| who | made and judged on SUMO [s] | made on our model, judged on SUMO [s] | made and judged on our model [s]"
        " | made on SUMO, judged on our model [s] |",
        "|---|---|---|---|---|",
    ]
    for name in result["ranking"]["order"]["sumo"]:
        cells = [home["sumo"][name], away["sumo"][name], home["ours"][name], away["ours"][name]]
        texts = [ranking.interval(cell) for cell in cells]
        if name == BROUGHT:
            texts = ["–", texts[1], texts[2], "–"]
        lines.append(f"| {name} | {' | '.join(texts)} |")
    for one in result["stored"]:
        cells = [ranking.interval(one[place]) for place in ("sumo", "ours")]
        lines.append(f"| ppo of the store {one['store']} | – | {' | '.join(cells)} | – |")
    return lines


def made_table(measured: Found) -> list[str]:
    """Return the table of chosen parameters and of trainings."""
    lines = ["| who | on | parameters | tried |", "|---|---|---|---|"]
    for name, places in measured["controllers"].items():
        for place, part in places.items():
            values = "; ".join(f"{key} {shown(value)}" for key, value in part["parameters"].items())
            lines.append(f"| {name} | {place} | {values or '–'} | {part['tried']} |")
    trained = [(AGENT, place, agent["training"]) for place, agents in measured[AGENT].items() for agent in agents]
    trained += [(BROUGHT, "ours", agent["training"]) for agent in measured[BROUGHT]]
    for name, place, training in trained:
        told = f"{training['steps']:,} steps in {training['environments']} environments"
        lines.append(f"| {name} | {place} | {told}, {training['processor_s']:.0f} s of processor | – |")
    return lines


def shown(value: Any) -> str:
    """Return a parameter as text.

    >>> shown([31.0, 21.5]), shown(2.0)
    ('31/21.5', '2')
    """
    return "/".join(f"{part:.4g}" for part in value) if isinstance(value, list | tuple) else f"{value:.4g}"
