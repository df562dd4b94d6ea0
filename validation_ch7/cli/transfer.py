"""How far a transfer is: a bar on a terminal, plain lines at a bounded rate elsewhere, nothing beside JSON."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import rich.console
from rich.progress import BarColumn, Progress, TaskID, TextColumn

from validation_ch7.console import Console
from validation_ch7.remote.progress import TransferProgress

Report = Callable[[int, int], None]
"""Takes the bytes that are done, and all."""

_SHOWN_AFTER_S = 0.5
_REDRAWN_EVERY_S = 0.1
_LINE_EVERY_S = 10.0


class TransferBar:
    """Shows transfers, one after the other.

    Args:
        say: receives lines, where there is no terminal.
        terminal: where to draw; default: standard output.
        clock: any clock that only goes forward [s].
    """

    def __init__(
        self,
        say: Callable[[str], None],
        terminal: rich.console.Console | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._say, self._clock = say, clock
        self._terminal = terminal or rich.console.Console(file=sys.stdout)
        self._lively = self._terminal.is_terminal and not self._terminal.is_dumb_terminal
        self._bar: Progress | None = None
        self._task = TaskID(0)
        self._shown = clock()

    def __call__(self, progress: TransferProgress) -> None:
        """Show the progress, where it is time to."""
        if progress.over:
            self._close()
        elif progress.seconds >= _SHOWN_AFTER_S:
            (self._draw if self._lively else self._line)(progress)

    def _line(self, progress: TransferProgress) -> None:
        if progress.seconds >= _LINE_EVERY_S and self._clock() - self._shown >= _LINE_EVERY_S:
            self._shown = self._clock()
            self._say(f"[{progress.what.upper()}] {transfer_text(progress)}")

    def _draw(self, progress: TransferProgress) -> None:
        if self._bar is not None and self._clock() - self._shown < _REDRAWN_EVERY_S:
            return
        self._shown = self._clock()
        if self._bar is None:
            columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[text]}"))
            self._bar = Progress(*columns, console=self._terminal, transient=True)
            self._task = self._bar.add_task(progress.what, total=progress.bytes_total or None, text="")
            self._bar.start()
        self._bar.update(self._task, completed=progress.bytes_done, text=transfer_text(progress))

    def _close(self) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None


@contextlib.contextmanager
def progress_of(
    what: str,
    *,
    quiet: bool,
    terminal: rich.console.Console | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[Report]:
    """Show on standard error, or on ``terminal``, how far the block is with what it moves."""
    if quiet:
        yield lambda done, total: None
        return
    bar = TransferBar(Console(sys.stderr).say, terminal or rich.console.Console(file=sys.stderr), clock)
    began, last = clock(), TransferProgress(what, 0, 1, 0, 0, 0, 0.0)

    def report(done: int, total: int) -> None:
        nonlocal last
        last = TransferProgress(what, 0, 1, done, total, done, clock() - began)
        bar(last)

    try:
        yield report
    finally:
        bar(replace(last, over=True))


def transfer_text(progress: TransferProgress) -> str:
    """Return a progress in words.

    >>> transfer_text(TransferProgress("download", 45, 200, 120_000_000, 500_000_000, 120_000_000, 6.0))
    '120.0 of 500.0 MB, 45 of 200 files, 20.0 MB/s, 19 s left'
    """
    total = f" of {progress.bytes_total / 1e6:.1f}" if progress.bytes_total else ""
    files = f", {progress.files_done} of {progress.files_total} files" if progress.files_total > 1 else ""
    left = "" if progress.left_s is None else f", {time_text(progress.left_s)} left"
    return f"{progress.bytes_done / 1e6:.1f}{total} MB{files}, {progress.rate / 1e6:.1f} MB/s{left}"


def time_text(seconds: float) -> str:
    """Return a time as people read it.

    >>> time_text(19.2), time_text(150.0)
    ('19 s', '2 min 30 s')
    """
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
