"""From errors to messages and exit codes, in one place for every command."""

from __future__ import annotations

import json
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from validation_ch7.console import Console, harmless
from validation_ch7.errors import ValidationError

EXIT_CTRL_C = 130
EXIT_BROKEN = 1
NEXT_RUN = "python validation_ch7/scripts/run_kaggle_validation_section_7_6.py"


def exit_code_of(action: Callable[[], int], as_json: bool = False) -> int:
    """Run ``action`` and return the exit code; a foreseeable fault becomes one message, never a traceback."""
    try:
        return action()
    except ValidationError as fault:
        return report_fault(fault, as_json)
    except KeyboardInterrupt:
        Console(sys.stderr).say("Interrupted; what was committed is intact. Run the same command again to go on.")
        return EXIT_CTRL_C
    except click.Abort:
        return EXIT_CTRL_C
    except Exception as fault:  # noqa: BLE001  the last resort: say that it is our fault, and where
        traceback.print_exc()
        Console(sys.stderr).say(f"❌ This is a fault of this program, not of yours: {type(fault).__name__}: {fault}")
        return EXIT_BROKEN


def report_fault(fault: ValidationError, as_json: bool) -> int:
    """Show a fault on standard error, and as JSON on standard output where that was asked for."""
    Console(sys.stderr).say(harmless(f"❌ {fault}"))
    if as_json:
        print_json({"success": False, "status": "refused", "error": str(fault), "exit_code": fault.exit_code})
    return fault.exit_code


def print_json(value: dict[str, Any]) -> None:
    """Print one JSON object on standard output, in ASCII, which every console can print."""
    Console(sys.stdout).say(json.dumps(value, indent=2, ensure_ascii=True))


def default_workspace() -> Path:
    """Return the project root when run from a checkout, else the current folder."""
    root = Path(__file__).resolve().parents[2]
    return root if (root / "pyproject.toml").is_file() else Path.cwd()
