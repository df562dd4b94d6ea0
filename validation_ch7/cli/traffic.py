"""The commands of the traffic model."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from validation_ch7.cli.leaf import SETTINGS, examples
from validation_ch7.cli.outcome import default_workspace, exit_code_of, print_json
from validation_ch7.cli.paths import PathType
from validation_ch7.console import Console


@click.group(context_settings=SETTINGS)
def traffic() -> None:
    """The traffic model, by itself."""


@traffic.command(
    context_settings=SETTINGS,
    epilog=examples(
        ("traffic validate", "into validation_output/reports/traffic"),
        ("traffic validate --output my_report", "into another folder"),
    ),
)
@click.option("--output", type=PathType(), help="Where table, figures and JSON go.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")
def validate(output: Path | None, as_json: bool) -> None:
    """Hold the model against theory: Riemann problems, convergence, red light, conservation, queues."""
    sys.exit(exit_code_of(lambda: _validate(output, as_json), as_json))


def _validate(output: Path | None, as_json: bool) -> int:
    from validation_ch7.reporting.traffic_validation import main as write_report  # late: it compiles and draws

    folder = output or default_workspace() / "validation_output" / "reports" / "traffic"
    code = write_report(folder)
    if as_json:
        print_json({"success": code == 0, "status": "passed" if code == 0 else "failed", "output": str(folder)})
    else:
        Console().say((folder / "traffic_validation.md").read_text(encoding="utf-8"))
        Console().say(f"{'✅ passed' if code == 0 else '❌ failed'}: table, figures and JSON in {folder}")
    return code
