"""The command that checks everything that is there: ``verify_checkpoint_system.py``."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from validation_ch7.cli.leaf import SETTINGS, Answering
from validation_ch7.cli.outcome import default_workspace, exit_code_of, print_json
from validation_ch7.cli.paths import PathType, existing_folder
from validation_ch7.console import Console

EXIT_ISSUES = 1
_EPILOG = """
\b
Exit codes: 0 verified, warnings or not; 1 there are issues; 2 wrong usage.
It reads; the only thing that it trains is a miniature chain in a temporary
folder (about half a minute).
"""


@click.command(cls=Answering, epilog=_EPILOG, context_settings=SETTINGS)
@click.option(
    "--workspace",
    type=PathType(file_okay=False),
    help="Where data and results live. Default: this checkout.",
)
@click.option("--online", is_flag=True, help="Also ask Kaggle whether it accepts the credentials.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output; text goes to stderr.")
def verify_system(workspace: Path | None, online: bool, as_json: bool) -> None:
    """Check code, configuration, credentials, every checkpoint, and a miniature chain from start to resume."""
    sys.exit(exit_code_of(lambda: _verify(workspace, online, as_json), as_json))


def _verify(workspace: Path | None, online: bool, as_json: bool) -> int:
    from validation_ch7.verification.system import checks, verify  # late: --help must not wait for torch

    console = Console(sys.stderr if as_json else None)
    root = default_workspace().resolve()
    remedy = "name the folder that was trained in, or leave the flag out for this checkout"
    place = root if workspace is None else existing_folder(workspace, "--workspace", remedy)
    console.say(f"Verifying {place}")
    verdict = verify(place, checks(place, root, os.environ, online), console.say)
    console.say()
    for line in verdict.closing_lines():
        console.say(line)
    if as_json:
        print_json(verdict.as_json())
    return 0 if verdict.verified else EXIT_ISSUES
