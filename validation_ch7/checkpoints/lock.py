"""One writer at a time on one tree, and a clear word about who it is."""

from __future__ import annotations

import contextlib
import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import psutil
from filelock import FileLock, Timeout

from validation_ch7.checkpoints.manifest import utc_now
from validation_ch7.errors import WorkspaceLockedError
from validation_ch7.files import make_folder, storage_errors

LOCK_NAME = ".lock"
OWNER_NAME = ".lock-owner.json"


@contextlib.contextmanager
def exclusive(folder: Path, purpose: str) -> Iterator[None]:
    """Hold ``folder`` for this process; the system releases it when the process dies, however it dies.

    Raises:
        WorkspaceLockedError: another process holds it; says which one.
    """
    make_folder(folder)
    lock = FileLock(folder / LOCK_NAME, timeout=0)
    with storage_errors(folder / LOCK_NAME):
        try:
            lock.acquire()
        except Timeout:
            raise _locked(folder) from None
    try:
        owner = {"pid": os.getpid(), "host": socket.gethostname(), "since": utc_now(), "purpose": purpose}
        with storage_errors(folder / OWNER_NAME):
            (folder / OWNER_NAME).write_text(json.dumps(owner), encoding="utf-8")
        yield
    finally:
        with contextlib.suppress(OSError):
            (folder / OWNER_NAME).unlink(missing_ok=True)
        lock.release()


def owner_of(folder: Path) -> str | None:
    """Return who holds ``folder``, or None where nobody does, or somebody of this machine who is dead."""
    try:
        owner = json.loads((folder / OWNER_NAME).read_text(encoding="utf-8"))
        gone = owner["host"] == socket.gethostname() and not psutil.pid_exists(int(owner["pid"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return None if gone else _owner(folder)


def _locked(folder: Path) -> WorkspaceLockedError:
    return WorkspaceLockedError(
        "Another process works on this tree; two would overwrite each other's checkpoints.",
        where=folder,
        found=_owner(folder),
        remedy="wait until it has ended, or give this run another --workspace",
    )


def _owner(folder: Path) -> str:
    try:
        owner = json.loads((folder / OWNER_NAME).read_text(encoding="utf-8"))
        return f"process {owner['pid']} on {owner['host']}, since {owner['since']}: {owner['purpose']}"
    except (OSError, ValueError, KeyError, TypeError):
        return "a process that did not say its name"
