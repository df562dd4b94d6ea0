"""What goes wrong, and when: a plan of faults, each for one call, and a count of all calls."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Fault:
    """One thing that goes wrong.

    ``call`` is an API method (``SaveKernel``), or ``file`` (a download), ``upload``, ``stream``.
    ``kind`` is one of: ``http`` (an error status), ``html`` (a page at 200), ``hang`` (no answer), ``cut`` (connection
    closed before anything happened), ``lost`` (it happened, the answer is lost), ``edit`` (the answer is changed);
    for files also ``short`` (less than Content-Length), ``short_silent`` (less, without Content-Length), ``flip``
    (one byte wrong), ``page`` (an error page as content), ``no_range`` (Range ignored), ``meet`` (served only once as
    many such requests are there at the same time as the plan's ``meeting`` wants).
    """

    call: str
    kind: str
    times: int = 1
    after: int = 0
    status: int = 500
    headers: dict[str, str] = field(default_factory=dict)
    text: str = ""
    edit: Callable[[dict[str, Any]], Any] | None = None
    match: str = ""
    """Only requests that contain this text."""


class Gauge:
    """Counts what goes on at the same time; a context manager."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._now = self.most = 0

    def __enter__(self) -> None:
        with self._lock:
            self._now += 1
            self.most = max(self.most, self._now)

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._now -= 1


class FaultPlan:
    """Faults that are still to come, and what has been asked so far."""

    def __init__(self, faults: Iterable[Fault] = ()) -> None:
        self._lock = threading.Lock()
        self._left: list[list[Any]] = []
        self.calls: Counter[str] = Counter()
        self.requests: list[tuple[str, dict[str, Any]]] = []
        self.met: list[Fault] = []
        """Faults that have happened, in their order."""
        self.meeting = threading.Barrier(1)
        for fault in faults:
            self.add(fault)

    def add(self, fault: Fault) -> None:
        self._left.append([fault, fault.after, fault.times])

    def take(self, call: str, subject: str = "") -> Fault | None:
        """Count the call, and return the fault that is planned for it, if any."""
        with self._lock:
            self.calls[call] += 1
            for entry in self._left:
                fault, after, times = entry
                if fault.call != call or fault.match not in subject or times <= 0:
                    continue
                if after > 0:
                    entry[1] -= 1
                    continue
                entry[2] -= 1
                self.met.append(fault)
                return fault  # type: ignore[no-any-return]
        return None
