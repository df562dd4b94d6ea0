"""``study report``: evaluate what is not evaluated yet, write the report, and say what it found."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path

from validation_ch7.cli.outcome import print_json
from validation_ch7.cli.study_words import study_command
from validation_ch7.config import section_file
from validation_ch7.console import Console
from validation_ch7.errors import ConfigurationError
from validation_ch7.reporting.study.collect import collect
from validation_ch7.reporting.study.report import Report, write_report
from validation_ch7.reporting.study.summary import StudyNumbers
from validation_ch7.study.layout import StudyFolder
from validation_ch7.study.spec import StudySpec, load_study
from validation_ch7.study.standing import read_standing

_SHOWN_GAPS = 10


def report_command(
    workspace: Path,
    study_path: Path,
    as_json: bool,
    *,
    jobs: int,
    evaluate: bool,
    config_path: Path | None,
    output: Path | None,
) -> int:
    """Write the report of a study; a partial study gives a partial report, which says what is missing."""
    spec, console = load_study(study_path), Console(sys.stderr if as_json else None)
    _require_begun(spec, StudyFolder.of(workspace, spec.name), study_command("run", workspace, study_path, config_path))
    section = config_path or section_file(spec.section)
    evidence = collect(spec, workspace, section, console.say, jobs, evaluate)
    report = write_report(evidence, output or workspace / "validation_output" / "reports" / spec.name)
    _conclude(report, len(evidence.agents), console)
    if as_json:
        print_json(_json(report))
    return 0


def _require_begun(spec: StudySpec, folder: StudyFolder, command: str) -> None:
    standing = read_standing(folder)
    if standing is not None and any(chain.steps for chain in standing.chains):
        return
    others = sorted(path.parent.name for path in folder.root.parent.glob("*/study.json"))
    told = f"; studies that are here: {', '.join(others)}" if others and standing is None else ""
    raise ConfigurationError(
        "This study has not been run here: no chain has begun, so there is nothing to judge.",
        where=folder.root,
        expected=f"chains of the study {spec.name}",
        found=("nothing" if standing is None else f"{len(standing.chains)} chain(s) without a checkpoint") + told,
        remedy=f"run it first: {command}; or name the study that was run with --study",
    )


def _conclude(report: Report, agents: int, console: Console) -> None:
    numbers = report.numbers
    console.say()
    for line in report.lines:
        console.say(f"{'✓' if line.endswith(': met') else '✗'} {line}")
    for name, scenario in numbers.scenarios.items():
        if scenario.grid is not None:
            word = "does not change" if scenario.grid.same_ranking else "changes"
            console.say(f"   {name}: the ranking {word} on a grid {scenario.grid.factor} times finer")
    for reason in numbers.reductions:
        console.say(f"   reduced study: {reason}")
    for gap in numbers.missing[:_SHOWN_GAPS]:
        seed = "" if gap.training_seed is None else f" seed {gap.training_seed}"
        console.say(f"   missing: {gap.policy}{seed}, {gap.scenario}, {gap.case}: {gap.status}: {gap.reason}")
    if len(numbers.missing) > _SHOWN_GAPS:
        console.say(f"   ... and {len(numbers.missing) - _SHOWN_GAPS} more, all in metrics.csv")
    written = f"{len(report.files)} files in {report.folder}"
    console.say(f"⚠️ {written}: {_lacking(numbers, agents)}" if numbers.missing else f"✅ {written}")


def _lacking(numbers: StudyNumbers, agents: int) -> str:
    """Return what a report lacks: an agent is missing where any of its evaluations is."""
    lost = {(gap.scenario, gap.policy, gap.training_seed) for gap in numbers.missing if gap.training_seed is not None}
    others = sum(gap.training_seed is None for gap in numbers.missing)
    parts = [f"{len(lost)} of {agents} agents missing"] if lost else []
    return ", ".join([*parts, *([f"{others} evaluation(s) of controllers missing"] if others else [])])


def _json(report: Report) -> dict[str, object]:
    numbers = report.numbers
    verdicts = [verdict for scenario in numbers.scenarios.values() for verdict in scenario.verdicts]
    return {
        "success": True,
        "status": "partial" if numbers.missing else "complete",
        "study": numbers.study,
        "full_protocol": numbers.full,
        "reductions": list(numbers.reductions),
        "missing": [asdict(gap) for gap in numbers.missing],
        "verdicts": [{**asdict(verdict), "word": verdict.word} for verdict in verdicts],
        "folder": str(report.folder),
        "files": list(report.files),
    }
