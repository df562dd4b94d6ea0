"""Where the bars of the time line and of the progress strip lie: pure geometry, drawn by the page."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from validation_ch7.reporting.dashboard.view import SessionRow, Tone

WIDTH = 1000.0
"""Units of the drawing from left to right; the page scales them."""
MIN_BAR = 3.0
_TICKS = 5


@dataclass(frozen=True)
class Bar:
    """One session in the drawing."""

    number: int
    tone: Tone
    x: float
    width: float
    lane: int
    label: str


@dataclass(frozen=True)
class Tick:
    """One mark of the axis."""

    x: float
    label: str


@dataclass(frozen=True)
class Timeline:
    """Bars in lanes, one lane for each backend."""

    bars: tuple[Bar, ...] = ()
    lanes: tuple[str, ...] = ()
    ticks: tuple[Tick, ...] = ()


def draw_timeline(rows: Sequence[SessionRow], now: float) -> Timeline:
    """Return the time line of sessions, oldest first.

    Args:
        now: until when running sessions have come [s since the epoch].
    """
    if not rows:
        return Timeline()
    first = min(row.began for row in rows)
    last = max(now if row.ended is None else row.ended for row in rows)
    scale = WIDTH / max(last - first, 1.0)
    lanes = tuple(dict.fromkeys(row.backend for row in reversed(rows)))
    bars = tuple(_bar(row, first, scale, lanes.index(row.backend)) for row in reversed(rows))
    return Timeline(bars, lanes, _ticks(first, last))


def _bar(row: SessionRow, first: float, scale: float, lane: int) -> Bar:
    width = max(MIN_BAR, row.seconds * scale)
    x = min((row.began - first) * scale, WIDTH - width)
    return Bar(row.number, row.tone, round(max(0.0, x), 2), round(width, 2), lane, describe(row))


def describe(row: SessionRow) -> str:
    """Return a session in one line, for a tooltip and for a screen reader."""
    after = "?" if row.steps_after is None else f"{row.steps_after:,}"
    reward = "" if row.reward is None else f", reward {row.reward:.2f}"
    return f"Session {row.number}: {row.state} on {row.backend}, steps {row.steps_before:,} to {after}{reward}"


def draw_progress(rows: Sequence[SessionRow], done: int, target: int) -> tuple[Bar, ...]:
    """Return what each session added to the way to the target, oldest first.

    Steps that were trained twice appear once, in the session that kept them.
    """
    total = max(done, target, 1)
    bars = []
    for row in reversed(rows):
        stop = min(done, row.steps_after if row.steps_after is not None else row.steps_before)
        if stop > row.steps_before:
            x, width = WIDTH * row.steps_before / total, WIDTH * (stop - row.steps_before) / total
            bars.append(Bar(row.number, row.tone, round(x, 2), round(width, 2), 0, describe(row)))
    return tuple(bars)


def _ticks(first: float, last: float) -> tuple[Tick, ...]:
    span = last - first
    form = "%Y-%m-%d" if span > 5 * 86400 else "%m-%d %H:%M" if span > 86400 else "%H:%M"
    marks = [first + span * index / (_TICKS - 1) for index in range(_TICKS)]
    labels = [time.strftime(form, time.gmtime(mark)) for mark in marks]
    return tuple(
        Tick(round(WIDTH * index / (_TICKS - 1), 2), label)
        for index, label in enumerate(labels)
        if label not in labels[:index]
    )
