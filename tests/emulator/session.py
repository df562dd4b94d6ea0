"""One emulated session: the pushed script in a child process, with roots like those of the service."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

LACKING = """
import importlib.machinery, sys
class ImageFinder(importlib.machinery.PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        if path is None and name.split(".")[0] in {names!r}:
            path = [entry for entry in sys.path if "site-packages" not in entry]
        return super().find_spec(name, path, target)
sys.meta_path = [ImageFinder if finder is importlib.machinery.PathFinder else finder for finder in sys.meta_path]
"""
NO_INTERNET = """
import socket
def _refuse(*args, **kwargs):
    raise socket.gaierror(-3, "Temporary failure in name resolution")
socket.getaddrinfo = _refuse
"""

GPUS = """
import ctypes, sys
class Driver:
    def cuInit(self, flags):
        return 0
    def cuDeviceGetCount(self, count):
        count._obj.value = {count}
        return 0
class Loader(ctypes.CDLL):
    def __new__(cls, name, *args, **kwargs):  # for the kernel script only: other libraries would want more of it
        asked = name == "libcuda.so.1" and sys._getframe(1).f_globals.get("__name__") == "__main__"
        return Driver() if asked else super().__new__(cls)
ctypes.CDLL = Loader
"""


class EmulatedSession:
    """A child process with ``input``, ``working``, a log and a limit."""

    def __init__(
        self,
        folder: Path,
        script: str,
        mounts: Mapping[str, Path],
        *,
        limit_s: float | None,
        gpu: bool,
        internet: bool,
        queued_for: int,
        keep_output: bool,
        lacking: Sequence[str] = (),
        gpus: int = 2,
        clock: Callable[[], float] = time.time,
        time_scale: float = 1.0,
    ) -> None:
        self.folder = folder
        self.gpu = gpu
        self.timed_out = False
        self._clock, self._time_scale = clock, time_scale
        self.began, self.ended = clock(), math.inf
        self._queued_for = queued_for
        self._keep_output = keep_output
        self._custom = LACKING.format(names=tuple(lacking)) + ("" if internet else NO_INTERNET)
        self._custom += GPUS.format(count=gpus) if gpu and gpus else ""
        for name in ("input", "working", "src", "tmp"):
            (folder / name).mkdir(parents=True)
        for mount, source in mounts.items():
            place = folder / "input" / mount
            place.parent.mkdir(parents=True, exist_ok=True)
            _link_tree(source, place)
        (folder / "src" / "script.py").write_text(script, encoding="utf-8")
        self._process = self._start()
        threading.Thread(target=self._note_end, daemon=True).start()
        self._timer = threading.Timer(limit_s, self._expire) if limit_s else None
        if self._timer:
            self._timer.daemon = True
            self._timer.start()

    def _start(self) -> subprocess.Popen[bytes]:
        environ = {key: value for key, value in os.environ.items() if not key.startswith(("KAGGLE", "PYTHONPATH"))}
        environ |= {
            "VALIDATION_INPUT_ROOT": str(self.folder / "input"),
            "VALIDATION_WORKING_ROOT": str(self.folder / "working"),
            "TMPDIR": str(self.folder / "tmp"),
            "KAGGLE_KERNEL_RUN_TYPE": "Batch",
            "PYTHONUNBUFFERED": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        (self.folder / "src" / "sitecustomize.py").write_text(self._custom, encoding="utf-8")
        environ["PYTHONPATH"] = str(self.folder / "src")
        with (self.folder / "log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, str(self.folder / "src" / "script.py")],
                cwd=self.folder / "working",
                env=environ,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def _note_end(self) -> None:
        self._process.wait()
        self.ended = self._clock()

    def _expire(self) -> None:
        if self._process.poll() is None:
            self.timed_out = True
            self._process.kill()

    def stop(self) -> None:
        """End the process, if it still runs."""
        if self._timer:
            self._timer.cancel()
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    @property
    def lasted_s(self) -> float:
        """Time that the service counts: so much more than has passed as limits are shorter than they say [s]."""
        return (min(self._clock(), self.ended) - self.began) / self._time_scale

    def status(self) -> tuple[str, str]:
        """Return the state's name and a failure message, as the service words them."""
        if self._queued_for > 0:
            self._queued_for -= 1
            return "QUEUED", ""
        code = self._process.poll()
        if code is None:
            return "RUNNING", ""
        if self.timed_out:
            return "CANCEL_ACKNOWLEDGED", "Your notebook exceeded the max allowed execution duration."
        return ("COMPLETE", "") if code == 0 else ("ERROR", f"Your notebook exited with a non-zero code {code}.")

    def lines(self) -> list[str]:
        """Return the whole lines of the log so far."""
        text = (self.folder / "log").read_bytes().decode("utf-8", "replace")
        lines = text.split("\n")
        last = lines.pop()
        return [*lines, last] if last and not self.running else lines

    def log_blob(self) -> str:
        """Return the log as the listing gives it: a JSON array as text, empty while running."""
        if self.running:
            return ""
        return json.dumps([event(line, number) for number, line in enumerate(self.lines())])

    def outputs(self) -> list[str]:
        """Return the names of the output files; nothing while running."""
        if self.running or (self.timed_out and not self._keep_output):
            return []
        working = self.folder / "working"
        return sorted(path.relative_to(working).as_posix() for path in working.rglob("*") if path.is_file())


def event(line: str, number: int) -> dict[str, object]:
    return {"stream_name": "stdout", "time": float(number), "data": line + "\n"}


def _link_tree(source: Path, target: Path) -> None:
    for path in source.rglob("*"):
        if path.is_file():
            place = target / path.relative_to(source)
            place.parent.mkdir(parents=True, exist_ok=True)
            place.hardlink_to(path)
