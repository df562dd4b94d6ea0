"""Where sessions run: the one interface that the manager knows, and the values that pass through it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Protocol


class SessionState(StrEnum):
    """What a backend says of a session."""

    QUEUED = "queued"
    RUNNING = "running"
    COMPLETE = "complete"
    """The script ended with exit status 0."""
    ERROR = "error"
    """The script failed or was killed."""
    TIMEOUT = "timeout"
    """The backend stopped it at its limit."""
    CANCELLED = "cancelled"
    UNKNOWN = "unknown"
    """The backend gave no usable answer this time; ask again."""

    @property
    def terminal(self) -> bool:
        """Whether the session can change no more."""
        return self in _TERMINAL


_TERMINAL = frozenset({SessionState.COMPLETE, SessionState.ERROR, SessionState.TIMEOUT, SessionState.CANCELLED})


@dataclass(frozen=True)
class SessionRequest:
    """One session to run."""

    session_id: str
    section: str
    title: str
    """Readable name from which the slug is derived."""
    script: str
    """Source of the kernel script."""
    bundle: Path
    bundle_sha256: str
    limit_s: float
    """Wall time after which the backend may kill the session [s]."""
    gpu: bool = True
    relay: bool = False
    """Whether two kernels take turns, each reading the other's output; backends without kernels ignore it."""
    carries: bool = True
    """Whether the bundle is made for this session alone; else it carries code only, the same for all of a relay."""
    parent_kernel: str = ""
    """Kernel whose output holds what the session resumes from, where the bundle does not carry it."""
    detached: bool = False
    """Whether a session on this machine outlives a kill of its starter's process group."""


@dataclass(frozen=True)
class SessionRef:
    """What is needed to find a session again, from another process and another day; plain data."""

    backend: str
    session_id: str
    kernel_slug: str
    """``owner/kernel``"""
    version: int | None = None
    location: str = ""
    """What the backend alone understands: a folder, a URL, a task id."""

    @property
    def results_name(self) -> str:
        """Folder name for its results: ``<owner>_<kernel>``, of a later version ``<owner>_<kernel>_v<N>``."""
        later = f"_v{self.version}" if self.version and self.version > 1 else ""
        return self.kernel_slug.replace("/", "_") + later


@dataclass(frozen=True)
class SessionStatus:
    """One answer of the backend."""

    state: SessionState
    message: str = ""


@dataclass(frozen=True)
class FetchReport:
    """What a download brought."""

    folder: Path
    files: tuple[str, ...]
    """POSIX names relative to ``folder``."""
    complete: bool
    """Whether the output manifest is there and every file matches it."""
    faults: tuple[str, ...] = ()
    unreachable: bool = False
    """Whether a file is there and could not be brought now: asking again later may help."""


class Backend(Protocol):
    """A place where sessions run.

    Every method may raise :class:`validation_ch7.errors.BackendError`; ``submit`` may also raise
    :class:`validation_ch7.errors.RefusedError`.
    """

    name: str

    def submit(self, request: SessionRequest) -> SessionRef:
        """Start the session once; submitting a known ``session_id`` again returns the first one's reference."""
        ...

    def find(self, session_id: str) -> SessionRef | None:
        """Return the session that was submitted under this id, or None if there is none."""
        ...

    def status(self, ref: SessionRef) -> SessionStatus:
        """Return its state now; a passing fault is ``UNKNOWN``, not an exception."""
        ...

    def logs(self, ref: SessionRef, seen: int) -> list[str]:
        """Return the log lines after the first ``seen``, as far as the backend has them now."""
        ...

    def fetch(self, ref: SessionRef, target: Path) -> FetchReport:
        """Bring the outputs into ``target``; files that are already there with the right digest stay."""
        ...

    def cancel(self, ref: SessionRef) -> None:
        """Ask the session to stop; does nothing where it has ended or cannot be stopped."""
        ...
