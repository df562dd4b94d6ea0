"""Watching a session: when to ask next, what an answer means, and how long to believe in it.

The decisions are pure; :func:`watch` is the loop that acts on them. It only looks: leaving it, by Ctrl-C or
by a fault, never touches the session.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from validation_ch7.errors import BackendError
from validation_ch7.remote.backend import Backend, SessionRef, SessionState, SessionStatus

MAX_UNKNOWN = 12
"""Unusable answers in a row that are borne with."""
OVERTIME_S = 900.0
"""Time beyond its limit that a running session is believed in [s]."""
LIVE_SLICE_S = 1.0
"""How often a live log is looked at between two questions [s]."""
NOTICE_S = {SessionState.QUEUED: 600.0, SessionState.RUNNING: 1800.0}
"""Time in a state after which each further such time is worth a notice [s]."""


@dataclass(frozen=True)
class Pace:
    """How the time between two questions grows."""

    first_s: float
    factor: float
    longest_s: float
    jitter: float = 0.2
    """Part by which a delay is made shorter or longer at random."""


LOCAL_PACE = Pace(first_s=0.1, factor=1.3, longest_s=1.0)
REMOTE_PACE = Pace(first_s=3.0, factor=1.4, longest_s=75.0)


def pace_of(backend: str) -> Pace:
    """Return the pace for a backend: a local process may be asked often, a service may not."""
    return LOCAL_PACE if backend == "local" else REMOTE_PACE


def next_delay(attempt: int, rng: random.Random, pace: Pace = REMOTE_PACE) -> float:
    """Return how long to wait after question number ``attempt``, counted from 0 [s].

    >>> round(next_delay(0, random.Random(0), Pace(2.0, 1.5, 60.0, jitter=0.0)), 6)
    2.0
    >>> round(next_delay(99, random.Random(0), Pace(2.0, 1.5, 60.0, jitter=0.0)), 6)
    60.0
    """
    grown = pace.first_s * pace.factor ** min(attempt, 64)
    return min(grown, pace.longest_s) * (1.0 + pace.jitter * (2.0 * rng.random() - 1.0))


@runtime_checkable
class Live(Protocol):
    """A backend whose ``logs`` cost nothing while it follows a live log, and that notices the log's end."""

    def woken(self) -> bool:
        """Return whether a followed log has ended since this was last asked."""
        ...


@runtime_checkable
class Metered(Protocol):
    """A backend that gives only so many hours."""

    def allowance(self) -> str:
        """Return what is left of them, in words; empty where it cannot be told now."""
        ...


@dataclass(frozen=True)
class Watch:
    """What has been seen so far of one session; times by the clock of the watch [s]."""

    began: float
    running_since: float | None = None
    unknown: int = 0
    notices: int = 0
    """Notices that are due on the state that it is in."""
    in_state: SessionState | None = None

    def after(self, status: SessionStatus, now: float) -> Watch:
        """Return what is known after one more answer."""
        unknown = self.unknown + 1 if status.state is SessionState.UNKNOWN else 0
        running = status.state is SessionState.RUNNING
        since = now if running and self.running_since is None else self.running_since
        began = self.began if status.state is SessionState.QUEUED else since
        every = NOTICE_S.get(status.state)
        due = int((now - began) // every) if every and began is not None else 0
        same = status.state in (self.in_state, SessionState.UNKNOWN)
        return Watch(self.began, since, unknown, max(due, self.notices if same else 0), status.state)

    def notice(self, status: SessionStatus, now: float, limit_s: float) -> SessionStatus:
        """Return the status with how long it has lasted, where that is worth a notice."""
        if self.notices == 0 or status.state not in NOTICE_S:
            return status
        if status.state is SessionState.QUEUED:
            text = f"in the queue for {(now - self.began) / 60:.0f} min"
        else:
            since = now if self.running_since is None else self.running_since
            text = f"{(now - since) / 60:.0f} of {limit_s / 60:.0f} min used"
        return SessionStatus(status.state, f"{text}; {status.message}" if status.message else text)

    def fault(self, status: SessionStatus, now: float, limit_s: float) -> str | None:
        """Return why the backend is not to be believed any longer, or None."""
        if self.unknown > MAX_UNKNOWN:
            return f"{self.unknown} unusable answers in a row, the last one: {status.message or 'empty'}"
        if self.running_since is not None and now - self.running_since > limit_s + OVERTIME_S:
            return f"it still counts as {status.state} {now - self.running_since:.0f} s after it began to run"
        return None


def watch(
    backend: Backend,
    ref: SessionRef,
    *,
    clock: Callable[[], float],
    sleep: Callable[[float], None],
    on_log: Callable[[str], None],
    on_status: Callable[[SessionStatus], None],
    limit_s: float,
    rng: random.Random | None = None,
    pace: Pace | None = None,
) -> SessionStatus:
    """Follow the session to its end and return its last status.

    Args:
        backend: where the session runs.
        ref: the session.
        clock: any clock that only goes forward [s].
        sleep: waits so long [s].
        on_log: receives every log line once.
        on_status: receives every change of state or message, and notices on long queueing and on the time used.
        limit_s: wall time that the session was given [s].
        rng: source of the jitter.
        pace: how often to ask; default: what suits the backend.

    Raises:
        BackendError: the backend gave too many unusable answers, or calls the session running long after its
            limit. The session is untouched; the same call attaches to it again.
    """
    rng = rng or random.Random()
    pace = pace or pace_of(ref.backend)
    seen, attempt, state, last = 0, 0, Watch(clock()), None

    def read_log() -> None:
        nonlocal seen
        for line in backend.logs(ref, seen):
            seen += 1
            on_log(line)

    while True:
        status = backend.status(ref)
        before, state = state, state.after(status, clock())
        if status != last or state.notices > before.notices:
            attempt = 0 if status != last else attempt
            began = state.running_since is not None and before.running_since is None
            notice = state.notice(status, clock(), limit_s)
            metered = began or state.notices > before.notices
            on_status(_with_allowance(notice, backend, limit_s if began else None) if metered else notice)
            last = status
        read_log()
        if status.state.terminal:
            return status
        if fault := state.fault(status, clock(), limit_s):
            raise _lost(ref, fault)
        _wait(backend, next_delay(attempt, rng, pace), sleep, read_log)
        attempt += 1


def _wait(backend: Backend, delay: float, sleep: Callable[[float], None], read_log: Callable[[], None]) -> None:
    """Wait so long; with a live backend show lines as they come, and stop waiting when the log has ended."""
    live = backend if isinstance(backend, Live) else None
    while delay > 0:
        step = min(delay, LIVE_SLICE_S) if live else delay
        sleep(step)
        delay -= step
        if live:
            read_log()
            if live.woken():
                return


def _with_allowance(status: SessionStatus, backend: Backend, limit_s: float | None) -> SessionStatus:
    if not isinstance(backend, Metered) or status.state.terminal:
        return status
    limit = f"for at most {limit_s / 60:.0f} min" if limit_s else ""
    return SessionStatus(status.state, "; ".join(filter(None, [status.message, limit, backend.allowance()])))


def _lost(ref: SessionRef, fault: str) -> BackendError:
    return BackendError(
        "The session cannot be followed any longer; it has not been touched.",
        where=ref.kernel_slug,
        found=fault,
        remedy="run the same command again later: it attaches to this session",
    )
