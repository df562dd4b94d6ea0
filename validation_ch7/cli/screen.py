"""Tables and lines for people: colours on a terminal, plain text in a pipe, nothing at all beside JSON.

Everything is drawn into a string first and printed line by line, so that a console without some sign gets
another one, and a text from a file cannot steer the terminal.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

import rich.console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from validation_ch7.console import Console, harmless

_UNLIMITED = 4096
_AGES = ((86400 * 365, "y"), (86400, "d"), (3600, "h"), (60, "min"))
_SIZES = (("GB", 1e9), ("MB", 1e6), ("kB", 1e3))
_MIN_WIDTH = 40
_SESSION = 13


@dataclass(frozen=True)
class Column:
    """One column of a table.

    Attributes:
        right: whether it is aligned to the right, as numbers are.
    """

    title: str
    right: bool = False


class Screen:
    """Where a command writes for people.

    Args:
        quiet: whether to write nothing, because standard output is JSON.
    """

    def __init__(self, quiet: bool = False) -> None:
        self._quiet = quiet
        self._out = Console()
        # Rich is asked what the terminal can do, and draws into a string; it never writes itself.
        terminal = rich.console.Console(file=sys.stdout)
        lively = terminal.is_terminal and not terminal.is_dumb_terminal
        self._width = max(_MIN_WIDTH, terminal.width) if lively else _UNLIMITED
        colours = lively and not terminal.no_color and not terminal.legacy_windows
        self._colours: Literal["standard"] | None = "standard" if colours else None

    def session(self, session_id: str) -> str:
        """Return a session's name: its end, which tells it from others, where a terminal's width is scarce."""
        short = self._width < _UNLIMITED and len(session_id) > _SESSION + 3
        return "…" + session_id[-_SESSION:] if short else session_id

    def whole(self, text: str, indent: int = 0) -> None:
        """Write one line that is meant to be copied, such as a command or a path: never folded here."""
        self._print([" " * indent + harmless(text).replace("\n", " ")])

    def say(self, text: str = "", style: str = "", indent: int = 0) -> None:
        """Write a paragraph; long lines are folded on a terminal and left whole in a pipe."""
        if text:
            self._draw(Padding(Text(harmless(text), style=style, overflow="fold"), (0, 0, 0, indent)))
        else:
            self._print([""])

    def table(self, columns: Sequence[Column], rows: Iterable[Sequence[str]], styles: Sequence[str] = ()) -> None:
        """Write a table without borders; ``styles`` has one style for each row."""
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
        for column in columns:
            table.add_column(column.title, justify="right" if column.right else "left", overflow="fold")
        for index, row in enumerate(rows):
            cells = [Text(harmless(cell).replace("\n", " ")) for cell in row]
            table.add_row(*cells, style=styles[index] if index < len(styles) else "")
        self._draw(table)

    def fields(self, pairs: Iterable[tuple[str, str]], indent: int = 2) -> None:
        """Write names and values, the values aligned; a pair with an empty value is left out."""
        shown = [(name, value) for name, value in pairs if value]
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=False)
        table.add_column(no_wrap=True)
        table.add_column(overflow="fold")
        for name, value in shown:
            table.add_row(Text(harmless(name), style="dim"), Text(harmless(value)))
        if shown:
            self._draw(Padding(table, (0, 0, 0, indent)))

    def _draw(self, what: rich.console.RenderableType) -> None:
        canvas = rich.console.Console(
            file=io.StringIO(),
            width=self._width,
            force_terminal=self._colours is not None,
            color_system=self._colours,
            no_color=self._colours is None,
            legacy_windows=False,
            highlight=False,
            emoji=False,
            markup=False,
        )
        with canvas.capture() as drawn:
            canvas.print(what)
        self._print(line.rstrip() for line in drawn.get().splitlines())

    def _print(self, lines: Iterable[str]) -> None:
        for line in lines if not self._quiet else ():
            self._out.say(line)


def size_text(size: int) -> str:
    """Return a size as people read it.

    >>> size_text(812), size_text(7_900), size_text(15_300_000), size_text(2_000_000_000)
    ('812 B', '7.9 kB', '15.3 MB', '2.0 GB')
    """
    unit, factor = next(((unit, factor) for unit, factor in _SIZES if size >= factor), ("B", 1))
    return f"{size / factor:.1f} {unit}" if factor > 1 else f"{size} B"


def age_text(created: str, now: datetime | None = None) -> str:
    """Return how long ago an ISO 8601 time was; ``?`` where it is none.

    >>> age_text("2026-01-01T00:00:00Z", datetime(2026, 1, 3, tzinfo=UTC)), age_text("soon")
    ('2 d', '?')
    """
    try:
        then = datetime.fromisoformat(created)
        seconds = ((now or datetime.now(UTC)) - then.astimezone(UTC)).total_seconds()
    except (ValueError, OverflowError):
        return "?"
    return next((f"{int(seconds // unit)} {name}" for unit, name in _AGES if seconds >= unit), "now")


def ago_text(created: str) -> str:
    """Return how long ago a time was, as a phrase.

    >>> ago_text("soon")
    'at an unknown time'
    """
    age = age_text(created)
    return {"now": "just now", "?": "at an unknown time"}.get(age, f"{age} ago")


def reward_text(reward: float | None) -> str:
    """Return a reward, or a dash where nothing was evaluated.

    >>> reward_text(-12.3456), reward_text(None)
    ('-12.35', '-')
    """
    return "-" if reward is None else f"{reward:.2f}" if abs(reward) < 1e7 else f"{reward:.3g}"
