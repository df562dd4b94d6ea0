"""HTTP as this project uses it: every request has timeouts, every fault has a meaning."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any

import requests
from requests.adapters import HTTPAdapter

from validation_ch7.remote.retry import FaultKind, ServiceFault, kind_of_status


@dataclass(frozen=True)
class Timeouts:
    """How long one step of a request may take [s]."""

    connect_s: float = 10.0
    read_s: float = 60.0
    stream_s: float = 180.0
    """Silence in the live log after which it is opened again."""


class TimedAdapter(HTTPAdapter):
    """Gives every request the timeouts that the client forgets."""

    def __init__(self, timeouts: Timeouts, **options: Any) -> None:
        self._timeouts = timeouts
        super().__init__(**options)

    def send(self, request: requests.PreparedRequest, *args: Any, **options: Any) -> requests.Response:
        """Send the request, with timeouts where none were given."""
        if options.get("timeout") is None:
            options["timeout"] = (self._timeouts.connect_s, self._timeouts.read_s)
        return super().send(request, *args, **options)


def timed_session(timeouts: Timeouts) -> requests.Session:
    """Return a session whose requests all have timeouts."""
    session = requests.Session()
    for scheme in ("https://", "http://"):
        session.mount(scheme, TimedAdapter(timeouts))
    return session


def translate(what: str, fault: Exception, scrub: Callable[[str], str] = str) -> ServiceFault:
    """Return what a fault of the client means.

    An answer that is no JSON, has an unknown value or a null where a list should be makes the client raise
    ``ValueError``, ``KeyError``, ``TypeError`` or ``AttributeError``: the answer is unusable, the effect unknown.
    """
    response = getattr(fault, "response", None)
    if not isinstance(fault, requests.exceptions.HTTPError) or response is None:
        refused = isinstance(fault, requests.exceptions.ConnectTimeout) or "Connection refused" in str(fault)
        name = type(fault).__name__
        found = name if isinstance(fault, requests.exceptions.RequestException) else f"an unusable answer ({name})"
        return ServiceFault(FaultKind.TRANSIENT, what, found, maybe_done=not refused)
    status, text = _status_and_text(response)
    kind = kind_of_status(status)
    return ServiceFault(
        kind,
        what,
        scrub(f"{status} {text}".strip())[:400],
        maybe_done=kind is FaultKind.TRANSIENT,
        retry_after_s=retry_after(response.headers.get("Retry-After")),
    )


def _status_and_text(response: requests.Response) -> tuple[int, str]:
    """Return status and message; a JSON body with a code of its own counts, even at 200."""
    status = response.status_code
    try:
        body = response.json()
        return int(body.get("code", status)), str(body.get("message", ""))
    except (ValueError, AttributeError, TypeError):
        return status, "" if "<html" in response.text[:500].lower() else response.text[:200]


def retry_after(value: str | None) -> float | None:
    """Return how long a Retry-After header asks to wait [s], or None where it says nothing usable.

    >>> retry_after("12"), retry_after("soon")
    (12.0, None)
    """
    if value is None:
        return None
    with contextlib.suppress(ValueError):
        return float(value)
    with contextlib.suppress(ValueError):
        moment = parsedate_to_datetime(value)
        return max(0.0, (moment - datetime.now(moment.tzinfo)).total_seconds())
    return None
