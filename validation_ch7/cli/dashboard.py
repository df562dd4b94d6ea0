"""The command ``dashboard``: what it is called and what it takes."""

from __future__ import annotations

from pathlib import Path

import click

from validation_ch7.cli.leaf import SETTINGS, examples
from validation_ch7.cli.paths import PathType
from validation_ch7.cli.selection import Selection, selects_store

_EPILOG = examples(
    ("dashboard", "writes validation_output/reports/dashboard.html"),
    ("dashboard --output page.html", "writes it there"),
    ("dashboard --serve", "keeps it fresh while a session runs"),
)


@click.command(context_settings=SETTINGS, epilog=_EPILOG)
@click.option("--output", type=PathType(dir_okay=False), help="Where the page goes.")
@click.option("--serve", is_flag=True, help="Show it at an address of this machine, and keep it fresh.")
@click.option("--port", type=click.IntRange(0, 65535), default=8477, show_default=True, help="With --serve.")
@click.option("--no-verify", is_flag=True, help="Read manifests only, and compare nothing.")
@selects_store
def dashboard(selection: Selection, output: Path | None, serve: bool, port: int, no_verify: bool) -> int:
    """Write one page that shows it all: sessions, learning curve, checkpoints, disk, log."""
    from validation_ch7.cli.dashboard_view import serve_dashboard, write_dashboard

    if serve:
        return serve_dashboard(selection, port, verify=not no_verify)
    return write_dashboard(selection, output, verify=not no_verify)
