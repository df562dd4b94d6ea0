"""``study report``: evaluate what is not evaluated yet, write the report, and say what it found."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path

from validation_ch7.cli.outcome import print_json
from validation_ch7.config import section_file
from validation_ch7.console import Console
from validation_ch7.reporting.study.collect import collect
from validation_ch7.reporting.study.report import Report, write_report
from validation_ch7.study.spec import load_study

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
    section = config_path or section_file(spec.section)
    evidence = collect(spec, workspace, section, console.say, jobs, evaluate)
    report = write_report(evidence, output or workspace / "validation_output" / "reports" / spec.name)
    _conclude(report, console)
    if as_json:
        print_json(_json(report))
    return 0


def _conclude(report: Report, console: Console) -> None:
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
    console.say(f"✅ {len(report.files)} files in {report.folder}")


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
