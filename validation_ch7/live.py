"""Live progress in a notebook: one display that renews itself, in place of hundreds of lines.

What is shown is plain HTML, so it stays in the notebook when that is saved; no widget, no network.
"""

from __future__ import annotations

import importlib
import sys
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from validation_ch7.console import Console
from validation_ch7.notebook import html_text
from validation_ch7.progress import Standing, read_progress

SHOWN_LINES = 8
INTERVAL_S = 0.25
"""Time between two drawings of mere progress [s]; every other line is drawn at once."""


def say_for_people() -> Callable[[str], None]:
    """Return what takes lines for people: a display in a notebook, the console elsewhere."""
    shell = notebook_shell()
    return Console().say if shell is None else LiveView(shell)


def notebook_shell() -> Any | None:
    """Return the shell of the notebook that this runs in, or None; IPython is not imported for that."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return shell if shell is not None and hasattr(shell, "kernel") else None


class LiveView:
    """Shows the lines that it is given as a bar with the last ones below, one display for each executed cell.

    Args:
        shell: its ``execution_count`` tells the cells apart.
        show: makes a display of HTML, and returns what renews it.
        clock: any clock that only goes forward [s].
    """

    def __init__(
        self,
        shell: Any,
        show: Callable[[str], Callable[[str], None]] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._shell, self._show, self._clock = shell, show or _display, clock
        self._cell: object = None
        self._renew: Callable[[str], None] | None = None
        self._lines: deque[str] = deque(maxlen=SHOWN_LINES)
        self._standing: Standing | None = None
        self._drawn = 0.0

    def __call__(self, line: str = "") -> None:
        """Take one line."""
        if self._renew is None or self._cell != self._shell.execution_count:
            self._cell, self._renew, self._standing = self._shell.execution_count, None, None
            self._lines.clear()
        standing = read_progress(line)
        if standing is None:
            self._lines.append(line)
        else:
            self._standing = standing
            if self._clock() < self._drawn + INTERVAL_S:
                return
        self._draw()

    def _draw(self) -> None:
        self._drawn = self._clock()
        page = view_html(self._standing, list(self._lines))
        if self._renew is None:
            self._renew = self._show(page)
        else:
            self._renew(page)


def view_html(standing: Standing | None, lines: list[str]) -> str:
    """Return the display as HTML, every text escaped."""
    bar = ""
    if standing is not None:
        facts = [f"{standing.steps:,} / {standing.target:,} steps"]
        facts += [] if standing.rate is None else [f"{standing.rate:,.0f} steps/s"]
        facts += [] if standing.reward is None else [f"reward {standing.reward:.1f}"]
        bar = (
            f'<progress max="{max(1, standing.target)}" value="{standing.steps}" style="width:20em"></progress> '
            f"<span>{html_text(' · '.join(facts))}</span>"
        )
    text = "\n".join(html_text(line) for line in lines)
    return f'<div class="validation-ch7-live">{bar}<pre style="white-space:pre-wrap">{text}</pre></div>'


def _display(page: str) -> Callable[[str], None]:
    ipython: Any = importlib.import_module("IPython.display")  # late: only a notebook has it
    made = ipython.display(ipython.HTML(page), display_id=True)
    return lambda newer: made.update(ipython.HTML(newer))
