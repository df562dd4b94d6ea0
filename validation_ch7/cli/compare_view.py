"""``compare``: the comparison of runs as text, as JSON, and as a page."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from validation_ch7.cli.compared_names import find_run
from validation_ch7.cli.outcome import print_json
from validation_ch7.cli.screen import Column, Screen, reward_text
from validation_ch7.cli.selection import Selection
from validation_ch7.errors import ConfigurationError
from validation_ch7.files import commit_bytes, make_folder
from validation_ch7.journal import utc_text
from validation_ch7.reporting.comparison.choice import Advice
from validation_ch7.reporting.comparison.compared import RunComparison, compare_runs
from validation_ch7.reporting.comparison.run import Candidate, Run

EXIT_DONE = 0
SHOWN_SETTINGS = 30


def show_comparison(selection: Selection, names: Sequence[str], html: Path | None, *, verify: bool) -> int:
    """Compare the runs that are named."""
    if len(names) < 2:
        raise ConfigurationError(
            "There is nothing to compare it with.",
            where="RUN",
            expected="two runs or more",
            found=names[0],
            remedy="name another one; see: python -m validation_ch7 compare --help",
        )
    found = compare_runs(_distinct([find_run(selection, name, verify=verify) for name in names]))
    screen = Screen(selection.as_json)
    _runs(screen, found)
    _settings(screen, found)
    _levels(screen, found)
    _advice(screen, found.advice)
    page = _page(found, html, screen) if html else None
    if selection.as_json:
        print_json({"success": True, **found.plain(), "html": page})
    return EXIT_DONE


def _distinct(runs: Sequence[Run]) -> list[Run]:
    """Give a run that is named twice a number, so that each has a name of its own."""
    seen: Counter[str] = Counter()
    distinct = []
    for run in runs:
        seen[run.name] += 1
        name = run.name if seen[run.name] == 1 else f"{run.name} ({seen[run.name]})"
        distinct.append(replace(run, name=name, candidates=tuple(replace(item, run=name) for item in run.candidates)))
    return distinct


def _runs(screen: Screen, found: RunComparison) -> None:
    columns = [Column("run"), Column("kind"), Column("steps", right=True), Column("exactness")]
    columns += [Column("evaluations", right=True), Column("last", right=True)]
    rows = []
    for run in found.runs:
        evaluated = run.curve.evaluated
        last = reward_text(evaluated.values[-1] if evaluated.values else None)
        rows.append((run.name, run.kind, f"{run.steps:,}", run.exactness or "-", f"{evaluated.total:,}", last))
    screen.table(columns, rows)
    for run in found.runs:
        for doubt in run.doubts:
            screen.say(f"✗ {run.name}: {doubt}", style="yellow", indent=2)


def _settings(screen: Screen, found: RunComparison) -> None:
    screen.say()
    if not found.settings:
        screen.say("Nothing was set differently, as far as their checkpoints remember.")
        return
    screen.say("Set differently", style="bold")
    columns = [Column("setting"), *(Column(run.name) for run in found.runs)]
    rows = [(row.name, *("-" if value is None else value for value in row.values)) for row in found.settings]
    screen.table(columns, rows[:SHOWN_SETTINGS])
    if len(rows) > SHOWN_SETTINGS:
        screen.say(f"... and {len(rows) - SHOWN_SETTINGS} more: --json or --html shows them")


def _levels(screen: Screen, found: RunComparison) -> None:
    screen.say()
    if found.aligned is None:
        screen.say("Their curves share fewer than three points: there is nothing to align.")
        return
    steps, drawing = found.aligned.steps, found.bootstrap
    share = f"{100 * drawing.confidence:.0f} %"
    screen.say(f"Reward in {found.aligned.quantity}, steps {steps[0]:,} to {steps[-1]:,}", style="bold")
    columns = [Column("run"), *(Column(title, right=True) for title in ("later half", share, "above the first", share))]
    rows = []
    for level in found.levels:
        ahead = level.against_first
        against = ("-", "-")
        if ahead is not None:
            undecided = "" if ahead.excludes_zero else " undecided"
            against = (f"{ahead.value:+.2f}", f"{ahead.low:+.2f} .. {ahead.high:+.2f}{undecided}")
        interval = f"{level.reward.low:.2f} .. {level.reward.high:.2f}"
        rows.append((level.run, f"{level.reward.value:.2f}", interval, *against))
    screen.table(columns, rows)
    screen.say(
        f"Interquartile means over {len(steps) - len(steps) // 2} points, {drawing.resamples:,} resamples. "
        "They speak of these trainings, not of others with other seeds.",
        style="dim",
    )


def _advice(screen: Screen, advice: Advice) -> None:
    screen.say()
    screen.say("Which checkpoint to keep", style="bold")
    for title, item, reason in (
        ("to use", advice.use, advice.use_reason),
        ("to train on", advice.resume, advice.resume_reason),
    ):
        screen.fields([(title, _named(item)), ("because", reason)])
    if advice.use is not None:
        screen.whole(str(advice.use.path), indent=2)


def _named(item: Candidate | None) -> str:
    return "none" if item is None else f"{item.path.name} of {item.run}, {item.steps:,} steps"


def _page(found: RunComparison, html: Path, screen: Screen) -> str:
    from validation_ch7.reporting.comparison.page import render_comparison

    path = html.expanduser().resolve()
    make_folder(path.parent)
    commit_bytes(path, render_comparison(found, utc_text(time.time())).encode("utf-8"))
    screen.say()
    screen.whole(f"✓ {path.as_uri()}")
    return str(path)
