"""The command ``compare``: what it is called and what it takes."""

from __future__ import annotations

from pathlib import Path

import click

from validation_ch7.cli.leaf import SETTINGS, examples
from validation_ch7.cli.paths import NameType, PathType
from validation_ch7.cli.selection import Selection, selects_store

_EPILOG = """
\b
A RUN is, in this order:
  a folder       a workspace, whose chain it is, or a store of checkpoints
  a session      of the journal, by its id or kernel slug, as status says
  a checkpoint   as for the checkpoints commands: 4096, latest, best,
                 a file name, a path, digits of a digest
""" + examples(
    ('compare . "D:/other workspace"', "two workspaces"),
    ("compare models/a models/b --html comparison.html", "two stores"),
    ("compare latest best", "two checkpoints"),
)


@click.command("compare", context_settings=SETTINGS, epilog=_EPILOG)
@click.argument("runs", metavar="RUN RUN [RUN]...", nargs=-1, required=True, type=NameType())
@click.option("--html", type=PathType(dir_okay=False), help="Write a page as well.")
@click.option("--no-verify", is_flag=True, help="Read manifests only.")
@selects_store
def compare(selection: Selection, runs: tuple[str, ...], html: Path | None, no_verify: bool) -> int:
    """Hold runs against each other: settings, curves, which checkpoint to keep."""
    from validation_ch7.cli.compare_view import show_comparison

    return show_comparison(selection, runs, html, verify=not no_verify)
