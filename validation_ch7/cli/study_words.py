"""The next command of a study, with the flags that mean the same study."""

from __future__ import annotations

from pathlib import Path

from validation_ch7.cli.outcome import default_workspace
from validation_ch7.cli.selection import SECTION
from validation_ch7.planning import quoted
from validation_ch7.study.spec import study_file


def study_command(action: str, workspace: Path, study_path: Path, config: Path | None = None) -> str:
    """Return the command that does ``action`` with the same study; what is the default is not said.

    >>> study_command("report", Path("my work"), study_file(SECTION))
    'python -m validation_ch7 study report --workspace "my work"'
    """
    given = {
        "--study": None if study_path == study_file(SECTION) else study_path,
        "--workspace": None if workspace == default_workspace().resolve() else workspace,
        "--config": config,
    }
    flags = [f" {flag} {quoted(str(path))}" for flag, path in given.items() if path is not None]
    return f"python -m validation_ch7 study {action}{''.join(flags)}"
