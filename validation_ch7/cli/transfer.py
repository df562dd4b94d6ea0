"""How far a transfer is: a bar on a terminal, a line at every quarter elsewhere, nothing beside JSON."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator

import rich.console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from validation_ch7.cli.screen import size_text
from validation_ch7.console import Console

Report = Callable[[int, int], None]
"""Takes the bytes that are done, and all."""
_QUARTERS = 4


@contextlib.contextmanager
def progress_of(title: str, *, quiet: bool) -> Iterator[Report]:
    """Show progress on standard error while the block runs."""
    terminal = rich.console.Console(file=sys.stderr)
    drawn = terminal.is_terminal and "utf" in (getattr(sys.stderr, "encoding", None) or "").lower()
    if quiet or not drawn:
        yield quarters(title, Console(sys.stderr).say) if not quiet else lambda done, total: None
        return
    columns = (TextColumn(title), BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=terminal, transient=True) as bar:
        task = bar.add_task(title, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def quarters(title: str, say: Callable[[str], None]) -> Report:
    """Return what says a line whenever a further quarter is done.

    >>> report = quarters("Sending", print)
    >>> for done in (10, 30, 40, 100): report(done, 100)
    Sending: 25 % of 100 B
    Sending: 100 % of 100 B
    """
    told = 0

    def report(done: int, total: int) -> None:
        nonlocal told
        reached = _QUARTERS * done // max(1, total)
        if reached > told:
            told = reached
            say(f"{title}: {100 * reached // _QUARTERS} % of {size_text(total)}")

    return report
