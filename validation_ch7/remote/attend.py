"""Staying with a session to its end, and passing on a request to stop."""

from __future__ import annotations

import random
from collections.abc import Callable

from validation_ch7.errors import DetachedError
from validation_ch7.remote.backend import Backend, SessionRef, SessionStatus
from validation_ch7.remote.monitor import watch

_SLICE_S = 0.5


def attend(
    backend: Backend,
    ref: SessionRef,
    stop: Callable[[], bool],
    *,
    say: Callable[[str], None],
    clock: Callable[[], float],
    sleep: Callable[[float], None],
    limit_s: float,
) -> SessionStatus:
    """Follow a session to its end and return its last status.

    Args:
        stop: whether this process was asked to stop; a local session is asked in turn, a remote one is left.
        say: receives the session's log and every change of its state.
        limit_s: wall time that the session was given [s].

    Raises:
        DetachedError: a remote session was left; it goes on.
        BackendError: the backend is not to be believed any longer.
    """
    asked = False

    def wait(seconds: float) -> None:
        nonlocal asked
        for _ in range(max(1, round(seconds / _SLICE_S))):
            if stop() and not asked:
                asked = True
                _pass_on_stop(backend, ref, say)
            sleep(min(seconds, _SLICE_S))

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


def _pass_on_stop(backend: Backend, ref: SessionRef, say: Callable[[str], None]) -> None:
    if backend.name != "local":
        raise DetachedError(
            "Left the session; it goes on by itself.",
            where=ref.kernel_slug,
            remedy="run the same command again: it attaches to this session and brings its results",
        )
    say("Stopping: the session saves at the next boundary and ends (Ctrl-C again leaves it at once)")
    backend.cancel(ref)
