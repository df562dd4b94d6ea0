"""The commands about what lies on Kaggle."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from validation_ch7.cli.leaf import SETTINGS, examples
from validation_ch7.cli.outcome import default_workspace, exit_code_of, print_json
from validation_ch7.cli.paths import PathType
from validation_ch7.console import Console


@click.group(context_settings=SETTINGS)
def kaggle() -> None:
    """What lies on Kaggle."""


@kaggle.command(
    context_settings=SETTINGS,
    epilog=examples(
        ("kaggle clean", "what would be deleted"),
        ("kaggle clean --yes", "deletes it"),
    ),
)
@click.option("--workspace", type=PathType(), help="Whose sessions.")
@click.option("--yes", is_flag=True, help="Do it; without, only say what would be deleted.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")
def clean(workspace: Path | None, yes: bool, as_json: bool) -> None:
    """Delete kernels and datasets that this workspace made, of sessions that are finished; nothing else."""
    sys.exit(exit_code_of(lambda: _clean(workspace or default_workspace(), yes, as_json), as_json))


def _clean(workspace: Path, yes: bool, as_json: bool) -> int:
    from validation_ch7.journal import Journal
    from validation_ch7.remote.kaggle import KaggleBackend

    entries = Journal(workspace / "validation_output" / "sessions").entries()
    over = {entry.session_id for entry in entries if entry.backend == "kaggle" and entry.phase.over}
    backend = KaggleBackend(workspace, environ=os.environ)
    deleted = (backend.clean if yes else backend.removable)(over.__contains__)
    if as_json:
        print_json({"success": True, "status": "cleaned" if yes else "planned", "deleted": deleted})
    else:
        for item in deleted:
            Console().say(f"{'deleted' if yes else 'would delete'}: {item}")
        Console().say(f"{len(deleted)} item(s){'' if yes else '; add --yes to delete them'}")
    return 0
