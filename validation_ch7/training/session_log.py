"""The log of a session: each line goes to ``session.log`` and to the console, whatever signs the console knows."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from types import TracebackType
from typing import Self, TextIO

from validation_ch7.files import storage_errors


def printable(text: str, encoding: str | None) -> str:
    """Return ``text`` with every sign replaced that ``encoding`` does not have.

    >>> printable("12 → 13", "cp1252"), printable("12 → 13", "utf-8")
    ('12 ? 13', '12 → 13')
    """
    try:
        return text.encode(encoding or "ascii", errors="replace").decode(encoding or "ascii")
    except LookupError:
        return text.encode("ascii", errors="replace").decode("ascii")


def say(line: str, stream: TextIO | None = None) -> None:
    """Print a line; a console that is closed or cannot print a sign is no reason to stop."""
    console = stream if stream is not None else sys.stdout
    if console is None:  # pythonw has none
        return
    with contextlib.suppress(OSError, ValueError):
        console.write(printable(line, console.encoding) + "\n")
        console.flush()


class SessionLog:
    """Writes lines to a file and to the console, each at once.

    Args:
        path: the file; it is opened for appending.
        console: None is standard output, as it is when the line is written.
    """

    def __init__(self, path: Path, console: TextIO | None = None) -> None:
        self._console = console
        with storage_errors(path):
            self._file = path.open("a", encoding="utf-8", newline="\n")

    def __call__(self, line: str) -> None:
        """Write a line to both."""
        say(line, self._console)
        self.note(line)

    def note(self, text: str) -> None:
        """Write to the file only; a full disk must not hide the error that is being reported."""
        with contextlib.suppress(OSError, ValueError):
            self._file.write(text.rstrip("\n") + "\n")
            self._file.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(OSError):
            self._file.close()
