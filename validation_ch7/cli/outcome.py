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
INSTALL = "python -m pip install -c constraints.txt -e ."


def exit_code_of(action: Callable[[], int], as_json: bool = False) -> int:
    """Run ``action`` and return the exit code; a foreseeable fault becomes one message, never a traceback."""
    try:
        return action()
    except ValidationError as fault:
        return report_fault(fault, as_json)
    except (KeyboardInterrupt, click.Abort):
        text = "Interrupted; what was committed is intact. Run the same command again to go on."
        return _conclude(text, EXIT_CTRL_C, as_json)
    except Exception as fault:  # noqa: BLE001  the last resort: say that it is our fault, and where
        if isinstance(fault, ModuleNotFoundError) and not str(fault.name).startswith("validation_"):
            return _conclude(
                f"❌ The package '{fault.name}' is missing. Install first: {INSTALL}", EXIT_BROKEN, as_json
            )
        traceback.print_exc()
        text = f"❌ This is a fault of this program, not of yours: {type(fault).__name__}: {fault}"
        return _conclude(text, EXIT_BROKEN, as_json)


def report_fault(fault: ValidationError, as_json: bool) -> int:
    """Show a fault on standard error, and as JSON on standard output where that was asked for."""
    Console(sys.stderr).say(harmless(f"❌ {fault}"))
    if as_json:
        print_refusal(str(fault), fault.exit_code)
    return fault.exit_code


def _conclude(text: str, exit_code: int, as_json: bool) -> int:
    Console(sys.stderr).say(harmless(text))
    if as_json:
        print_refusal(text, exit_code, "interrupted" if exit_code == EXIT_CTRL_C else "failed")
    return exit_code


def print_refusal(error: str, exit_code: int, status: str = "refused") -> None:
    """Print the JSON object of a command that did not come to its end."""
    print_json({"success": False, "status": status, "error": error, "exit_code": exit_code})


def print_json(value: dict[str, Any]) -> None:
    """Print one JSON object on standard output, in ASCII, which every console can print."""
    Console(sys.stdout).say(json.dumps(value, indent=2, ensure_ascii=True))


def default_workspace() -> Path:
    """Return the project root when run from a checkout, else the current folder."""
    root = Path(__file__).resolve().parents[2]
    return root if (root / "pyproject.toml").is_file() else Path.cwd()
