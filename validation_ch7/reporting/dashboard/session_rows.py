"""The sessions of a chain as rows: what became of each, when, and how it looks."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from validation_ch7.journal import JournalEntry, Phase
from validation_ch7.reporting.dashboard.view import SessionRow, Tone
from validation_ch7.reporting.standing import SessionLine

_GOOD = frozenset({"completed", "already_complete", "complete"})
_PAUSED = frozenset({"stopped_at_deadline", "interrupted", "timeout", "cancelled"})
_BEGINS = (Phase.SUBMITTED, Phase.SUBMITTING, Phase.PLANNED)
_ENDS = (Phase.FINISHED, Phase.FAILED, Phase.CLOSED)


def session_rows(lines: Sequence[SessionLine], now: float) -> tuple[SessionRow, ...]:
    """Return one row for each session, in the order given, numbered so that the last one is 1.

    Args:
        now: the time of now [s since the epoch].
    """
    return tuple(_row(line, len(lines) - index, now) for index, line in enumerate(lines))


def _row(line: SessionLine, number: int, now: float) -> SessionRow:
    entry = line.entry
    began = _time_of(entry, _BEGINS) or seconds_of(entry.created) or now
    ended = _time_of(entry, _ENDS)
    if ended is None and entry.phase.over:
        ended = began
    return SessionRow(
        number=number,
        session_id=entry.session_id,
        backend=entry.backend,
        state=line.state.replace("_", " "),
        tone=tone_of(entry),
        created=entry.created,
        began=began,
        ended=ended,
        seconds=max(0.0, (now if ended is None else ended) - began),
        steps_before=entry.steps_before,
        steps_after=entry.steps_after,
        reward=line.reward,
        error=entry.error or "",
    )


def tone_of(entry: JournalEntry) -> Tone:
    """Return how a session's state is meant to look."""
    if not entry.phase.over:
        return Tone.BUSY
    if entry.status in _GOOD and entry.phase is Phase.CLOSED:
        return Tone.GOOD
    return Tone.PAUSED if entry.status in _PAUSED else Tone.BAD


def _time_of(entry: JournalEntry, phases: Sequence[Phase]) -> float | None:
    times = {event.phase: event.time for event in reversed(entry.history)}
    return next((seconds_of(times[phase]) for phase in phases if phase in times), None)


def seconds_of(text: str) -> float | None:
    """Return an ISO 8601 time as seconds since the epoch, or None where it is none.

    >>> seconds_of("1970-01-01T00:01:00Z"), seconds_of("soon")
    (60.0, None)
    """
    try:
        return datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError, OSError):
        return None
