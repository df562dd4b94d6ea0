"""The commands of a study: what they are called and what they take."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from validation_ch7.cli.outcome import default_workspace, exit_code_of
from validation_ch7.cli.run_section import SECTION, Answering

SETTINGS = {"help_option_names": ["-h", "--help"], "max_content_width": 100}
_EPILOG = """
\b
Examples:
  python -m validation_ch7 study run --seeds 2          a smaller study, marked as such
  python -m validation_ch7 study run --jobs 2           the whole study; again: it goes on
  python -m validation_ch7 study run --executor ray     by a Ray of its own on this machine
  python -m validation_ch7 study run --address http://127.0.0.1:8265 --token-file token    as a job of a cluster
"""


@click.group(context_settings=SETTINGS)
def study() -> None:
    """Many chains, one for each algorithm, scenario and seed, trained and judged by one command."""


def _takes_study(command: Callable[..., int]) -> Callable[..., None]:
    """Add the flags that name a study, and turn the function's result into the exit code."""

    @functools.wraps(command)
    def wrapped(as_json: bool, workspace: Path | None, study_path: Path | None, **arguments: Any) -> None:
        def act() -> int:
            from validation_ch7.study.spec import study_file

            where = (workspace or default_workspace()).resolve()
            return command(where, study_path or study_file(SECTION), as_json, **arguments)

        sys.exit(exit_code_of(act, as_json))

    flags = [
        click.option("--study", "study_path", type=click.Path(path_type=Path), help="Another study.yml."),
        click.option("--workspace", type=click.Path(path_type=Path), help="Where data and results live."),
        click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output."),
    ]
    result: Any = wrapped
    for flag in reversed(flags):
        result = flag(result)
    return result  # type: ignore[no-any-return]


@study.command("run", cls=Answering, context_settings=SETTINGS, epilog=_EPILOG)
@click.option("--executor", type=click.Choice(["serial", "threads", "ray"]), help="Default: by --jobs.")
@click.option("--address", metavar="URL", help="A Ray cluster: http://host:8265 (its job server), host:6379 or auto.")
@click.option("--token-file", type=click.Path(path_type=Path), help="The cluster's token; never the token itself.")
@click.option("--jobs", type=click.IntRange(min=1), metavar="N", help="Chains at a time.")
@click.option("--seeds", type=int, metavar="N", help="Only the first N training seeds: a smaller study.")
@click.option("--train-only", is_flag=True, help="Judge nothing yet; the next run or a report does it.")
@click.option("--config", "config_path", type=click.Path(path_type=Path), help="Another section.yml.")
@_takes_study
def run(workspace: Path, study_path: Path, as_json: bool, **flags: Any) -> int:
    """Train what is not trained yet, and judge it; the same command again goes on."""
    from validation_ch7.cli.study_view import run_command  # late: --help must not wait for torch

    return run_command(workspace, study_path, as_json, **flags)


@study.command("status", context_settings=SETTINGS)
@_takes_study
def status(workspace: Path, study_path: Path, as_json: bool) -> int:
    """Say where each chain stands: state, steps, last error."""
    from validation_ch7.cli.study_view import show_standing

    return show_standing(workspace, study_path, as_json)
