"""Uploading one file to an address that the service named, going on where a broken connection left off."""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Iterator
from pathlib import Path

import requests

from validation_ch7.remote.progress import OnProgress, Tally
from validation_ch7.remote.retry import FaultKind, Retrier, ServiceFault, kind_of_status
from validation_ch7.remote.transport import Timeouts, timed_session, translate

_BLOCK = 1 << 20
_WHAT = "upload of the bundle"


def upload(path: Path, url: str, timeouts: Timeouts, retrier: Retrier, on_progress: OnProgress | None = None) -> None:
    """Send the file, asking after each failure how much has arrived.

    Raises:
        ServiceFault: it did not arrive within the retrier's patience.
    """
    size = path.stat().st_size
    tried: list[bool] = []
    tally = Tally("upload", on_progress, time.monotonic, bytes_total=size)
    with contextlib.closing(tally), timed_session(timeouts) as session:

        def attempt() -> None:
            offset = _received(session, url, size) if tried else 0
            tried.append(True)
            if offset < size:
                _put(session, url, _Tail(path, offset, size, tally), offset, size)

        retrier.run(attempt)


def _received(session: requests.Session, url: str, size: int) -> int:
    """Return how many bytes the service has."""
    answer = _request(session, url, b"", {"Content-Range": f"bytes */{size}"})
    if answer.status_code in (200, 201):
        return size
    match = re.fullmatch(r"bytes=0-(\d+)", answer.headers.get("Range", ""))
    return int(match[1]) + 1 if answer.status_code == 308 and match else 0


def _put(session: requests.Session, url: str, tail: _Tail, offset: int, size: int) -> None:
    headers = {"Content-Length": str(size - offset), "Content-Type": "application/octet-stream"}
    if offset:
        headers["Content-Range"] = f"bytes {offset}-{size - 1}/{size}"
    answer = _request(session, url, tail, headers)
    if answer.status_code not in (200, 201):
        kind = FaultKind.TRANSIENT if answer.status_code == 308 else kind_of_status(answer.status_code)
        raise ServiceFault(kind, _WHAT, str(answer.status_code), maybe_done=True)


def _request(session: requests.Session, url: str, data: object, headers: dict[str, str]) -> requests.Response:
    try:
        return session.put(url, data=data, headers=headers, allow_redirects=False)  # type: ignore[arg-type]
    except requests.exceptions.RequestException as fault:
        raise translate(_WHAT, fault) from None


class _Tail:
    """The file from ``offset`` on, in blocks; its length keeps requests from sending it chunked."""

    def __init__(self, path: Path, offset: int, size: int, tally: Tally) -> None:
        self._path, self._offset, self._size, self._tally = path, offset, size, tally

    def __len__(self) -> int:
        return self._size - self._offset

    def __iter__(self) -> Iterator[bytes]:
        self._tally.begin(self._path.name, self._offset)
        with self._path.open("rb") as stream:
            stream.seek(self._offset)
            while block := stream.read(_BLOCK):
                yield block
                self._tally.block(self._path.name, len(block))
