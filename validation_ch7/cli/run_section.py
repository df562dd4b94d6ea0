"""The command that trains section 7.6 in sessions: ``run_kaggle_validation_section_7_6.py``."""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import Any

import click

from validation_ch7.cli.leaf import SETTINGS, Answering, examples
from validation_ch7.cli.outcome import default_workspace, exit_code_of, print_json
from validation_ch7.cli.paths import PathType
from validation_ch7.console import Console
from validation_ch7.errors import ConfigurationError

SECTION = "section_7_6_rl_performance"
_EPILOG = (
    examples(
        ("run --quick", "a short session; again: it goes on"),
        ("run --max-sessions 20", "sessions until the target is reached"),
        ("run --timesteps 900000", "raises the target; goes on from what is there"),
        ("run --fresh --algorithm dqn", "archives what is there, starts anew"),
        ("run --dry-run", "says what it would do, and does nothing"),
    )
    + """
\b
The script run_kaggle_validation_section_7_6.py takes the same flags.
Exit codes: 0 done, or stopped at the limit asked for; 1 a fault of this
program; 2 usage or configuration; 3 backend, credentials or workspace;
4 session failed; 5 checkpoint incompatible or none usable; 6 quota or
capacity; 75 interrupted, run again; 130 Ctrl-C.
"""
)


@click.command(
    cls=Answering,
    epilog=_EPILOG,
    short_help="Train in sessions that resume by themselves.",
    context_settings=SETTINGS,
)
@click.option("--quick", is_flag=True, help="A small session with a short evaluation; each one adds its steps.")
@click.option("--scenario", metavar="NAME", help="What is trained in. Default: from the configuration.")
@click.option("--algorithm", metavar="NAME", help="How: ppo, a2c, dqn, ... as configured.")
@click.option("--backend", default="auto", show_default=True, metavar="auto|local|kaggle|ray", help="Where.")
@click.option("--timesteps", type=int, metavar="TARGET", help="Target of the whole chain, cumulative [steps].")
@click.option("--session-timesteps", type=int, metavar="N", help="Limit of one session [steps].")
@click.option("--max-sessions", type=int, default=1, show_default=True, metavar="K", help="Sessions at most.")
@click.option("--session-hours", type=float, metavar="H", help="Wall time of one session [h].")
@click.option("--seed", type=int, help="Seed of the whole run.")
@click.option("--fresh", is_flag=True, help="Archive the checkpoints that are there and start at zero.")
@click.option("--trust-foreign", is_flag=True, help="Allow reading pickles beside a foreign checkpoint.")
@click.option("--wait", is_flag=True, help="Where quota or capacity is refused: wait and try again.")
@click.option("--relay", is_flag=True, help="Kaggle: two kernels read each other's output; no checkpoint is uploaded.")
@click.option("--workspace", type=PathType(), help="Where data and results live.")
@click.option("--config", type=PathType(), help="Another section.yml.")
@click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output; text goes to stderr.")
def run_section(as_json: bool, workspace: Path | None, backend: str, **flags: Any) -> None:
    """Train the agent of section 7.6 in bounded sessions that resume by themselves."""
    sys.exit(exit_code_of(lambda: _run(as_json, workspace, backend, flags), as_json))


def _run(as_json: bool, workspace: Path | None, backend: str, flags: dict[str, Any]) -> int:
    _check(flags)
    from validation_ch7.cli.conclusion import Typed, conclude
    from validation_ch7.cli.transfer import TransferBar
    from validation_kaggle_manager import ValidationKaggleManager  # late: --help must not wait for torch

    console = Console(sys.stderr if as_json else None)
    bar = None if as_json else TransferBar(console.say)
    manager = ValidationKaggleManager(workspace or default_workspace(), backend, say=console.say, on_progress=bar)
    run = manager.run_validation_section(SECTION, **flags)
    conclude(run, console, Typed(backend, workspace, flags, _configured(flags)))
    if as_json:
        print_json(run.as_json())
    return run.exit_code


def _configured(flags: dict[str, Any]) -> int:
    """Return the target of a run without ``--timesteps``."""
    from validation_ch7.config import Overrides, load_section, section_file

    chosen = Overrides(scenario=flags["scenario"], algorithm=flags["algorithm"])
    return load_section(flags["config"] or section_file(SECTION), chosen).training.n_timesteps


def _check(flags: dict[str, Any]) -> None:
    for name in ("timesteps", "session_timesteps", "max_sessions", "session_hours"):
        value = flags[name]
        if value is not None and not 0 < value < math.inf:
            raise ConfigurationError(
                "A limit must be positive.",
                where="--" + name.replace("_", "-"),
                expected="a number above 0",
                found=value,
                remedy="leave the flag out for the configured value",
            )
    if flags["seed"] is not None and not 0 <= flags["seed"] < 2**32:
        raise ConfigurationError(
            "The seed is out of range.", where="--seed", expected="0 to 2**32 - 1", found=flags["seed"]
        )
