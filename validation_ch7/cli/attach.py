"""The command ``attach``: finish the sessions that were left unfinished, and start none."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from validation_ch7.cli.leaf import SETTINGS, examples
from validation_ch7.cli.outcome import default_workspace, exit_code_of, print_json
from validation_ch7.cli.paths import NameType, PathType
from validation_ch7.console import Console

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from validation_ch7.section_run import SectionRun

_EPILOG = (
    examples(
        ("attach", "every session that was left, one after another"),
        ("attach 20261123-220823-bf8798", "this one"),
    )
    + """
\b
Ctrl-C leaves a session again: it goes on by itself.
Exit codes: 0 nothing was left, or all ended well; else as for run, that of
the last one that did not.
"""
)


def _sessions(ctx: click.Context, _: click.Parameter, begun: str) -> list[CompletionItem]:
    from click.shell_completion import CompletionItem

    folder = (ctx.params.get("workspace") or default_workspace()) / "validation_output" / "sessions"
    return [CompletionItem(path.stem) for path in sorted(folder.glob("[!.]*.json")) if path.stem.startswith(begun)]


@click.command(
    epilog=_EPILOG,
    short_help="Finish sessions that were left, and start none.",
    context_settings=SETTINGS,
)
@click.argument("session", metavar="[SESSION]", required=False, type=NameType(), shell_complete=_sessions)
@click.option("--workspace", type=PathType(), help="Where data and results live.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output; text goes to stderr.")
def attach(session: str | None, workspace: Path | None, as_json: bool) -> None:
    """Follow sessions that still run or were left, bring their results, and start no new one."""
    sys.exit(exit_code_of(lambda: _attach(session, workspace, as_json), as_json))


def _attach(session: str | None, workspace: Path | None, as_json: bool) -> int:
    from validation_ch7.cli.conclusion import Typed, conclude  # late: --help must not wait for torch
    from validation_ch7.journal import Journal
    from validation_ch7.planning import same_place

    console, root = Console(sys.stderr if as_json else None), (workspace or default_workspace()).resolve()
    entries = Journal(root / "validation_output" / "sessions").entries()
    left = [entry.session_id for entry in reversed(entries) if not entry.phase.over]
    wanted = left if session is None else [session]
    runs: list[SectionRun] = []
    if wanted:
        from validation_kaggle_manager import ValidationKaggleManager

        manager = ValidationKaggleManager(root, "local", say=console.say)
        for session_id in wanted:
            handle = manager.session(session_id)
            if session_id in left:
                console.say(f"Attaching to session {session_id}")
            runs.append(handle.result())
            entry = manager.journal.get(session_id)
            flags = {"scenario": runs[-1].scenario, "timesteps": runs[-1].target_steps}
            typed = {**entry.flags, **flags, "quick": entry.quick} if entry else flags
            conclude(runs[-1], console, Typed("auto", workspace, typed))
    else:
        again = f"python -m validation_ch7 run{same_place('auto', workspace, {})}"
        console.say(f"Nothing is left unfinished here. Train on: {again}")
    worst = next((run.exit_code for run in reversed(runs) if run.exit_code), 0)
    if as_json:
        print_json({"success": worst == 0, "attached": len(runs), "sessions": [run.as_json() for run in runs]})
    return worst
