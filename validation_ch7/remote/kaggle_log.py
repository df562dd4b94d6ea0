"""The live log of a session, followed in the background.

The service drops the stream every few minutes and replays it from the start, so pieces are counted, and those
that were seen are skipped. The end of the stream is also the earliest sign that the session has ended.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

from validation_ch7.errors import ValidationError
from validation_ch7.remote.retry import Patience, Retrier

RECONNECTS = Patience(tries=6, first_s=2.0, factor=2.0, longest_s=60.0)
"""Failed connections in a row before the log is read from the outputs only."""


class LogFollower:
    """Follows one log until its end.

    Args:
        events: opens the log and yields its pieces from the beginning; raises where it breaks off.
        retrier: gives the pauses between connections.
        on_end: called once, when the log has ended.
    """

    def __init__(self, events: Callable[[], Iterator[str]], retrier: Retrier, on_end: Callable[[], None]) -> None:
        self._events = events
        self._retrier = retrier
        self._on_end = on_end
        self._lock = threading.Lock()
        self._text = ""
        self._seen = 0
        self._closed = threading.Event()
        self.ended = False
        self._thread = threading.Thread(target=self._follow, name="kaggle-log", daemon=True)
        self._thread.start()

    def lines(self) -> list[str]:
        """Return the whole lines so far; the last one also without its end, once the log has ended."""
        with self._lock:
            return split_lines(self._text, ended=self.ended)

    def close(self) -> None:
        """Stop following at the next piece or pause."""
        self._closed.set()

    def _follow(self) -> None:
        failures = 0
        while not self._closed.is_set() and failures < RECONNECTS.tries:
            before = self._seen
            try:
                self._read_once()
            except ValidationError:
                failures = 0 if self._seen > before else failures + 1
                self._closed.wait(RECONNECTS.delay(failures, self._retrier.rng) if failures else 1.0)
                continue
            self.ended = True
            self._on_end()
            return

    def _read_once(self) -> None:
        for number, piece in enumerate(self._events()):
            if self._closed.is_set():
                return
            if number >= self._seen:
                with self._lock:
                    self._text += piece
                    self._seen += 1


def split_lines(text: str, *, ended: bool) -> list[str]:
    """Return the lines of ``text``, the unfinished last one only where the text has ended.

    >>> split_lines("a\\nb", ended=False), split_lines("a\\nb", ended=True)
    (['a'], ['a', 'b'])
    """
    lines = text.replace("\r\n", "\n").split("\n")
    last = lines.pop()
    return [*lines, last] if ended and last else lines
