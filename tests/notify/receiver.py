"""A real receiver of webhooks on this machine, which answers, refuses, redirects, or says nothing at all."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.serving import serving

SECRET = "T0-very-secret"


class Receiver(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, status: int) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.status = status
        self.got: list[tuple[str, str, Any]] = []
        self.released = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/{SECRET}?key={SECRET}"

    @property
    def kinds(self) -> list[str]:
        return [body["event"] for _, _, body in self.got]


class _Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.got.append((self.command, self.path, json.loads(body)))
        if self.server.status == 0:
            self.server.released.wait(30)
            return
        self.send_response(self.server.status, f"reason with {SECRET}")
        if self.server.status in (301, 302, 307):
            self.send_header("Location", "/elsewhere")
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_GET = do_POST

    def log_message(self, *arguments: Any) -> None:
        pass


@contextlib.contextmanager
def receiving(status: int = 200) -> Iterator[Receiver]:
    """Run a receiver; status 0 hangs."""
    with serving(Receiver(status)) as server:
        try:
            yield server
        finally:
            server.released.set()
