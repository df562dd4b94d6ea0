"""From the records of a study to its report: one table, and everything else out of that table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from validation_ch7.environment_config import EnvironmentConfig
from validation_ch7.errors import SessionFailedError
from validation_ch7.files import commit_bytes, commit_json, make_folder, sha256_file
from validation_ch7.reporting.study import figures
from validation_ch7.reporting.study.learning import LearningCurve, learning_csv, read_learning
from validation_ch7.reporting.study.section import (
    SECTION_NAME,
    STANDALONE,
    STANDALONE_NAME,
    section_text,
    verdict_line,
)
from validation_ch7.reporting.study.style import Look, save_figure
from validation_ch7.reporting.study.summary import FIXED_TIME, StudyNumbers, study_numbers
from validation_ch7.reporting.study.table import Table
from validation_ch7.study.protocol import EvaluationProtocol
from validation_ch7.study.records import EvaluationRecord, metric_rows, metrics_csv
from validation_ch7.study.tasks import EvaluationTask, TrainedAgent

Records = Sequence[tuple[EvaluationTask, EvaluationRecord | None]]
METRICS, LEARNING, SUMMARY, SESSION_SUMMARY = "metrics.csv", "learning.csv", "summary.json", "session_summary.json"


@dataclass(frozen=True)
class StudyEvidence:
    """What a report is made of.

    Attributes:
        study: its name.
        protocol: how everybody was judged.
        scenarios: environments by name.
        agents: what was trained.
        records: every task with what was found, or None.
        reductions: in what the study falls short of the full protocol.
    """

    study: str
    protocol: EvaluationProtocol
    scenarios: Mapping[str, EnvironmentConfig]
    agents: Sequence[TrainedAgent]
    records: Records
    reductions: tuple[str, ...]


@dataclass(frozen=True)
class Report:
    """What was written.

    Attributes:
        folder: where.
        files: names, in the order in which they were written.
        numbers: every number of the report.
        lines: the verdicts, for a console.
    """

    folder: Path
    files: tuple[str, ...]
    numbers: StudyNumbers
    lines: tuple[str, ...]


def write_report(evidence: StudyEvidence, folder: Path) -> Report:
    """Write table, numbers, figures and LaTeX section; what is missing is told in each of them.

    Raises:
        SessionFailedError: there is not one good evaluation.
        StorageError: the disk refused.
    """
    data = metrics_csv(metric_rows(evidence.records))
    table = Table(data)
    if not any(row["status"] == "ok" for row in table.rows):
        raise _nothing(evidence, table)
    make_folder(folder)
    numbers = study_numbers(evidence.study, table, evidence.protocol, evidence.reductions)
    curves = [curve for agent in evidence.agents if (curve := read_learning(agent)) is not None]
    commit_bytes(folder / METRICS, data)
    commit_json(folder / "metrics.json", {"study": evidence.study, "rows": metric_rows(evidence.records)})
    commit_bytes(folder / LEARNING, learning_csv(curves))
    commit_json(folder / SUMMARY, asdict(numbers) | {"policies": _facts(evidence.records)})
    names = [METRICS, "metrics.json", LEARNING, SUMMARY]
    drawn: dict[str, list[str]] = {}
    for scenario, kind, figure in _figures(evidence, table, numbers, curves):
        names += save_figure(figure, folder, f"{kind}_{scenario}")
        drawn.setdefault(scenario, []).append(kind)
    commit_bytes(folder / SECTION_NAME, section_text(numbers, evidence.protocol, drawn).encode("utf-8"))
    commit_bytes(folder / STANDALONE_NAME, STANDALONE.encode("utf-8"))
    names += [SECTION_NAME, STANDALONE_NAME]
    commit_json(folder / SESSION_SUMMARY, _session_summary(evidence, numbers, folder, names))
    lines = tuple(verdict_line(verdict) for scenario in numbers.scenarios.values() for verdict in scenario.verdicts)
    return Report(folder, (*names, SESSION_SUMMARY), numbers, lines)


def _nothing(evidence: StudyEvidence, table: Table) -> SessionFailedError:
    reasons = list(dict.fromkeys(f"{gap.policy}: {gap.status}: {gap.reason}" for gap in table.gaps))
    return SessionFailedError(
        "There is nothing to report: not one evaluation of the study is good.",
        where=f"study {evidence.study}",
        expected="at least one evaluated controller or agent",
        found="\n            ".join(reasons[:5]) or "no evaluations",
        remedy="correct what is named above, then run: python -m validation_ch7 study report",
    )


def _facts(records: Records) -> list[dict[str, Any]]:
    """Return what is known of each policy besides its episodes: parameters, checkpoints."""
    return [
        {
            "task": task.id,
            "status": record.status,
            "checkpoint": record.checkpoint,
            "steps": record.steps,
            "parameters": record.parameters,
            "candidates_tried": record.tried,
        }
        for task, record in records
        if record is not None and task.kind != "oracle"
    ]


def _session_summary(
    evidence: StudyEvidence, numbers: StudyNumbers, folder: Path, names: Sequence[str]
) -> dict[str, Any]:
    good = sum(record is not None and record.status == "ok" for _, record in evidence.records)
    verdicts = [verdict for scenario in numbers.scenarios.values() for verdict in scenario.verdicts]
    return {
        "format": "validation-ch7-study-report",
        "version": 1,
        "study": evidence.study,
        "status": "partial" if numbers.missing else "complete",
        "full_protocol": numbers.full,
        "reductions": list(numbers.reductions),
        "evaluations": {"all": len(evidence.records), "ok": good},
        "training_seeds": sorted({agent.seed for agent in evidence.agents}),
        "demand_seeds": evidence.protocol.seeds.count,
        "verdicts": [{**asdict(verdict), "word": verdict.word} for verdict in verdicts],
        "files": {name: sha256_file(folder / name) for name in names},
    }


def _figures(
    evidence: StudyEvidence, table: Table, numbers: StudyNumbers, curves: Sequence[LearningCurve]
) -> Iterator[tuple[str, str, Figure]]:
    for scenario, found in numbers.scenarios.items():
        reference = table.compared(scenario, numbers.reference)
        everyone = {name: kind for case in found.cases.values() for name, kind in _kinds(case.policies).items()}
        agents = [name for name, kind in everyone.items() if kind == "agent"]
        mine = [curve for curve in curves if curve.scenario == scenario]
        trained = list(dict.fromkeys([*agents, *(curve.algorithm for curve in mine)]))
        look = Look(trained, [name for name in everyone if name not in agents])
        if mine:
            yield scenario, "learning_curve", figures.draw_learning(mine, look)
        if found.cases:
            yield scenario, "comparison", figures.draw_comparison(found, look, numbers.reference)
        if reference:
            yield scenario, "profiles", figures.draw_profiles(reference, look, evidence.protocol.bootstrap)
        yield from _recorded(evidence, scenario, numbers, agents, look)


def _kinds(policies: Mapping[str, Any]) -> dict[str, str]:
    return {name: numbers.kind for name, numbers in policies.items()}


def _recorded(
    evidence: StudyEvidence, scenario: str, numbers: StudyNumbers, agents: Sequence[str], look: Look
) -> Iterator[tuple[str, str, Figure]]:
    case = numbers.scenarios[scenario].cases.get(numbers.reference)
    best = case.best_classical if case else None
    shown = list(dict.fromkeys([*agents, *(name for name in (best, FIXED_TIME) if name)]))
    good = [
        (task, record)
        for task, record in evidence.records
        if record is not None and record.status == "ok" and (task.scenario, task.grid) == (scenario, 1)
    ]
    traces = {task.policy: record.trace for task, record in good if record.trace is not None}
    decision = evidence.scenarios[scenario].decision_s
    pictures = [(name, trace) for name in shown if (trace := traces.get(name)) is not None]
    if pictures:
        yield scenario, "time_space", figures.draw_time_space(pictures, decision)
    series: dict[str, dict[str, list[float]]] = {}
    for name in shown:
        for task, record in good:
            if task.policy == name:
                series.setdefault(task.case, {}).setdefault(name, record.queue_veh)
    if series:
        titles = {name: case.title for name, case in evidence.protocol.cases.items()}
        ordered = {name: series[name] for name in titles if name in series}
        yield scenario, "queues", figures.draw_queues(ordered, titles, decision, look)
