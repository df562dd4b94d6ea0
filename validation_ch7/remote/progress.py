"""How far a transfer is, counted over all of its streams."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class TransferProgress:
    """One moment of a transfer."""

    what: str
    """``download`` or ``upload``."""
    files_done: int
    files_total: int
    bytes_done: int
    """Of what is to be moved, with what an earlier try had brought."""
    bytes_total: int
    bytes_moved: int
    """By this transfer."""
    seconds: float
    over: bool = False
    """Whether this is its last word, good or bad."""

    @property
    def rate(self) -> float:
        """Speed so far [bytes/s]."""
        return self.bytes_moved / self.seconds if self.seconds > 0 else 0.0

    @property
    def left_s(self) -> float | None:
        """Time left at this speed [s], or None where it cannot be told.

        >>> TransferProgress("download", 1, 4, 250, 1000, 250, 5.0).left_s
        15.0
        """
        return max(0, self.bytes_total - self.bytes_done) / self.rate if self.rate > 0 and self.bytes_total else None


OnProgress = Callable[[TransferProgress], None]


class Tally:
    """Counts what has moved and tells it; may be used from several threads."""

    def __init__(
        self,
        what: str,
        tell: OnProgress | None,
        clock: Callable[[], float],
        *,
        files: tuple[int, int] = (0, 1),
        bytes_total: int = 0,
    ) -> None:
        self._what, self._tell, self._clock = what, tell, clock
        self._files, self._files_total = files
        self._bytes_total = bytes_total
        self._lock = threading.Lock()
        self._began = clock()
        self._places: dict[str, int] = {}
        self._done = self._moved = 0

    def begin(self, name: str, offset: int) -> None:
        """Say that ``name`` is had up to ``offset`` bytes, and goes on from there."""
        self._count(name, offset, 0)

    def block(self, name: str, size: int) -> None:
        """Say that so many more bytes of ``name`` have moved."""
        if self._tell is not None:
            self._count(name, self._places.get(name, 0) + size, size)

    def file_done(self) -> None:
        """Say that one more file is complete."""
        with self._lock:
            self._files += 1
            self._say()

    def close(self) -> None:
        """Say that the transfer is over."""
        with self._lock:
            self._say(over=True)

    def _count(self, name: str, place: int, moved: int) -> None:
        with self._lock:
            self._done += place - self._places.get(name, 0)
            self._places[name] = place
            self._moved += moved
            self._say()

    def _say(self, over: bool = False) -> None:
        if self._tell is not None:
            seconds = self._clock() - self._began
            files, size = (self._files, self._files_total), (self._done, self._bytes_total)
            self._tell(TransferProgress(self._what, *files, *size, self._moved, seconds, over))
