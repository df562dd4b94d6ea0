"""Sessions as child processes: the same bundle and the same script as anywhere else, in a folder of their own.

::

    <workspace>/validation_output/local_sessions/<session_id>/
        input/validation_session.bundle    what $VALIDATION_INPUT_ROOT names
        working/<section>/…                what $VALIDATION_WORKING_ROOT names
        kernel.py                          the script
        process.json                       intent first, then process id and creation time, then how it ended
        session.log                        standard output and error

The child stays in the process group of its starter, so Ctrl-C and a kill of the group reach both; a detached one
has a group of its own, so that a notebook can be closed while it trains. When only
the starter dies, the session goes on, and whoever looks next finds it by what process.json says.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import psutil

from validation_ch7.errors import BackendError, ConfigurationError, SessionFailedError, SessionGoneError
from validation_ch7.files import commit_bytes, link_or_copy, make_folder, storage_errors
from validation_ch7.remote.backend import FetchReport, SessionRef, SessionRequest, SessionState, SessionStatus
from validation_ch7.remote.bundle import BUNDLE_NAME
from validation_ch7.remote.collect import collect
from validation_ch7.remote.local_process import (
    LocalProcess,
    alive,
    find_by_script,
    kill,
    read_process,
    terminate,
)
from validation_ch7.remote.slug import session_slug
from validation_ch7.session import LOG_NAME, SummaryStatus, read_output_manifest, read_summary

_SESSION_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,119}")
CODE_FOLDER = ".code"
"""Code of the sessions, one folder for each version, so that compiled kernels are found again."""
KEPT_SESSIONS = 5
KEPT_CODES = 3
_GOOD = frozenset({SummaryStatus.COMPLETED, SummaryStatus.STOPPED_AT_DEADLINE, SummaryStatus.ALREADY_COMPLETE})


class LocalBackend:
    """Runs sessions on this machine.

    Args:
        workspace: the folder under which the sessions' folders lie.
        clock: the time of now [s since the epoch].
        python: the interpreter of the sessions.
        environ: the environment that sessions inherit; default: that of this process.
        grace_s: time between the request to stop at the limit and the end by force [s].
    """

    name = "local"

    def __init__(
        self,
        workspace: Path,
        *,
        clock: Callable[[], float] = time.time,
        python: str = sys.executable,
        environ: Mapping[str, str] | None = None,
        grace_s: float = 30.0,
    ) -> None:
        self._root = workspace.resolve() / "validation_output" / "local_sessions"
        self._clock = clock
        self._python = python
        self._environ = environ
        self._grace_s = grace_s
        self._children: dict[str, subprocess.Popen[bytes]] = {}

    def submit(self, request: SessionRequest) -> SessionRef:
        """Start the session once; submitting a known ``session_id`` again returns the first one's reference.

        Raises:
            StorageError: its folder cannot be written.
            BackendError: the process cannot be started.
        """
        folder = self._folder(request.session_id)
        known = read_process(folder)
        if known is not None and (known.pid is not None or find_by_script(folder / "kernel.py")):
            return self._ref(known)
        self._sweep()
        for name in ("input", "working", "scratch"):
            make_folder(folder / name)
        with storage_errors(folder):
            (folder / "input" / BUNDLE_NAME).unlink(missing_ok=True)
            link_or_copy(request.bundle, folder / "input" / BUNDLE_NAME)
        commit_bytes(folder / "kernel.py", request.script.encode("utf-8"))
        intent = LocalProcess(
            session_id=request.session_id,
            section=request.section,
            kernel_slug=f"local/{session_slug(request.section, request.session_id)}",
            bundle_sha256=request.bundle_sha256,
            limit_s=request.limit_s,
            submitted=self._clock(),
        )
        intent.write(folder)
        return self._ref(self._start(folder, intent, request.detached))

    def find(self, session_id: str) -> SessionRef | None:
        """Return the session that was submitted under this id, or None if there is none."""
        folder = self._folder(session_id)
        process = read_process(folder)
        if process is None or (process.pid is None and find_by_script(folder / "kernel.py") is None):
            return None
        return self._ref(process)

    def status(self, ref: SessionRef) -> SessionStatus:
        """Return its state now, and stop it where it has passed its limit."""
        folder = self._folder(ref.session_id)
        process, running = self._observe(folder)
        if process is None:
            return SessionStatus(SessionState.ERROR, f"no process was ever started in {folder}")
        if running is not None and process.exit_code is None:
            self._enforce_limit(folder, process, running)
            return SessionStatus(SessionState.RUNNING, f"process {process.pid}")
        return _verdict(folder, process)

    def logs(self, ref: SessionRef, seen: int) -> list[str]:
        """Return the whole log lines after the first ``seen``."""
        path = self._folder(ref.session_id) / LOG_NAME
        if not path.is_file():
            return []
        with storage_errors(path):
            lines = path.read_bytes().decode("utf-8", "replace").replace("\r\n", "\n").split("\n")
        last = lines.pop()
        if last and self.status(ref).state.terminal:
            lines.append(last)
        return lines[seen:]

    def fetch(self, ref: SessionRef, target: Path) -> FetchReport:
        """Bring the outputs into ``target``; files that are already there with the right digest stay."""
        folder = self._folder(ref.session_id)
        if not folder.is_dir():
            raise SessionGoneError(
                "The session's folder is not there any more.",
                where=folder,
                remedy="run the same command again: it starts from the newest checkpoint that was restored",
            )
        report = collect(folder / "working", target, log=folder / LOG_NAME)
        if self.status(ref).state.terminal:
            for name in ("scratch", "input"):
                shutil.rmtree(folder / name, ignore_errors=True)
        return report

    def cancel(self, ref: SessionRef) -> None:
        """Ask the session to stop; does nothing where it has ended."""
        folder = self._folder(ref.session_id)
        process, running = self._observe(folder)
        if process and running and process.exit_code is None:
            process.model_copy(update={"cancelled": True}).write(folder)
            terminate(running)

    def _sweep(self) -> None:
        """Remove the folders of old sessions whose results were fetched, and code that nobody ran lately."""
        if not self._root.is_dir():
            return
        ended = [path for path in self._root.iterdir() if path.name != CODE_FOLDER and self._fetched(path)]
        codes = [path for path in (self._root / CODE_FOLDER).glob("[!.]*") if path.is_dir()]
        for paths, keep in ((ended, KEPT_SESSIONS), (codes, KEPT_CODES)):
            for path in sorted(paths, key=lambda path: path.stat().st_mtime, reverse=True)[keep:]:
                shutil.rmtree(path, ignore_errors=True)

    def _fetched(self, folder: Path) -> bool:
        try:
            process = read_process(folder)
        except SessionFailedError:
            return False  # damaged: whoever fetches it is told, and a new session is not
        ended = process is not None and process.pid is not None and alive(process, folder / "kernel.py") is None
        return ended and not (folder / "input").exists()  # fetch() removes it when it has brought everything

    def _folder(self, session_id: str) -> Path:
        if not _SESSION_ID.fullmatch(session_id):
            raise ConfigurationError(
                "A session's name cannot be used as a folder.",
                where="session_id",
                expected="letters, digits, dot, dash and underscore",
                found=repr(session_id),
            )
        return self._root / session_id

    def _ref(self, process: LocalProcess) -> SessionRef:
        folder = self._folder(process.session_id)
        return SessionRef(self.name, process.session_id, process.kernel_slug, location=str(folder))

    def _start(self, folder: Path, intent: LocalProcess, detached: bool) -> LocalProcess:
        environ = dict(os.environ if self._environ is None else self._environ)
        code = Path(environ.setdefault("VALIDATION_CODE_ROOT", str(self._root / CODE_FOLDER)))
        make_folder(code)  # whoever runs many chains gives them one, so that kernels are compiled once
        environ |= {
            "VALIDATION_INPUT_ROOT": str(folder / "input"),
            "VALIDATION_WORKING_ROOT": str(folder / "working"),
            "VALIDATION_SCRATCH_ROOT": str(folder / "scratch"),
            "PYTHONUNBUFFERED": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        try:
            with (folder / LOG_NAME).open("ab") as log:
                child = subprocess.Popen(
                    [self._python, str(folder / "kernel.py")],
                    cwd=folder / "working",
                    env=environ,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=detached,
                    creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0) if detached else 0,
                )
        except OSError as fault:
            raise BackendError(
                "The process of the session cannot be started.",
                where=self._python,
                found=str(fault),
                remedy="check this Python installation and the free memory, then run the same command again",
            ) from fault
        self._children[intent.session_id] = child
        started = intent.model_copy(update={"pid": child.pid, "created": _created(child.pid, self._clock())})
        started.write(folder)
        return started

    def _observe(self, folder: Path) -> tuple[LocalProcess | None, psutil.Process | None]:
        """Return what is known of the session, after adding what can be learned now, and its process while it runs."""
        process = read_process(folder)
        if process is None:
            return None, None
        if process.pid is None and (found := find_by_script(folder / "kernel.py")):
            process = process.model_copy(update={"pid": found.pid, "created": found.create_time()})
            process.write(folder)
        running = alive(process, folder / "kernel.py")
        if running is None:  # only now is it asked how it ended, so that there is an answer
            process = read_process(folder) or process  # another one may have seen the end, or asked for it
            child = self._children.get(process.session_id)
            if process.exit_code is None and child is not None and child.poll() is not None:
                process = process.model_copy(update={"exit_code": child.returncode})
                process.write(folder)
        return process, running

    def _enforce_limit(self, folder: Path, process: LocalProcess, running: psutil.Process) -> None:
        used_s = self._clock() - (process.created or process.submitted)
        if used_s <= process.limit_s:
            return
        if not process.timed_out:
            process.model_copy(update={"timed_out": True}).write(folder)
            terminate(running)
        elif used_s > process.limit_s + self._grace_s:
            kill(running)


def _created(pid: int, now: float) -> float:
    try:
        return psutil.Process(pid).create_time()
    except psutil.Error:
        return now


def _verdict(folder: Path, process: LocalProcess) -> SessionStatus:
    """Return how a session that runs no more has ended."""
    if process.exit_code == 0 or (process.exit_code is None and _left_everything(folder, process)):
        return SessionStatus(SessionState.COMPLETE)
    ended = "exit status unknown" if process.exit_code is None else f"exit status {process.exit_code}"
    if process.timed_out:
        return SessionStatus(SessionState.TIMEOUT, f"stopped at its limit of {process.limit_s:.0f} s, {ended}")
    if process.cancelled:
        return SessionStatus(SessionState.CANCELLED, ended)
    return SessionStatus(SessionState.ERROR, f"{ended}, see {folder / LOG_NAME}")


def _left_everything(folder: Path, process: LocalProcess) -> bool:
    """Return whether the outputs say that a session ended well whose exit status nobody saw."""
    outputs = folder / "working" / process.section
    try:
        summary = read_summary(outputs)
        return summary is not None and summary.status in _GOOD and read_output_manifest(outputs) is not None
    except SessionFailedError:
        return False
