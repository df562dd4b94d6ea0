r"""The LaTeX section: tables and sentences out of the computed numbers, and of nothing else.

``section_7_6.tex`` is for ``\input`` in a thesis that loads graphicx and booktabs; ``section_7_6_standalone.tex``
wraps it into a document of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from validation_ch7.reporting.study.latex import (
    escape,
    percent,
    percent_interval,
    picture,
    probability_interval,
    seconds,
    seconds_interval,
    table,
)
from validation_ch7.reporting.study.style import label, scenario_label
from validation_ch7.reporting.study.summary import CaseNumbers, PolicyNumbers, ScenarioNumbers, StudyNumbers
from validation_ch7.reporting.study.table import Gap
from validation_ch7.reporting.study.verdicts import Verdict
from validation_ch7.study.protocol import EvaluationProtocol
from validation_ch7.study.statistics import Estimate

SECTION_NAME = "section_7_6.tex"
STANDALONE_NAME = "section_7_6_standalone.tex"
STANDALONE = rf"""\documentclass[11pt,a4paper]{{article}}
\IfFileExists{{lmodern.sty}}{{\usepackage[T1]{{fontenc}}\usepackage{{lmodern}}}}{{}}
\usepackage[utf8]{{inputenc}}
\usepackage[margin=2.5cm]{{geometry}}
\usepackage{{graphicx}}
\usepackage{{booktabs}}
\begin{{document}}
\input{{{SECTION_NAME.removesuffix(".tex")}}}
\end{{document}}
"""
_SHOWN_GAPS = 30


def section_text(numbers: StudyNumbers, protocol: EvaluationProtocol, figures: Mapping[str, Sequence[str]]) -> str:
    """Return the section.

    Args:
        numbers: everything that it says.
        protocol: how it was found.
        figures: by scenario, the kinds of figures that were drawn.
    """
    parts = [
        "% Written by 'study report'; every number comes from metrics.csv beside it.",
        r"\section{Reinforcement learning against classical control}\label{sec:rl-performance}",
        _standing(numbers),
        _protocol(numbers, protocol),
    ]
    for name, scenario in numbers.scenarios.items():
        parts += _scenario(name, scenario, numbers.reference, protocol, figures.get(name, ()))
    if numbers.missing:
        parts.append(_missing(numbers.missing))
    return "\n\n".join(part for part in parts if part) + "\n"


def _standing(numbers: StudyNumbers) -> str:
    if numbers.full:
        return ""
    reasons = [*numbers.reductions]
    if numbers.missing:
        reasons.append(f"{len(numbers.missing)} evaluation(s) are missing, see Table~\\ref{{tab:missing}}")
    return (
        rf"\textbf{{This is a reduced study:}} {'; '.join(reasons)}. Its figures are no evidence for the full protocol."
    )


def _protocol(numbers: StudyNumbers, protocol: EvaluationProtocol) -> str:
    cases = "; ".join(escape(case.title) for case in protocol.cases.values())
    oracle = (
        f"The look-ahead oracle tries every sequence of phases over {protocol.oracle.depth} decisions"
        " with perfect knowledge of the arrivals; it is no controller, but a yardstick. "
        if protocol.oracle and any(scenario.oracle_delay for scenario in numbers.scenarios.values())
        else ""
    )
    return (
        f"All controllers and agents meet the same {protocol.seeds.count} held-out demand seeds (common random numbers)"
        f" under one configuration. Agents are judged by their final checkpoint and act deterministically."
        f" Classical controllers are tuned by grid search on {protocol.tuning_seeds.count} other seeds of each demand."
        f" Demand: {cases}. {oracle}"
        f"Delay is given as the interquartile mean over all episodes with a {protocol.bootstrap.confidence * 100:g}"
        rf"\,\% percentile bootstrap interval ({protocol.bootstrap.resamples} resamples of whole training seeds and"
        " whole demand seeds, the same demand for both sides of a comparison)."
    )


def _scenario(
    name: str, numbers: ScenarioNumbers, reference: str, protocol: EvaluationProtocol, drawn: Sequence[str]
) -> Iterable[str]:
    shown = escape(scenario_label(name))
    yield rf"\subsection{{Scenario: {shown}}}"
    case = numbers.cases.get(reference)
    if case is None:
        yield "Nothing was evaluated under the reference demand, so nothing is claimed."
        return
    yield _sentences(numbers, case)
    if numbers.verdicts:
        yield _verdicts(numbers.verdicts, name, shown)
    yield _delays(numbers, name, shown)
    yield _measures(case, name, shown)
    yield _by_class(case, name, shown)
    if case.comparisons:
        yield _comparisons(case, name, shown)
    if numbers.grid is not None:
        yield _grid(numbers, name, shown)
    captions = _captions(protocol.cases[reference].title, shown)
    for kind in drawn:
        yield picture(f"{kind}_{name}.pdf", captions[kind], f"{kind}-{name}")


def _sentences(numbers: ScenarioNumbers, case: CaseNumbers) -> str:
    if case.best_classical is None:
        return "No classical controller was evaluated, so there is nothing to compare with."
    best = case.policies[case.best_classical]
    found = [
        f"Under {escape(case.title)} the best tuned classical controller is {escape(label(case.best_classical))}"
        rf" with a delay of {seconds_interval(best.delay)}\,s."
    ]
    for agent, comparisons in case.comparisons.items():
        versus = comparisons[case.best_classical]
        change = "below" if versus.reduction.value >= 0 else "above"
        text = (
            rf"{escape(label(agent))} reaches {seconds_interval(case.policies[agent].delay)}\,s,"
            f" {percent(abs(versus.reduction.value))} {change} it"
            rf" (reduction {percent_interval(versus.reduction)}), and is the better one on the same demand with"
            f" probability {probability_interval(versus.probability)}."
        )
        if agent in numbers.oracle_gaps:
            text += (
                f" On the {numbers.oracle_seeds} seeds of the look-ahead its delay exceeds that yardstick by"
                f" {percent_interval(numbers.oracle_gaps[agent])}."
            )
        found.append(text)
    return " ".join(found)


def _verdicts(verdicts: Sequence[Verdict], name: str, shown: str) -> str:
    rows = [
        (
            escape(label(verdict.algorithm)),
            r"\raggedright " + escape(verdict.target).replace(r" \%", r"\,\%"),
            percent_interval(verdict.found) if verdict.found else "--",
            rf"\textbf{{{verdict.word}}}" if verdict.met is not None else verdict.word,
        )
        for verdict in verdicts
    ]
    head = ("", "target", "found", "verdict")
    return table(head, rows, f"Targets of the section, {shown}.", f"verdicts-{name}", "lp{6.8cm}rl")


def _delays(numbers: ScenarioNumbers, name: str, shown: str) -> str:
    cases = list(numbers.cases.values())
    policies = _ordered(cases[0])
    rows = []
    for policy in policies:
        cells = [seconds_interval(case.policies[policy].delay) if policy in case.policies else "--" for case in cases]
        rows.append((escape(label(policy)), *cells))
    if numbers.oracle_delay is not None:
        rows.append((escape(f"Look-ahead ({numbers.oracle_seeds} seeds)"), seconds_interval(numbers.oracle_delay)))
        rows[-1] += ("--",) * (len(cases) - 1)
    head = ("", *(rf"\parbox[b]{{3cm}}{{\raggedleft {escape(case.title)}}}" for case in cases))
    caption = f"Mean delay in s, interquartile mean with interval, {shown}."
    return table(head, rows, caption, f"delay-{name}")


def _ordered(case: CaseNumbers) -> list[str]:
    return sorted(case.policies, key=lambda policy: case.policies[policy].delay.value)


_MEASURES = {
    "delay [s]": "mean_delay_s",
    "travel [s]": "travel_time_s",
    "queue": "queue_mean_veh",
    "max": "queue_max_veh",
    "served": "throughput_veh",
    "stops": "stops_per_veh",
    "left": "residual_veh",
    r"CO$_2$ [g]": "co2_proxy_g",
}
_DIGITS = {"stops_per_veh": 2}


def _cell(numbers: PolicyNumbers, measure: str) -> str:
    return f"{numbers.means[measure]:.{_DIGITS.get(measure.removesuffix('_motorbike').removesuffix('_car'), 1)}f}"


def _measures(case: CaseNumbers, name: str, shown: str) -> str:
    rows = [
        (escape(label(policy)), *(_cell(case.policies[policy], measure) for measure in _MEASURES.values()))
        for policy in _ordered(case)
    ]
    caption = (
        f"All measures under {escape(case.title)}, {shown}; plain means over all episodes: delay and travel time of a"
        r" vehicle, vehicles queued (mean and greatest), served, stops of a vehicle, vehicles left at the end, and a"
        r" proxy of the CO$_2$ of a vehicle from time, distance and stops."
    )
    return table(("", *_MEASURES), rows, caption, f"measures-{name}")


_BY_CLASS = {"delay [s]": "mean_delay_s", "stops": "stops_per_veh", "queue": "queue_mean_veh", "left": "residual_veh"}


def _by_class(case: CaseNumbers, name: str, shown: str) -> str:
    rows = []
    for policy in _ordered(case):
        cells = [
            _cell(case.policies[policy], f"{measure}_{kind}")
            for kind in ("motorbike", "car")
            for measure in _BY_CLASS.values()
        ]
        rows.append((escape(label(policy)), *cells))
    group = r"\multicolumn{4}{c}{motorbikes} & \multicolumn{4}{c}{cars} \\ \cmidrule(lr){2-5}\cmidrule(lr){6-9}"
    head = (f" & {group} ", *_BY_CLASS, *_BY_CLASS)
    return table(head, rows, f"The same by class of vehicle, {shown}.", f"classes-{name}", "lrrrrrrrr")


def _comparisons(case: CaseNumbers, name: str, shown: str) -> str:
    rows = [
        (
            escape(label(agent)),
            escape(label(other)),
            percent_interval(found.reduction),
            probability_interval(found.probability),
        )
        for agent, comparisons in case.comparisons.items()
        for other, found in sorted(comparisons.items(), key=lambda item: case.policies[item[0]].delay.value)
    ]
    head = ("agent", "against", "reduction of delay", "probability of improvement")
    caption = f"Agents against each controller under {escape(case.title)}, {shown}."
    return table(head, rows, caption, f"comparisons-{name}", "llrr")


def _grid(numbers: ScenarioNumbers, name: str, shown: str) -> str:
    grid = numbers.grid
    assert grid is not None
    rows = [
        (escape(label(policy)), seconds(grid.coarse[policy]), str(place), seconds(grid.fine[policy]), str(fine))
        for place, policy in enumerate(grid.coarse, start=1)
        for fine in [list(grid.fine).index(policy) + 1]
    ]
    word = "does not change" if grid.same_ranking else r"\textbf{changes}"
    text = (
        f"With cells {grid.factor} times shorter the ranking of the policies {word}"
        rf" (Table~\ref{{tab:grid-{name}}}, {grid.demand_seeds} demand seeds)."
    )
    head = ("", "delay [s]", "rank", "finer grid [s]", "rank")
    return text + "\n\n" + table(head, rows, f"Delay and rank on both grids, {shown}.", f"grid-{name}")


def _captions(case: str, shown: str) -> dict[str, str]:
    return {
        "learning_curve": f"Learning, {shown}: mean delay on a few held-out seeds as the sessions of each chain"
        " recorded it; dashed lines mark where a new session took over.",
        "comparison": f"Delay of everybody, {shown}: interquartile mean and interval.",
        "profiles": f"Performance profiles under {escape(case)}, {shown}: share of episodes with at most that delay.",
        "time_space": f"Occupancy of the northern approach under {escape(case)}, {shown}, first held-out seed;"
        " dark bars at the stop line (position 0) are red or lost time.",
        "queues": f"Queued vehicles over the episode, {shown}, mean over all demand seeds.",
    }


def _missing(gaps: Sequence[Gap]) -> str:
    rows = [
        (
            escape(f"{label(gap.policy)}{'' if gap.training_seed is None else f', seed {gap.training_seed}'}"),
            escape(f"{scenario_label(gap.scenario)}, {gap.case}{'' if gap.grid == 1 else ', finer grid'}"),
            escape(f"{gap.status}: {gap.reason}"[:140]),
        )
        for gap in gaps[:_SHOWN_GAPS]
    ]
    more = f" The first {_SHOWN_GAPS} of {len(gaps)}." if len(gaps) > _SHOWN_GAPS else ""
    return table(("who", "where", "why"), rows, f"Evaluations that are missing.{more}", "missing", "lp{4cm}p{7cm}")


def verdict_line(verdict: Verdict) -> str:
    """Return a verdict as one line for a console."""
    found = verdict.found
    text = "nothing to judge by" if found is None else _plain(found)
    against = f" ({label(verdict.against)})" if verdict.against else ""
    who = f"{label(verdict.algorithm)}, {scenario_label(verdict.scenario)}"
    return f"{who}: {verdict.target}{against}: {text}: {verdict.word}"


def _plain(found: Estimate) -> str:
    return f"{found.value * 100:.1f} % [{found.low * 100:.1f}, {found.high * 100:.1f}]"
