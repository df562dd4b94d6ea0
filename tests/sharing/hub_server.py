"""As much of the Hub's interface as its own client needs here: commits, its large store, listings, downloads.

It decides as the Hub does: binary content goes to the large store, texts into the commit. It does not speak Xet; the
client falls back to the plain large store where that is turned off.
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

PAGE = 3
"""Files that one page of a listing holds, so that there are several pages."""
_REPOSITORY = r"(models|datasets)/([^/]+/[^/]+)"


class HubStandIn(ThreadingHTTPServer):
    """Repositories in memory; every request is written down.

    Attributes:
        commits: of each repository, by ``models/owner/name``, oldest first: its files.
        stored: the large store, by SHA-256.
        altered: what commits hold instead of what was sent.
        status: 200, or what every request is refused with.
        uploads_left: uploads to the large store that are accepted.
        ignored: part of the names that the repository's ``.gitignore`` leaves out; empty: none.
    """

    daemon_threads = True
    block_on_close = False

    def __init__(self, token: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.token, self.status, self.uploads_left = token, 200, 10**9
        self.ignored = ""
        self.commits: dict[str, list[dict[str, bytes]]] = {}
        self.stored: dict[str, bytes] = {}
        self.altered: dict[str, bytes] = {}
        self.asked: list[tuple[str, str, bytes]] = []
        self.one_at_a_time = threading.Lock()

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def files(self, repository: str = "models/me/road") -> dict[str, bytes]:
        return self.commits[repository][-1]

    def bodies(self, method: str, pattern: str) -> list[bytes]:
        """Return what was sent with the requests whose path matches."""
        return [body for verb, path, body in self.asked if verb == method and re.search(pattern, path)]

    def push(self, name: str, data: bytes, repository: str = "models/me/road") -> None:
        """Commit one file, as somebody else would."""
        self.commits[repository].append(self.files(repository) | {name: data})


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: HubStandIn

    def do_POST(self) -> None:
        body = self._begin()
        if body is None:
            return None
        path = urllib.parse.unquote(urllib.parse.urlsplit(self.path).path)
        if path == "/api/repos/create":
            return self._create(json.loads(body))
        if path == "/api/validate-yaml":
            return self._answer({})
        if path.endswith(".git/info/lfs/objects/batch"):
            return self._batch(json.loads(body)["objects"])
        asked = re.fullmatch(rf"/api/{_REPOSITORY}/(preupload|commit|paths-info)/([^/]+)", path)
        if asked is None or f"{asked[1]}/{asked[2]}" not in self.server.commits:
            return self._absent("RepoNotFound")
        repository = f"{asked[1]}/{asked[2]}"
        if asked[3] == "preupload":
            return self._answer({"files": [self._mode(item) for item in json.loads(body)["files"]]})
        if asked[3] == "paths-info":
            files = self.server.files(repository)
            names = urllib.parse.parse_qs(body.decode()).get("paths", list(files))
            return self._answer([_entry(name, files[name]) for name in names if name in files])
        return self._commit(repository, [json.loads(line) for line in body.splitlines()])

    def _mode(self, item: dict[str, Any]) -> dict[str, Any]:
        mode = "lfs" if _binary(base64.b64decode(item["sample"])) else "regular"
        ignored = bool(self.server.ignored) and self.server.ignored in item["path"]
        return {"path": item["path"], "uploadMode": mode, "shouldIgnore": ignored}

    def _create(self, wish: dict[str, Any]) -> None:
        name = f"{wish.get('type') or 'model'}s/{wish['organization']}/{wish['name']}"
        with self.server.one_at_a_time:
            known = name in self.server.commits
            self.server.commits.setdefault(name, [{".gitattributes": b"*.zip filter=lfs"}])
        self._answer({"url": f"{self.server.endpoint}/{name.removeprefix('models/')}"}, 409 if known else 200)

    def _batch(self, objects: list[dict[str, Any]]) -> None:
        def told(wanted: dict[str, Any]) -> dict[str, Any]:
            oid, size = wanted["oid"], wanted["size"]
            if oid in self.server.stored:
                return {"oid": oid, "size": size}
            return {"oid": oid, "size": size, "actions": {"upload": {"href": f"{self.server.endpoint}/lfs/{oid}"}}}

        self._answer({"transfer": "basic", "objects": [told(wanted) for wanted in objects]})

    def do_PUT(self) -> None:
        """Take an object into the large store; its address is the permission, as it is signed."""
        body, oid = self._begin(open_to_all=True), self.path.removeprefix("/lfs/")
        if body is None:
            return None
        with self.server.one_at_a_time:
            self.server.uploads_left -= 1
            taken = self.server.uploads_left >= 0 and hashlib.sha256(body).hexdigest() == oid
            if taken:
                self.server.stored[oid] = body
        return self._answer({}, 200 if taken else 400)

    def _commit(self, repository: str, lines: list[dict[str, Any]]) -> None:
        with self.server.one_at_a_time:
            commits = self.server.commits[repository]
            if lines[0]["value"].get("parentCommit", _revision(len(commits))) != _revision(len(commits)):
                return self._answer({"error": "A commit has happened since. Please refresh and try again."}, 412)
            files = dict(commits[-1])
            for line in lines[1:]:
                value = line["value"]
                lfs = line["key"] == "lfsFile"
                files[value["path"]] = self.server.stored[value["oid"]] if lfs else base64.b64decode(value["content"])
            commits.append(files | self.server.altered)
            oid = _revision(len(commits))
        address = f"{self.server.endpoint}/{repository.removeprefix('models/')}/commit/{oid}"
        return self._answer({"url": address, "commitUrl": address, "commitOid": oid})

    def do_GET(self) -> None:
        if self._begin() is None:
            return None
        place = urllib.parse.urlsplit(self.path)
        path = urllib.parse.unquote(place.path)
        found = re.fullmatch(rf"/api/{_REPOSITORY}(?:/tree/([^/]+)(?:/(.+))?)?", path)
        if found is None:
            found = re.fullmatch(r"/(datasets)?/?([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path)
        repository = f"{found[1] or 'models'}/{found[2]}" if found else ""
        if found is None or repository not in self.server.commits:
            return self._absent("RepoNotFound")
        commits = self.server.commits[repository]
        revision = _revision(len(commits)) if found[3] in (None, "main") else found[3]
        files = commits[int(revision) - 1]
        if "/resolve/" in path:
            return self._file(revision, files.get(found[4]))
        if found[3] is None:
            return self._answer({"id": found[2], "sha": revision, "siblings": [{"rfilename": name} for name in files]})
        return self._listing(files, found[4], int(dict(urllib.parse.parse_qsl(place.query)).get("cursor", 0)))

    do_HEAD = do_GET

    def _listing(self, files: dict[str, bytes], folder: str | None, begin: int) -> None:
        names = sorted(name for name in files if not folder or name.startswith(f"{folder}/"))
        if folder and not names:
            return self._absent("EntryNotFound")
        listed = [{"type": "directory", "path": name, "oid": "0" * 40} for name in _folders(names)]
        listed += [_entry(name, files[name]) for name in names]
        path = self.path.split("?")[0]
        following = f'<{self.server.endpoint}{path}?recursive=true&cursor={begin + PAGE}>; rel="next"'
        return self._answer(listed[begin : begin + PAGE], Link=following if len(listed) > begin + PAGE else "")

    def _file(self, revision: str, data: bytes | None) -> None:
        if data is None:
            return self._absent("EntryNotFound")
        told = {"ETag": f'"{_entry("", data)["oid"]}"', "X-Repo-Commit": revision}
        return self._send(200, data, told | {"Content-Type": "application/octet-stream"})

    def _begin(self, *, open_to_all: bool = False) -> bytes | None:
        """Write the request down and return what was sent with it, or refuse it and return None."""
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.headers.get("Transfer-Encoding") == "chunked":
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        self.server.asked.append((self.command, self.path, body))
        if self.server.status != 200:
            hidden = (
                {"X-Error-Code": "RepoNotFound"} if self.server.status == 401 else {}
            )  # as for those without a token
            return self._answer({"error": "no"}, self.server.status, **hidden)
        if not open_to_all and self.headers.get("Authorization") != f"Bearer {self.server.token}":
            return self._answer({"error": "Invalid username or password."}, 401)
        return body

    def _absent(self, code: str) -> None:
        self._answer({"error": "not found"}, 404, **{"X-Error-Code": code})

    def _answer(self, value: object, status: int = 200, **headers: str) -> None:
        self._send(status, json.dumps(value).encode(), {"Content-Type": "application/json", **headers})

    def _send(self, status: int, data: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(data))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def log_message(self, *arguments: Any) -> None:
        pass


def _revision(number: int) -> str:
    return f"{number:040d}"


def _binary(data: bytes) -> bool:
    return b"\0" in data[:512]


def _entry(name: str, data: bytes) -> dict[str, Any]:
    blob = hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()
    entry: dict[str, Any] = {"type": "file", "path": name, "size": len(data), "oid": blob}
    if _binary(data):
        entry["lfs"] = {"oid": hashlib.sha256(data).hexdigest(), "size": len(data), "pointerSize": 134}
    return entry


def _folders(names: list[str]) -> list[str]:
    return sorted({name.rpartition("/")[0] for name in names if "/" in name})


@contextlib.contextmanager
def hub_server(token: str) -> Iterator[HubStandIn]:
    """Run the stand-in."""
    with serving(HubStandIn(token)) as server:
        yield server
