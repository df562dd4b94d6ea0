"""A request to stop, received as a signal: a flag and nothing else.

Whoever trains looks at the flag between two steps, saves, and ends. Saving inside a signal handler would run
in the middle of whatever was going on.
"""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from contextvars import ContextVar
from types import FrameType


class StopRequest:
    """Whether, and by which signal, the process was asked to stop."""

    def __init__(self) -> None:
        self.received: signal.Signals | None = None
        """The first signal, or None."""
        self._interrupts = 0

    def __call__(self) -> bool:
        """Whether to stop."""
        return self.received is not None

    def handle(self, number: int, _frame: FrameType | None) -> None:
        """Raise the flag.

        Raises:
            KeyboardInterrupt: Ctrl-C came a second time, so the person does not want to wait.
        """
        self._interrupts += number == signal.SIGINT
        if self._interrupts > 1:
            raise KeyboardInterrupt
        if self.received is None:
            self.received = signal.Signals(number)


_AROUND: ContextVar[StopRequest | None] = ContextVar("stop request around this code", default=None)


def stop_signals() -> tuple[signal.Signals, ...]:
    """Return the signals by which this system asks a process to stop."""
    names = ("SIGTERM", "SIGINT", "SIGBREAK")
    return tuple(getattr(signal, name) for name in names if hasattr(signal, name))


@contextlib.contextmanager
def stop_requests() -> Iterator[StopRequest]:
    """Turn signals into a flag while the block runs, and put the former handlers back afterwards.

    Inside such a block, the flag of the outer one is used: who drives many runs stops with all of them. A thread
    has the flag of the block in whose context it was started; outside of any, where no handler can be set, the
    flag stays down.
    """
    outer = _AROUND.get()
    if outer is not None:
        yield outer
        return
    request = StopRequest()
    former = {}
    if threading.current_thread() is threading.main_thread():
        former = {number: signal.signal(number, request.handle) for number in stop_signals()}
    token = _AROUND.set(request)
    try:
        yield request
    finally:
        _AROUND.reset(token)
        for number, handler in former.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
