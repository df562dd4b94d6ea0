"""Downloading many files at once: into temporaries, resumed where possible, checked, then renamed.

A file appears under its name only when its size, and its digest where one is known, are right. An error page at
status 200, a cut connection, a short body or a flipped byte cost another try of this one file and nothing else.
"""

from __future__ import annotations

import contextlib
import hashlib
import shutil
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import urllib3

from validation_ch7.errors import StorageError
from validation_ch7.files import PARTIAL_PREFIX, confined, make_folder, sha256_file, storage_errors
from validation_ch7.remote.connections import NETWORK_FAULTS, Connections
from validation_ch7.remote.progress import OnProgress, Tally
from validation_ch7.remote.retry import FaultKind, Retrier, ServiceFault, kind_of_status
from validation_ch7.remote.transport import Timeouts, retry_after

_HEADROOM = 64 << 20
_CONTENT = "content"


@dataclass(frozen=True)
class RemoteFile:
    """A file to bring."""

    name: str
    url: str
    bytes: int | None = None
    sha256: str | None = None


@dataclass(frozen=True)
class NotBrought:
    """Why a file is not here."""

    reason: str
    passing: bool = False
    """Whether it is there, and only the way to it failed: asking again later may help."""


@dataclass
class Downloader:
    """Brings files in parallel.

    Args:
        retrier: how often one file is tried again.
        timeouts: of every request.
        streams: files at the same time.
        on_progress: told after every block; must be quick and may be called from several threads.
    """

    retrier: Retrier
    timeouts: Timeouts = field(default_factory=Timeouts)
    streams: int = 4
    on_progress: OnProgress | None = None
    clock: Callable[[], float] = time.monotonic

    def fetch(self, files: Sequence[RemoteFile], target: Path) -> dict[str, NotBrought]:
        """Bring ``files`` into ``target`` and return what is wrong, by name; files that are right stay.

        Raises:
            StorageError: there is not enough space, or a file cannot be written.
        """
        make_folder(target)
        wanted = [file for file in files if not already_there(file, target)]
        _check_space(target, sum(file.bytes or 0 for file in wanted))
        had, size = len(files) - len(wanted), sum(file.bytes or 0 for file in wanted)
        tally = Tally("download", self.on_progress, self.clock, files=(had, len(files)), bytes_total=size)
        with Connections(self.timeouts, self.streams) as servers, ThreadPoolExecutor(self.streams) as pool:
            jobs = {file.name: pool.submit(self._bring, servers, file, target, tally) for file in wanted}
            try:
                faults = {name: job.result() for name, job in jobs.items()}
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise
            finally:
                tally.close()
        return {name: fault for name, fault in faults.items() if fault}

    def _bring(self, servers: Connections, file: RemoteFile, target: Path, tally: Tally) -> NotBrought | None:
        try:
            path = confined(target, file.name)
        except StorageError as fault:
            return NotBrought(f"{fault.what} {fault.found}")
        part = path.with_name(f"{PARTIAL_PREFIX}{path.name[-200:]}")
        with storage_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            if file.sha256 is None:
                part.unlink(missing_ok=True)  # nothing could tell whether it belongs to this file
            try:
                self.retrier.run(lambda: self._try(servers, file, part, tally))
            except ServiceFault as fault:
                passing = fault.passing and fault.where != _CONTENT
                if not passing or file.sha256 is None:
                    part.unlink(missing_ok=True)
                return NotBrought(str(fault.found), passing)
            part.replace(path)
        tally.file_done()
        return None

    def _try(self, servers: Connections, file: RemoteFile, part: Path, tally: Tally) -> None:
        """Complete ``part`` and check it; a wrong one is removed, a short one is kept for the next try."""
        offset = part.stat().st_size if part.exists() else 0
        if file.bytes is not None and offset >= file.bytes:
            part.unlink(missing_ok=True)
            offset = 0
        headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={offset}-"} if offset else {})
        try:
            with contextlib.closing(servers.open(file.url, headers)) as answer:
                _check_answer(file, answer)
                offset = offset if answer.status == 206 else 0
                length = int(answer.headers["Content-Length"]) if "Content-Length" in answer.headers else None
                digest = _digest_of(part) if offset else hashlib.sha256()
                tally.begin(file.name, offset)
                received = 0
                with part.open("ab" if offset else "wb") as sink:
                    for block in servers.blocks(answer):
                        sink.write(block)
                        digest.update(block)
                        received += len(block)
                        tally.block(file.name, len(block))
        except NETWORK_FAULTS as fault:
            raise _fault(file, type(fault).__name__) from None
        size = offset + received
        if (length is not None and received < length) or (file.bytes is not None and size < file.bytes):
            raise _fault(file, f"cut off after {size} bytes")
        if (file.bytes not in (None, size)) or (file.sha256 not in (None, digest.hexdigest())):
            part.unlink()
            raise ServiceFault(FaultKind.TRANSIENT, _CONTENT, "content differs from its digest", maybe_done=False)


def already_there(file: RemoteFile, target: Path) -> bool:
    """Return whether ``target`` holds the file with the digest that is asked for."""
    if file.sha256 is None:
        return False
    try:
        path = confined(target, file.name)
    except StorageError:
        return False
    with storage_errors(path):
        return (
            path.is_file()
            and path.stat().st_size == (file.bytes or path.stat().st_size)
            and (sha256_file(path) == file.sha256)
        )


def _digest_of(part: Path) -> hashlib._Hash:
    with part.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256")


def _check_answer(file: RemoteFile, answer: urllib3.BaseHTTPResponse) -> None:
    if answer.status not in (200, 206):
        raise ServiceFault(
            kind_of_status(answer.status),
            file.name,
            f"status {answer.status}",
            maybe_done=False,
            retry_after_s=retry_after(answer.headers.get("Retry-After")),
        )
    page = answer.headers.get("Content-Type", "").startswith("text/html") and not file.name.endswith((".html", ".htm"))
    if page:
        raise _fault(file, "an error page instead of the file")


def _fault(file: RemoteFile, found: str) -> ServiceFault:
    return ServiceFault(FaultKind.TRANSIENT, file.name, found, maybe_done=False)


def _check_space(target: Path, needed: int) -> None:
    with storage_errors(target):
        free = shutil.disk_usage(target).free
    if needed + _HEADROOM > free:
        raise StorageError(
            "There is not enough disk space for the results; nothing was downloaded.",
            where=target,
            expected=f"{(needed + _HEADROOM) / 1e6:.0f} MB",
            found=f"{free / 1e6:.0f} MB free",
            remedy="free some space, then run the same command again: the results are kept at Kaggle",
        )
