"""The commands of a study: what they are called and what they take."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from validation_ch7.cli.leaf import SETTINGS, examples
from validation_ch7.cli.outcome import default_workspace, exit_code_of
from validation_ch7.cli.paths import PathType, existing_folder
from validation_ch7.cli.selection import SECTION

_RUN = examples(
    ("study run --seeds 2", "a smaller study, marked as such"),
    ("study run --jobs 2", "the whole study; again: it goes on"),
    ("study run --executor ray --jobs 2", "by a Ray of its own on this machine"),
    ("study run --address http://127.0.0.1:8265 --token-file token", "as a job of a cluster"),
)
_STATUS = examples(
    ("study status", "each chain: state, steps, last error"),
    ("study status --study other.yml --json", "another study, as JSON"),
)
_REPORT = examples(
    ("study report --jobs 2", "evaluates what is not evaluated, and writes"),
    ("study report --no-evaluate", "of what is evaluated already"),
    ("study report --output thesis/figures", "into another folder"),
)


@click.group(context_settings=SETTINGS)
def study() -> None:
    """Many chains, one for each algorithm, scenario and seed, trained and judged by one command."""


def _takes_study(command: Callable[..., int]) -> Callable[..., None]:
    """Add the flags that name a study, and turn the function's result into the exit code."""
    return _with_study(command, Path.resolve)


def _takes_study_that_is_there(command: Callable[..., int]) -> Callable[..., None]:
    """As :func:`_takes_study`, for commands that only read: the workspace exists, or it is misspelt."""
    remedy = "name the folder that 'study run' was given, or leave the flag out if none was"
    return _with_study(command, lambda folder: existing_folder(folder, "--workspace", remedy))


def _with_study(command: Callable[..., int], found: Callable[[Path], Path]) -> Callable[..., None]:

    @functools.wraps(command)
    def wrapped(as_json: bool, workspace: Path | None, study_path: Path | None, **arguments: Any) -> None:
        def act() -> int:
            from validation_ch7.study.spec import study_file

            where = found(workspace or default_workspace())
            return command(where, study_path or study_file(SECTION), as_json, **arguments)

        sys.exit(exit_code_of(act, as_json))

    flags = [
        click.option("--study", "study_path", type=PathType(), help="Another study.yml."),
        click.option("--workspace", type=PathType(), help="Where data and results live."),
        click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output."),
    ]
    result: Any = wrapped
    for flag in reversed(flags):
        result = flag(result)
    return result  # type: ignore[no-any-return]


@study.command("run", context_settings=SETTINGS, epilog=_RUN)
@click.option("--executor", type=click.Choice(["serial", "threads", "ray"]), help="Default: by --jobs.")
@click.option("--address", metavar="URL", help="A Ray cluster: http://host:8265 (its job server), host:6379 or auto.")
@click.option("--token-file", type=PathType(), help="The cluster's token; never the token itself.")
@click.option("--jobs", type=click.IntRange(min=1), metavar="N", help="Chains at a time.")
@click.option("--seeds", type=int, metavar="N", help="Only the first N training seeds: a smaller study.")
@click.option("--train-only", is_flag=True, help="Judge nothing yet; the next run or a report does it.")
@click.option("--config", "config_path", type=PathType(), help="Another section.yml.")
@_takes_study
def run(workspace: Path, study_path: Path, as_json: bool, **flags: Any) -> int:
    """Train what is not trained yet, and judge it; the same command again goes on."""
    from validation_ch7.cli.study_view import run_command  # late: --help must not wait for torch

    return run_command(workspace, study_path, as_json, **flags)


@study.command("status", context_settings=SETTINGS, epilog=_STATUS)
@_takes_study_that_is_there
def status(workspace: Path, study_path: Path, as_json: bool) -> int:
    """Say where each chain stands: state, steps, last error."""
    from validation_ch7.cli.study_view import show_standing

    return show_standing(workspace, study_path, as_json)


@study.command("report", context_settings=SETTINGS, epilog=_REPORT)
@click.option("--jobs", type=click.IntRange(min=1), default=1, metavar="N", help="Processes that evaluate.")
@click.option("--no-evaluate", "evaluate", is_flag=True, flag_value=False, default=True, help="Only what is there.")
@click.option("--config", "config_path", type=PathType(), help="Another section.yml.")
@click.option("--output", type=PathType(), help="Where the report goes.")
@_takes_study_that_is_there
def report(workspace: Path, study_path: Path, as_json: bool, **flags: Any) -> int:
    """Judge every final agent and controller on the same demand, and write tables, figures and a LaTeX section."""
    from validation_ch7.cli.study_report import report_command

    return report_command(workspace, study_path, as_json, **flags)
