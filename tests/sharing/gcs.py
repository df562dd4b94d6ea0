"""As much of Google Cloud Storage's JSON interface as its own client needs here, with conditional creation.

The emulators that are there for the taking ignore ``ifGenerationMatch``, so none of them can lose a race.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import re
import threading
import urllib.parse
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.serving import serving

PAGE = 2
"""Objects that one page of a listing holds, so that there are several pages."""


class GoogleStandIn(ThreadingHTTPServer):
    """Buckets in memory; every request is written down."""

    daemon_threads = True
    block_on_close = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.buckets: dict[str, dict[str, bytes]] = {}
        self.asked: list[tuple[str, str]] = []
        self.refuses_with = 0
        self.one_at_a_time = threading.Lock()

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: GoogleStandIn

    def do_GET(self) -> None:
        place = urllib.parse.urlsplit(self.path)
        query = dict(urllib.parse.parse_qsl(place.query))
        self.server.asked.append(("GET", self.path))
        if self.server.refuses_with:
            return self._refuse()
        match = re.fullmatch(r"(?:/download)?/storage/v1/b/([^/]+)(?:/o(?:/(.+))?)?", place.path)
        if match is None or match[1] not in self.server.buckets:
            return self._answer(404, {"error": {"code": 404, "message": "The specified bucket does not exist."}})
        held, name = self.server.buckets[match[1]], urllib.parse.unquote(match[2] or "")
        if name:
            return self._object(match[1], held, name, query)
        if place.path.endswith("/o"):
            return self._answer(200, _listing(match[1], held, query))
        return self._answer(200, {"kind": "storage#bucket", "name": match[1], "location": "EU"})

    def _object(self, bucket: str, held: dict[str, bytes], name: str, query: dict[str, str]) -> None:
        if name not in held:
            return self._answer(404, {"error": {"code": 404, "message": "No such object"}})
        if query.get("alt") != "media":
            return self._answer(200, _resource(bucket, name, held[name]))
        data, wanted = held[name], re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if wanted is None:
            return self._send(200, data, "application/octet-stream")
        first, last = int(wanted[1]), min(int(wanted[2] or len(data) - 1), len(data) - 1)
        return self._send(206, data[first : last + 1], "application/octet-stream")

    def do_POST(self) -> None:
        place = urllib.parse.urlsplit(self.path)
        query = dict(urllib.parse.parse_qsl(place.query))
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.asked.append(("POST", self.path))
        if self.server.refuses_with:
            return self._refuse()
        bucket = re.fullmatch(r"/upload/storage/v1/b/([^/]+)/o", place.path)
        if bucket is None or bucket[1] not in self.server.buckets:
            return self._answer(404, {"error": {"code": 404, "message": "The specified bucket does not exist."}})
        boundary = b"--" + re.search(r'boundary="?([^";]+)', self.headers["Content-Type"])[1].encode()
        _, told, content, _ = body.split(boundary, 3)
        name = json.loads(told.split(b"\n\n", 1)[1])["name"]
        data = content.split(b"\n\n", 1)[1].removesuffix(b"\n")
        with self.server.one_at_a_time:
            held = self.server.buckets[bucket[1]]
            if query.get("ifGenerationMatch") == "0" and name in held:
                return self._answer(412, {"error": {"code": 412, "message": "conditionNotMet"}})
            held[name] = data
        return self._answer(200, _resource(bucket[1], name, data))

    def _refuse(self) -> None:
        told = "Anonymous caller does not have storage.objects access to the Google Cloud Storage object."
        self._answer(self.server.refuses_with, {"error": {"code": self.server.refuses_with, "message": told}})

    def _answer(self, status: int, value: dict[str, Any]) -> None:
        self._send(status, json.dumps(value).encode(), "application/json")

    def _send(self, status: int, data: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *arguments: Any) -> None:
        pass


def _resource(bucket: str, name: str, data: bytes) -> dict[str, Any]:
    digest = base64.b64encode(hashlib.md5(data, usedforsecurity=False).digest()).decode()
    facts = {"size": str(len(data)), "md5Hash": digest, "generation": "1", "updated": "2026-01-01T00:00:00Z"}
    return {"kind": "storage#object", "bucket": bucket, "name": name, **facts}


def _listing(bucket: str, held: dict[str, bytes], query: dict[str, str]) -> dict[str, Any]:
    prefix, delimiter = query.get("prefix", ""), query.get("delimiter")
    found = sorted(name for name in held if name.startswith(prefix))
    folders = set()
    if delimiter:
        folders = {
            prefix + name.removeprefix(prefix).split("/")[0] + "/" for name in found if "/" in name[len(prefix) :]
        }
        found = [name for name in found if "/" not in name[len(prefix) :]]
    begin = int(query.get("pageToken", 0))
    page = {"items": [_resource(bucket, name, held[name]) for name in found[begin : begin + PAGE]]}
    more = {"nextPageToken": str(begin + PAGE)} if len(found) > begin + PAGE else {}
    return {"kind": "storage#objects", "prefixes": sorted(folders), **page, **more}


@contextlib.contextmanager
def google() -> Iterator[GoogleStandIn]:
    """Run the stand-in."""
    with serving(GoogleStandIn()) as server:
        yield server
