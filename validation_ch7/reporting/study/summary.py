"""Every number of the report, computed from the table of episodes: estimates, comparisons, ranks, verdicts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from validation_ch7.reporting.study.table import Gap, Runs, Table, shared_seeds
from validation_ch7.reporting.study.verdicts import Verdict, judge
from validation_ch7.study.protocol import EvaluationProtocol
from validation_ch7.study.statistics import (
    Estimate,
    Scores,
    Statistic,
    estimate,
    excess,
    improvement,
    interquartile_mean,
)
from validation_ch7.study.statistics import reduction as reduction_of
from validation_ch7.study.tasks import ORACLE

FIXED_TIME = "fixed_time"
NOT_CLASSICAL = frozenset({"random", "all_red"})
"""Controllers that nobody would use; they are shown, and never the best classical one."""


@dataclass(frozen=True)
class PolicyNumbers:
    """What one policy achieved under one demand."""

    kind: str
    training_seeds: tuple[int, ...]
    demand_seeds: int
    delay: Estimate
    """Interquartile mean over all episodes of the mean delay of an episode [s]."""
    means: dict[str, float]
    """Plain mean over all episodes of every measure."""


@dataclass(frozen=True)
class Comparison:
    """An algorithm against a controller, on the demand seeds that both have."""

    reduction: Estimate
    """Part by which its interquartile mean delay is smaller [-]."""
    probability: Estimate
    """Probability that a run of it has the smaller delay on the same demand [-]."""


@dataclass(frozen=True)
class CaseNumbers:
    """Everything about one demand case."""

    title: str
    policies: dict[str, PolicyNumbers]
    best_classical: str | None
    """The classical controller with the smallest interquartile mean delay here."""
    comparisons: dict[str, dict[str, Comparison]]
    """By algorithm, then by controller."""


@dataclass(frozen=True)
class GridNumbers:
    """The same policies on the scenario's grid and on a finer one, on the same demand seeds."""

    factor: int
    demand_seeds: int
    coarse: dict[str, float]
    """Interquartile mean delay [s], in ascending order: the ranking."""
    fine: dict[str, float]
    same_ranking: bool


@dataclass(frozen=True)
class ScenarioNumbers:
    """Everything about one scenario."""

    cases: dict[str, CaseNumbers]
    oracle_delay: Estimate | None
    oracle_seeds: int
    oracle_gaps: dict[str, Estimate]
    """Optimality gap to the look-ahead [-], by policy."""
    grid: GridNumbers | None
    verdicts: tuple[Verdict, ...]


@dataclass(frozen=True)
class StudyNumbers:
    """Every number of a study."""

    study: str
    full: bool
    reductions: tuple[str, ...]
    """In what it falls short of the full protocol."""
    missing: tuple[Gap, ...]
    reference: str
    scenarios: dict[str, ScenarioNumbers]


def study_numbers(
    study: str, table: Table, protocol: EvaluationProtocol, reductions: Iterable[str] = ()
) -> StudyNumbers:
    """Return every number of a study; the same table gives the same numbers.

    Args:
        study: its name.
        table: its episodes.
        protocol: demand cases, bootstrap and targets.
        reductions: in what it falls short of the full protocol.
    """
    short = tuple(reductions)
    return StudyNumbers(
        study=study,
        full=not short and not table.gaps,
        reductions=short,
        missing=tuple(table.gaps),
        reference=protocol.reference,
        scenarios={name: _scenario(name, table, protocol) for name in table.scenarios},
    )


def _scenario(scenario: str, table: Table, protocol: EvaluationProtocol) -> ScenarioNumbers:
    cases = {
        name: _case(table.compared(scenario, name), case.title, f"{scenario}.{name}", protocol)
        for name, case in protocol.cases.items()
        if table.compared(scenario, name)
    }
    oracle = table.find(scenario, protocol.reference, ORACLE)
    policies = table.compared(scenario, protocol.reference)
    gaps = _gaps(policies, oracle, scenario, protocol) if oracle else {}
    delay = _one(interquartile_mean, f"{scenario}.{ORACLE}", protocol, oracle.delay) if oracle else None
    reference = cases.get(protocol.reference)
    return ScenarioNumbers(
        cases=cases,
        oracle_delay=delay,
        oracle_seeds=len(oracle.demand_seeds) if oracle else 0,
        oracle_gaps=gaps,
        grid=_grid(scenario, table, protocol),
        verdicts=judge(scenario, reference, gaps, protocol.targets) if reference else (),
    )


def _case(policies: Mapping[str, Runs], title: str, name: str, protocol: EvaluationProtocol) -> CaseNumbers:
    numbers = {policy: _policy(runs, f"{name}.{policy}", protocol) for policy, runs in policies.items()}
    classical = [item for item, found in numbers.items() if found.kind == "controller" and item not in NOT_CLASSICAL]
    comparisons = {
        agent: {
            other: _comparison(policies[agent], policies[other], f"{name}.{agent}.{other}", protocol)
            for other, found in numbers.items()
            if found.kind == "controller"
        }
        for agent, found in numbers.items()
        if found.kind == "agent"
    }
    best = min(classical, key=lambda item: numbers[item].delay.value, default=None)
    return CaseNumbers(title, numbers, best, comparisons)


def _policy(runs: Runs, name: str, protocol: EvaluationProtocol) -> PolicyNumbers:
    return PolicyNumbers(
        kind=runs.kind,
        training_seeds=runs.training_seeds,
        demand_seeds=len(runs.demand_seeds),
        delay=_one(interquartile_mean, name, protocol, runs.delay),
        means={measure: float(scores.mean()) for measure, scores in runs.measures.items()},
    )


def _comparison(ours: Runs, theirs: Runs, name: str, protocol: EvaluationProtocol) -> Comparison:
    seeds = shared_seeds(ours, theirs)
    pair = ours.on(seeds), theirs.on(seeds)
    return Comparison(
        reduction=_one(reduction_of, f"{name}.reduction", protocol, *pair),
        probability=_one(improvement, f"{name}.probability", protocol, *pair),
    )


def _gaps(
    policies: Mapping[str, Runs], oracle: Runs, scenario: str, protocol: EvaluationProtocol
) -> dict[str, Estimate]:
    found = {}
    for policy, runs in policies.items():
        seeds = shared_seeds(runs, oracle)
        if seeds:
            found[policy] = _one(excess, f"{scenario}.{policy}.gap", protocol, runs.on(seeds), oracle.on(seeds))
    return found


def _grid(scenario: str, table: Table, protocol: EvaluationProtocol) -> GridNumbers | None:
    if protocol.grid is None:
        return None
    coarse = table.compared(scenario, protocol.reference)
    fine = table.compared(scenario, protocol.reference, protocol.grid.factor)
    both = [policy for policy in coarse if policy in fine]
    if not both:
        return None
    seeds = shared_seeds(*(coarse[policy] for policy in both), *(fine[policy] for policy in both))
    ranks = [
        dict(sorted(((policy, _plain(runs[policy].on(seeds))) for policy in both), key=lambda item: item[1]))
        for runs in (coarse, fine)
    ]
    return GridNumbers(protocol.grid.factor, len(seeds), ranks[0], ranks[1], list(ranks[0]) == list(ranks[1]))


def _plain(scores: Scores) -> float:
    return float(interquartile_mean(scores[None])[0])


def _one(
    statistic: Statistic,
    name: str,
    protocol: EvaluationProtocol,
    *scores: Scores,
) -> Estimate:
    return estimate(statistic, name, protocol.bootstrap, *scores)
