"""The plain webhook: one POST of JSON; no library needed."""

from __future__ import annotations

import http.client
import json
import urllib.error
import urllib.request
from typing import Any

from validation_ch7.notify.events import Event

TIMEOUT_S = 10.0


class Webhook:
    """A receiver of JSON at an ``http`` or ``https`` address.

    Args:
        name: what may be shown of it.
        address: where to POST; never shown.
        timeout_s: time that one step of the exchange may take [s].
    """

    def __init__(self, name: str, address: str, timeout_s: float = TIMEOUT_S) -> None:
        self.name = name
        self._address = address
        self._timeout_s = timeout_s
        self._opener = urllib.request.build_opener(_NoRedirect)

    def deliver(self, event: Event) -> str | None:
        """Hand over the event and return None, or why it could not be handed over."""
        data = json.dumps(event.as_json()).encode("ascii")
        headers = {"Content-Type": "application/json", "User-Agent": "validation-ch7"}
        try:
            request = urllib.request.Request(self._address, data, headers, method="POST")
            with self._opener.open(request, timeout=self._timeout_s):
                return None
        except urllib.error.HTTPError as fault:
            fault.close()
            return f"HTTP {fault.code}"
        except urllib.error.URLError as fault:
            return _reason(fault.reason)
        except OSError as fault:
            return _reason(fault)
        except (http.client.HTTPException, ValueError):  # their texts may quote the address
            return "the address, or the answer, is malformed"


def _reason(fault: str | BaseException) -> str:
    if isinstance(fault, TimeoutError):
        return "no answer in time"
    if isinstance(fault, OSError):
        return fault.strerror or type(fault).__name__
    return "the address cannot be used"


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Takes a redirection as a failure: following it would turn the POST into a GET that says nothing."""

    def redirect_request(self, *arguments: Any, **named: Any) -> None:
        return None
