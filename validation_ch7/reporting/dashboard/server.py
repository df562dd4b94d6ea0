"""``dashboard --serve``: the page and its news on this machine's own address, and on no other.

The standard library's server does: one reader, one page, one answer every few seconds. A request whose ``Host`` is
not this machine is refused, so that no web page can read the dashboard through a name that it has pointed here.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from validation_ch7.errors import ConfigurationError, ValidationError
from validation_ch7.reporting.dashboard.page import render_news, render_page
from validation_ch7.reporting.dashboard.view import Dashboard

HOST = "127.0.0.1"
FRESH_S = 2.0
"""How long an answer is given again before the files are read anew [s]."""
_NAMES = frozenset({"127.0.0.1", "localhost"})
_HEADERS = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Frame-Options": "DENY",
}


class Latest:
    """The dashboard as it was at most a moment ago; however many pages are open, the files are read once.

    Args:
        gather: reads the files.
        clock: a clock that only goes forward [s].
    """

    def __init__(self, gather: Callable[[], Dashboard], clock: Callable[[], float] = time.monotonic) -> None:
        self._gather, self._clock = gather, clock
        self._lock = threading.Lock()
        self._known: tuple[float, Dashboard] | None = None

    def __call__(self) -> Dashboard:
        """Return it.

        Raises:
            ValidationError: the files cannot be read now.
        """
        with self._lock:
            if self._known is None or self._clock() - self._known[0] > FRESH_S:
                view = self._gather()
                self._known = (self._clock(), view)
            return self._known[1]


class _Handler(BaseHTTPRequestHandler):
    server_version, sys_version = "validation-ch7", ""

    def __init__(self, latest: Callable[[], Dashboard], *arguments: Any) -> None:
        self._latest = latest
        super().__init__(*arguments)

    def do_GET(self) -> None:
        if not _is_local(self.headers.get("Host", "")):
            self._answer(HTTPStatus.FORBIDDEN, "text/plain", b"only for this machine\n")
            return
        pages = {"/": self._page, "/news": self._news}
        page = pages.get(self.path.partition("?")[0])
        if page is None:
            self._answer(HTTPStatus.NOT_FOUND, "text/plain", b"there are / and /news\n")
            return
        try:
            kind, body = page()
        except ValidationError as fault:
            self._answer(HTTPStatus.SERVICE_UNAVAILABLE, "text/plain", fault.what.encode("utf-8"))
            return
        self._answer(HTTPStatus.OK, kind, body)

    def _page(self) -> tuple[str, bytes]:
        return "text/html", render_page(self._latest(), live=True).encode("utf-8")

    def _news(self) -> tuple[str, bytes]:
        return "application/json", json.dumps(render_news(self._latest())).encode("ascii")

    def _answer(self, status: HTTPStatus, kind: str, body: bytes) -> None:
        try:
            self.send_response(status)
            for name, value in (_HEADERS | {"Content-Type": f"{kind}; charset=utf-8"}).items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
        except ConnectionError:
            pass  # the page was closed

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: the terminal belongs to the person."""


def _is_local(host: str) -> bool:
    """Return whether a request names this machine.

    >>> _is_local("localhost:8477"), _is_local("evil.example:8477")
    (True, False)
    """
    return host.rpartition(":")[0] in _NAMES or host in _NAMES


def open_server(gather: Callable[[], Dashboard], port: int) -> ThreadingHTTPServer:
    """Return a server that listens on this machine's own address.

    Args:
        port: 0 takes a free one.

    Raises:
        ConfigurationError: the port is taken or not allowed.
    """
    try:
        return ThreadingHTTPServer((HOST, port), partial(_Handler, Latest(gather)))
    except OSError as fault:
        raise ConfigurationError(
            "The dashboard cannot listen there.",
            where=f"--port {port}",
            expected="a free port of this machine",
            found=fault.strerror or str(fault),
            remedy="name another one, or --port 0 for any",
        ) from None
