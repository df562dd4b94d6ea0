"""What the measurements say: the result as data, and as a page."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.sumo_ranking import ranking

RECORDED = Path(__file__).resolve().parents[2] / "docs" / "results" / "section_7_6" / "summary.json"
Found = Mapping[str, Any]
AGENT = "ppo"
CHOSEN = ("seeds", "tuning_seeds", "on_sumo", "agents", "sumo_agents", "steps", "processes")
BROUGHT, MADE = "brought_over", "made_there"
"""The two rankings: everybody tuned or trained on our model, and everybody tuned or trained where it is judged."""


def recorded() -> dict[str, float]:
    """Return the interquartile means of the recorded study, near saturation, with motorbikes and cars [s]."""
    summary = json.loads(RECORDED.read_text(encoding="utf-8"))
    policies = summary["scenarios"]["traffic_light_control"]["cases"]["near_saturated"]["policies"]
    return {name: policy["delay"]["value"] for name, policy in policies.items()}


def delays(measured: Found, made: str, judged: str) -> dict[str, ranking.Scores]:
    """Return the delays of everybody tuned or trained in one place and judged in one, by player [s].

    Args:
        measured: what was measured.
        made: where it was tuned or trained, ``ours`` or ``sumo``; ``short``: on ours, agents for as long as on SUMO.
        judged: where it was judged, or ``own`` for SUMO's own account.
    """
    place = "sumo" if made == "sumo" else "ours"
    rows = {name: [of[place][judged]] for name, of in measured["controllers"].items() if place in of}
    rows[AGENT] = [agent[judged] for agent in measured[AGENT][made]]
    return {name: ranking.matrix(of) for name, of in rows.items() if of}


def rankings(measured: Found) -> dict[str, dict[str, Any]]:
    """Return both rankings on both simulators; the second one where anybody was tuned or trained on SUMO."""
    found = {BROUGHT: ranked(delays(measured, "ours", "ours"), delays(measured, "ours", "sumo"))}
    there = delays(measured, "sumo", "sumo")
    if len(there) > 1:
        here = delays(measured, "short", "ours")
        found[MADE] = ranked({name: here[name] for name in there}, there)
    for key, made in ((BROUGHT, "ours"), (MADE, "sumo")):
        if key in found:
            own = delays(measured, made, "own")
            found[key]["own_account_s"] = {name: estimated(name, of)["value"] for name, of in own.items()}
    return found


def ranked(ours: Mapping[str, ranking.Scores], sumo: Mapping[str, ranking.Scores]) -> dict[str, Any]:
    """Return one ranking on both simulators."""
    return ranking.compared({"ours": ours, "sumo": sumo})


def conclude(facts: Found, saturation: Found, measured: Found, options: Found) -> dict[str, Any]:
    """Return the whole result."""
    return {
        "machine": dict(facts),
        "options": {key: options[key] for key in CHOSEN},
        "saturation": dict(saturation),
        "rankings": rankings(measured),
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
    facts, options = result["machine"], result["options"]
    flows = ", ".join(f"{side} {flow:.0f}" for side, flow in result["saturation"]["saturation_veh_per_h_lane"].items())
    lines = [
        "# The ranking on SUMO",
        "",
        f"{facts['date']}, {facts['cores']} cores shared with other work, {facts['sumo']}, Python {facts['python']},"
        f" Stable-Baselines3 {facts['stable_baselines3']}, PyTorch {facts['torch']}; `{facts['command']}`.",
        "",
        f"{options['seeds']} held-out demand seeds, the same for everybody; controllers are tuned on"
        f" {options['tuning_seeds']} others. Drivers' headway on SUMO {result['saturation']['tau_s']:g} s, at which"
        f" queues discharge, in veh/h per lane: {flows}.",
        "Interquartile means with bootstrap intervals of 95 %. Delay is lost time on the approaches and before them,"
        " per vehicle that arrived.",
    ]
    told = {
        BROUGHT: "## Tuned and trained on our model, judged on both",
        MADE: "## Tuned and trained on the simulator that judges",
    }
    for key, found in result["rankings"].items():
        lines += ["", told[key], "", *ranking_lines(found, result["recorded_s"])]
    for one in result["stored"]:
        here, there = (ranking.interval(one[place]) for place in ("ours", "sumo"))
        lines += ["", f"The agent of the store {one['store']}: {here} s on our model, {there} s on SUMO."]
    lines += ["", "## What was tuned and trained", "", *made_table(result["measured"])]
    return "\n".join(lines) + "\n"


def ranking_lines(found: Found, recorded_s: Mapping[str, float]) -> list[str]:
    """Return one ranking: who stands where, the orders, and all pairs."""
    order = found["order"]
    return [
        *ranking.delay_table(found, found["own_account_s"], recorded_s),
        "",
        f"Order on our model: {', '.join(order['ours'])}. On SUMO: {', '.join(order['sumo'])}."
        f" Kendall's tau {found['kendall_tau']:.2f}.",
        "",
        "By which part the delay of the first is below that of the second, on the same demand:",
        "",
        *ranking.pair_table(found["pairs"]),
    ]


def made_table(measured: Found) -> list[str]:
    """Return the table of chosen parameters and of trainings."""
    lines = ["| who | on | parameters | tried |", "|---|---|---|---|"]
    for name, places in measured["controllers"].items():
        for place, part in places.items():
            values = "; ".join(f"{key} {shown(value)}" for key, value in part["parameters"].items())
            lines.append(f"| {name} | {place} | {values or '–'} | {part['tried']} |")
    places = {"ours": "ours", "short": "ours", "sumo": "sumo"}
    trained = [(places[made], agent["training"]) for made, agents in measured[AGENT].items() for agent in agents]
    for place, training in trained:
        told = f"{training['steps']:,} steps in {training['environments']} environments"
        lines.append(f"| {AGENT} | {place} | {told}, {training['processor_s']:.0f} s of processor | – |")
    return lines


def shown(value: Any) -> str:
    """Return a parameter as text.

    >>> shown([31.0, 21.5]), shown(2.0)
    ('31/21.5', '2')
    """
    return "/".join(f"{part:.4g}" for part in value) if isinstance(value, list | tuple) else f"{value:.4g}"
