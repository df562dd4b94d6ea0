"""The HTTP side: routes, credentials, files with ranges, uploads that can be resumed, the live log, and faults."""

from __future__ import annotations

import base64
import json
import re
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from tests.emulator.api import Api, ApiError, Redirect
from tests.emulator.faults import Fault, Gauge
from tests.emulator.session import event
from tests.emulator.world import World

PAGE = b"<html><body><h1>502 Bad Gateway</h1></body></html>"


class KaggleServer:
    """The emulated service on a local port; a context manager."""

    def __init__(self, world: World, port: int = 0) -> None:
        self.world = world
        self.closing = threading.Event()
        self.files = Gauge()
        """Downloads that are being answered."""
        self._server = ThreadingHTTPServer(("127.0.0.1", port), self._handler())
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self.api = Api(world, self.url)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        return type("Handler", (Handler,), {"owner": self})

    def __enter__(self) -> KaggleServer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()
        self.world.close()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 1 << 16
    disable_nagle_algorithm = True
    owner: KaggleServer

    def log_message(self, format: str, *args: Any) -> None:
        pass

    @property
    def world(self) -> World:
        return self.owner.world

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or b"{}")
        name = self.path.rsplit("/", 1)[-1]
        self.world.plan.requests.append((name, body))
        fault = self.world.plan.take(name, json.dumps(body))
        if fault and self._fails(fault):
            return
        if name != "IntrospectToken" and not self._authorised():
            self._json({"code": 401, "message": "Unauthorized"}, 401)
            return
        try:
            with self.world.lock:
                answer: Any = self.owner.api.method(name)(body)
        except ApiError as error:
            self._json({"code": error.status, "message": str(error)}, error.status)
            return
        if fault and fault.kind == "lost":
            self.close_connection = True
            return
        if isinstance(answer, Redirect):
            self._send(302, b"", {"Location": answer.location})
            return
        if fault and fault.edit:
            answer = fault.edit(answer)
        self._json(answer)

    def do_GET(self) -> None:
        if self.path.startswith("/v1/kernels/logs/stream/"):
            self._stream(self.path.rsplit("/", 1)[-1])
        elif match := re.fullmatch(r"/files/([^/]+)/(\d+)/(.+)", self.path):
            slug, version, name = match[1], int(match[2]), unquote(match[3])
            with self.world.lock:
                kernel = self.world.kernels.get(slug)
            if kernel is None:
                self._send(404, b"gone")
            else:
                with self.owner.files:
                    self._file(kernel.versions[version - 1].session.folder / "working" / name, name)
        else:
            self._send(404, b"no such page")

    def do_PUT(self) -> None:
        data = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        fault = self.world.plan.take("upload")
        if fault and fault.kind == "half":
            self._store(data[: len(data) // 2])
            self._send(fault.status, b"try again")
            return
        if fault and self._fails(fault):
            return
        if self.headers.get("Content-Range", "").startswith("bytes */"):
            self._tell_received()
            return
        self._store(data)
        self._send(200, b"")

    def _store(self, data: bytes) -> None:
        path = self.world.blobs[self.path.rsplit("/", 1)[-1]][2]
        match = re.fullmatch(r"bytes (\d+)-\d+/\d+", self.headers.get("Content-Range", ""))
        with path.open("r+b") as stream:
            stream.seek(int(match[1]) if match else 0)
            stream.write(data)
            stream.truncate()

    def _tell_received(self) -> None:
        _, length, path = self.world.blobs[self.path.rsplit("/", 1)[-1]]
        size = path.stat().st_size
        if size == length:
            self._send(200, b"")
        else:
            self._send(308, b"", {"Range": f"bytes=0-{size - 1}"} if size else {})

    def _authorised(self) -> bool:
        world, given = self.world, self.headers.get("Authorization", "")
        basic = base64.b64encode(f"{world.owner}:{world.key}".encode()).decode()
        return given == f"Basic {basic}" or (given == f"Bearer {world.token}" and world.token_valid)

    def _fails(self, fault: Fault) -> bool:
        """Act out a fault that needs no answer of the method; return whether it was one."""
        if fault.kind == "http":
            text = fault.text or "the service is not well"
            self._send(fault.status, text.encode(), fault.headers)
        elif fault.kind == "json":
            self._json(json.loads(fault.text), fault.status)
        elif fault.kind == "html":
            self._send(200, PAGE, {"Content-Type": "text/html"})
        elif fault.kind == "hang":
            self.owner.closing.wait(10)
            self.close_connection = True
        elif fault.kind == "cut":
            self.close_connection = True
        elif fault.kind == "meet":
            self.world.plan.meeting.wait(10)
            return False
        else:
            return False
        return True

    def _file(self, path: Path, name: str) -> None:
        fault = self.world.plan.take("file", name)
        if fault and self._fails(fault):
            return
        if fault and fault.kind == "page":
            self._send(200, PAGE, {"Content-Type": "text/html"})
            return
        if not path.is_file():
            self._send(404, b"gone")
            return
        size, start = path.stat().st_size, 0
        if (asked := self.headers.get("Range")) and not (fault and fault.kind == "no_range"):
            start = min(int(asked.removeprefix("bytes=").split("-")[0]), size)
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{size - 1}/{size}")
        else:
            self.send_response(200)
        self._content(path, start, size, fault)

    def _content(self, path: Path, start: int, size: int, fault: Fault | None) -> None:
        kind = fault.kind if fault else ""
        if kind == "short_silent":
            self.send_header("Connection", "close")
        else:
            self.send_header("Content-Length", str(size - start))
        self.end_headers()
        if kind == "flip":
            data = bytearray(path.read_bytes()[start:])
            data[len(data) // 2] ^= 1
            self.wfile.write(bytes(data))
            return
        count = (size - start) // 2 if kind.startswith("short") else size - start
        if count:
            self.wfile.flush()
            with path.open("rb") as stream:
                self.connection.sendfile(stream, start, count)
        self.close_connection = self.close_connection or kind.startswith("short")

    def _stream(self, slug: str) -> None:
        fault = self.world.plan.take("stream")
        if fault and self._fails(fault):
            return
        kernel = self.world.kernels.get(slug)
        if kernel is None:
            self._send(404, b"gone")
            return
        session = kernel.versions[-1].session
        if not session.running:
            self._send(200, session.log_blob().encode(), {"Content-Type": "application/json"})
            return
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True
        sent, left = 0, self.world.rules.stream_events
        while not self.owner.closing.is_set():
            running, lines = session.running, session.lines()
            for number in range(sent, len(lines)):
                self.wfile.write(f"data: {json.dumps(event(lines[number], number))}\n\n".encode())
                self.wfile.flush()
                if left is not None and number + 1 >= left:
                    self.world.rules.stream_events = left + 2  # the next connection gets further
                    return
            sent = len(lines)
            if not running:
                self.wfile.write(b"data: END_OF_LOG\n\n")
                return
            time.sleep(0.02)

    def _json(self, value: Any, status: int = 200) -> None:
        self._send(status, json.dumps(value).encode(), {"Content-Type": "application/json; charset=utf-8"})

    def _send(self, status: int, data: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for key, value in (headers or {}).items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)
