"""The command ``doctor``: what is missing, on this machine and for Kaggle."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from validation_ch7.cli.leaf import SETTINGS, examples
from validation_ch7.cli.outcome import default_workspace, exit_code_of, print_json
from validation_ch7.cli.paths import PathType

if TYPE_CHECKING:
    from validation_ch7.verification.finding import Finding

EXIT_MISSING = 3
_EPILOG = (
    examples(
        ("doctor", "what is there, what is missing, what to do"),
        ("doctor --online", "also asks Kaggle about the credentials"),
    )
    + """
\b
Exit codes: 0 training works on this machine; 3 something is missing for that.
What only Kaggle needs is a warning. The whole chain is checked by
verify_checkpoint_system.py.
"""
)
_COMMAND = "python -m "
"""What is to be copied begins so, and is never folded."""
_STYLES = {"warning": "yellow", "missing": "red"}


@click.command(
    epilog=_EPILOG,
    short_help="Say what is missing, here and for Kaggle.",
    context_settings=SETTINGS,
)
@click.option("--workspace", type=PathType(), help="Where data and results are to live.")
@click.option("--online", is_flag=True, help="Also ask Kaggle whether it accepts the credentials.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")
def doctor(workspace: Path | None, online: bool, as_json: bool) -> None:
    """Say what is missing on this machine, and for Kaggle, and what to do about it."""
    sys.exit(exit_code_of(lambda: _doctor(workspace, online, as_json), as_json))


def _doctor(workspace: Path | None, online: bool, as_json: bool) -> int:
    try:
        from validation_ch7.cli.screen import Screen
        from validation_ch7.verification.doctor import examine
    except ModuleNotFoundError as absent:  # not even the doctor can work: that is its finding
        from validation_ch7.cli.outcome import INSTALL
        from validation_ch7.errors import WorkspaceError

        raise WorkspaceError("A package is missing.", found=absent.name, remedy=INSTALL) from None
    screen, root = Screen(as_json), default_workspace().resolve()
    found: list[Finding] = []
    for finding in examine((workspace or root).resolve(), root, os.environ, online):
        found.append(finding)
        word = word_of(finding)
        screen.say(f"{word:<9}{finding.check}: {finding.text}", style=_STYLES.get(word, ""))
        if finding.remedy is not None:
            show = screen.whole if finding.remedy.startswith(_COMMAND) else screen.say
            show(f"next: {finding.remedy}", indent=9)
    works = not any(word_of(finding) == "missing" for finding in found)
    screen.say()
    screen.say("Training works on this machine." if works else "Something is missing that training needs.")
    if as_json:
        findings = [
            {"check": item.check, "state": word_of(item), "text": item.text, "next": item.remedy} for item in found
        ]
        print_json({"success": works, "findings": findings})
    return 0 if works else EXIT_MISSING


def word_of(finding: Finding) -> str:
    """Return how a finding is called here."""
    if finding.grade == "success":
        return "ok" if finding.remedy is None else "optional"
    return "warning" if finding.grade == "warning" else "missing"
