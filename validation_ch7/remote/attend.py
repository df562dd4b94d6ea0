"""Staying with a session to its end, and passing on the wish of a person to stop."""

from __future__ import annotations

import random
from collections.abc import Callable

from validation_ch7.errors import DetachedError, InterruptedRunError
from validation_ch7.remote.backend import Backend, SessionRef, SessionStatus
from validation_ch7.remote.monitor import watch

_SLICE_S = 0.5
_CAPACITY_PAUSE_S = 300.0

Sleep = Callable[[float], None]


def attend(
    backend: Backend,
    ref: SessionRef,
    limit_s: float,
    stop: Callable[[], bool],
    clock: Callable[[], float],
    sleep: Sleep,
    say: Callable[[str], None],
    by_ctrl_c: Callable[[], bool] = lambda: True,
) -> SessionStatus:
    """Follow a session to its end; a request to stop ends a local one gently and leaves a remote one alone.

    Args:
        stop: whether a person or the machine wants this to end.
        by_ctrl_c: whether that came from the keyboard.

    Raises:
        DetachedError: a remote session was left by Ctrl-C; it goes on by itself.
        InterruptedRunError: it was left on another signal.
        BackendError: the session cannot be followed any longer.
    """
    asked = False

    def wait(seconds: float) -> None:
        nonlocal asked
        for part in slices(seconds):
            if stop() and not asked:
                asked = True
                _pass_on(backend, ref, say, by_ctrl_c())
            sleep(part)

    return watch(
        backend,
        ref,
        clock=clock,
        sleep=wait,
        on_log=say,
        on_status=lambda status: say(f"[SESSION] {ref.kernel_slug}: {status.state} {status.message}".rstrip()),
        limit_s=limit_s,
        rng=random.Random(),
    )


def _pass_on(backend: Backend, ref: SessionRef, say: Callable[[str], None], by_ctrl_c: bool) -> None:
    if backend.name != "local":
        raise (DetachedError if by_ctrl_c else InterruptedRunError)(
            "Left the session; it goes on by itself.",
            where=ref.kernel_slug,
            remedy="run the same command again: it attaches to this session and brings its results",
        )
    say("Stopping: the session saves at the next boundary and ends (Ctrl-C again leaves it at once)")
    backend.cancel(ref)


def slices(seconds: float) -> list[float]:
    """Return parts of a wait, short enough to notice a signal between them.

    >>> slices(1.2)
    [0.5, 0.5, 0.2]
    """
    whole, rest = divmod(max(0.0, seconds), _SLICE_S)
    parts = [_SLICE_S] * int(whole)
    return [*parts, round(rest, 3)] if rest or not parts else parts


def pause_until(retry_at: float | None, now: float) -> float:
    """Return how long to wait after a refusal [s]: until the time that was named, else five minutes.

    >>> pause_until(100.0, 40.0), pause_until(None, 40.0), pause_until(10.0, 40.0)
    (61.0, 300.0, 1.0)
    """
    return _CAPACITY_PAUSE_S if retry_at is None else max(0.0, retry_at - now) + 1.0
