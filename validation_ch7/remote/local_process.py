"""The process of a local session: what is written down of it, and whether it still lives.

A process is named by its id and its creation time; the id alone may belong to somebody else tomorrow.
"""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Annotated

import psutil
from pydantic import Field

from validation_ch7.errors import SessionFailedError
from validation_ch7.schema import Document, load_json, parse_document
from validation_ch7.session import Digest, write_document

PROCESS_NAME = "process.json"
_TOLERANCE_S = 2.0


class LocalProcess(Document):
    """What is known of the process of one session."""

    session_id: str
    section: str
    kernel_slug: str
    bundle_sha256: Digest
    limit_s: Annotated[float, Field(gt=0)]
    submitted: float
    """Time of the intent, which is written before the process is started [s since the epoch]."""
    pid: int | None = None
    created: float | None = None
    """Creation time of the process, as the system tells it [s since the epoch]."""
    exit_code: int | None = None
    """Known only where the process that started the session saw its end."""
    cancelled: bool = False
    timed_out: bool = False

    def write(self, folder: Path) -> None:
        """Write this document into the session's folder."""
        write_document(folder / PROCESS_NAME, self)


def read_process(folder: Path) -> LocalProcess | None:
    """Return what is known of the session in ``folder``, or None where none was submitted.

    Raises:
        SessionFailedError: the document is malformed.
    """
    path = folder / PROCESS_NAME
    if not path.is_file():
        return None
    return parse_document(LocalProcess, load_json(path, SessionFailedError), path, SessionFailedError)


def alive(process: LocalProcess, script: Path) -> psutil.Process | None:
    """Return the running process of the session, or None where it has ended or its id has another owner.

    Systems tell creation times by a clock that may be set meanwhile; the script that the process runs may not.
    """
    if process.pid is None or process.created is None:
        return None
    try:
        found = psutil.Process(process.pid)
        same = abs(found.create_time() - process.created) <= _TOLERANCE_S or str(script) in found.cmdline()
        return found if same and found.status() != psutil.STATUS_ZOMBIE else None
    except psutil.Error:
        return None


def find_by_script(script: Path) -> psutil.Process | None:
    """Return the process that runs ``script``; how a session is found whose starter died before writing its id."""
    for found in psutil.process_iter():
        try:
            if str(script) in found.cmdline() and found.status() != psutil.STATUS_ZOMBIE:
                return found
        except psutil.Error:
            continue
    return None


def terminate(found: psutil.Process) -> None:
    """Ask the process to stop; where the system knows no such request (Windows) it is ended."""
    with contextlib.suppress(psutil.Error):
        found.terminate()


def kill(found: psutil.Process) -> None:
    """End the process and everything that it started."""
    with contextlib.suppress(psutil.Error):
        for child in [*found.children(recursive=True), found]:
            with contextlib.suppress(psutil.Error):
                child.kill()
