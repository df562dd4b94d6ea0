"""Faults of a remote service, what each means, and how often and how patiently a call is tried again."""

from __future__ import annotations

import contextlib
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeVar

from validation_ch7.errors import BackendError

T = TypeVar("T")
MAX_RETRY_AFTER_S = 300.0


class FaultKind(StrEnum):
    """What a failed call means for the next one."""

    TRANSIENT = "transient"
    """Network trouble, a server error, an answer that is none: try again."""
    RATE_LIMITED = "rate limited"
    UNAUTHORISED = "unauthorised"
    ABSENT = "absent"
    """403 or 404: not there, not ours, or not yet indexed; the service does not tell which."""
    REFUSED = "refused"
    """Any other client error: asking again will not help."""


class ServiceFault(BackendError):
    """One call to the remote service failed.

    Args:
        kind: what it means.
        what: the call, in words.
        found: status and text of the answer, without secrets.
        maybe_done: whether the call may have had its effect all the same.
        retry_after_s: how long the service asks to wait [s].
    """

    def __init__(
        self, kind: FaultKind, what: str, found: str, *, maybe_done: bool, retry_after_s: float | None = None
    ) -> None:
        super().__init__(
            f"Kaggle did not answer as it should ({kind}).",
            where=what,
            found=found,
            remedy="check the connection and https://www.kaggle.com, then run the same command again: it goes on",
        )
        self.kind = kind
        self.maybe_done = maybe_done
        self.retry_after_s = retry_after_s

    @property
    def passing(self) -> bool:
        """Whether asking again may help."""
        return self.kind in (FaultKind.TRANSIENT, FaultKind.RATE_LIMITED)


@contextlib.contextmanager
def tolerating(kind: FaultKind) -> Iterator[None]:
    """Take a fault of this kind, and no other, for success."""
    try:
        yield
    except ServiceFault as fault:
        if fault.kind is not kind:
            raise


def kind_of_status(status: int) -> FaultKind:
    """Return what an HTTP status means.

    >>> [kind_of_status(status).name for status in (401, 403, 409, 429, 502)]
    ['UNAUTHORISED', 'ABSENT', 'REFUSED', 'RATE_LIMITED', 'TRANSIENT']
    """
    known = {401: FaultKind.UNAUTHORISED, 403: FaultKind.ABSENT, 404: FaultKind.ABSENT, 429: FaultKind.RATE_LIMITED}
    passing = status >= 500 or status in (408, 425)
    return known.get(status, FaultKind.TRANSIENT if passing else FaultKind.REFUSED)


@dataclass(frozen=True)
class Patience:
    """How often a call is tried, and how the time between two tries grows."""

    tries: int = 5
    first_s: float = 1.0
    factor: float = 2.0
    longest_s: float = 60.0

    def delay(self, attempt: int, rng: random.Random, retry_after_s: float | None = None) -> float:
        """Return how long to wait after failed try number ``attempt``, counted from 0 [s].

        >>> Patience().delay(0, random.Random(0), retry_after_s=7.0)
        7.0
        """
        if retry_after_s is not None:
            return min(max(retry_after_s, 0.0), MAX_RETRY_AFTER_S)
        return min(self.first_s * self.factor**attempt, self.longest_s) * rng.uniform(0.5, 1.0)


@dataclass
class Retrier:
    """Tries calls again as long as there is hope and patience."""

    patience: Patience = field(default_factory=Patience)
    sleep: Callable[[float], None] = time.sleep
    rng: random.Random = field(default_factory=random.Random)

    def run(self, call: Callable[[], T], *, repeatable: bool = True, patience: Patience | None = None) -> T:
        """Return what ``call`` returns.

        Args:
            call: raises :class:`ServiceFault` when it fails.
            repeatable: False for a call that must not have its effect twice; it is then repeated only after
                faults that exclude that it had one.
            patience: how often; default: that of this object.

        Raises:
            ServiceFault: the last fault, when there is no hope or no patience left.
        """
        patience = patience or self.patience
        attempt = 0
        while True:
            try:
                return call()
            except ServiceFault as fault:
                hopeless = not fault.passing or (fault.maybe_done and not repeatable)
                if hopeless or attempt + 1 >= patience.tries:
                    raise
                self.sleep(patience.delay(attempt, self.rng, fault.retry_after_s))
                attempt += 1
