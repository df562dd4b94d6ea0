"""The journal: what became of each session, written before each step.

One JSON document per session. Whoever runs next, after whatever happened, reads here how far the last one
came: a step that is written down may have happened or not, a step that is not written down has not begun.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from validation_ch7.errors import ConfigurationError, ValidationError, WorkspaceError
from validation_ch7.files import confined, make_folder, storage_errors
from validation_ch7.schema import Document, load_json, parse_document
from validation_ch7.session import Digest, Steps, write_document

_LOG = logging.getLogger(__name__)


class Phase(StrEnum):
    """How far a session has come; each is written before the step of this name is taken."""

    PLANNED = "planned"
    BUNDLED = "bundled"
    SUBMITTING = "submitting"
    """The backend is being asked; whether it has accepted is known only by asking it."""
    SUBMITTED = "submitted"
    FINISHED = "finished"
    DOWNLOADED = "downloaded"
    RESTORED = "restored"
    CLOSED = "closed"
    FAILED = "failed"

    @property
    def over(self) -> bool:
        """Whether nothing is left to do."""
        return self in (Phase.CLOSED, Phase.FAILED)


class JournalEvent(Document):
    """One step of a session."""

    phase: Phase
    time: str
    """UTC, ISO 8601."""
    note: str = ""


class JournalEntry(Document):
    """All that is known of one session."""

    format: Literal["validation-ch7-journal"] = "validation-ch7-journal"
    version: Literal[1] = 1
    session_id: str
    section: str
    scenario: str
    backend: str
    kernel_slug: str = ""
    created: str
    """UTC, ISO 8601."""
    number: int = 0
    """Which session of this workspace it is, from 1: the order that no clock can change; 0 in old journals."""
    phase: Phase = Phase.PLANNED
    ref: dict[str, str | int | None] | None = None
    """The backend's reference as plain data: ``dataclasses.asdict(ref)``, and back ``SessionRef(**entry.ref)``."""
    status: str = ""
    """Last state that the backend told, or the status of the session's summary."""
    steps_before: Steps = 0
    stop_at: Steps = 0
    target_steps: Steps = 0
    steps_after: Steps | None = None
    parent: Digest | None = None
    quick: bool = False
    session_limit: int | None = None
    """Steps that a session was allowed, or None where only target and clock ended it."""
    flags: dict[str, str] = Field(default_factory=dict)
    """Flags that named the chain when the session was begun; a file with its whole path."""
    error: str | None = None
    results_dir: str | None = None
    restored_files: tuple[str, ...] = ()
    history: tuple[JournalEvent, ...] = ()


@dataclass(frozen=True)
class JournalFault:
    """One journal file that cannot be read; it stays where it is."""

    path: Path
    reason: str


def utc_text(seconds: float) -> str:
    """Return a time in UTC as this project writes it.

    >>> utc_text(0.5)
    '1970-01-01T00:00:00.500Z'
    """
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}.{int(seconds * 1000) % 1000:03d}Z"


class Journal:
    """The sessions of one workspace.

    Args:
        folder: where the documents lie; ``<workspace>/validation_output/sessions``.
        clock: the time of now [s since the epoch].
    """

    def __init__(self, folder: Path, clock: Callable[[], float] = time.time) -> None:
        self.folder = folder
        self._clock = clock

    def now(self) -> str:
        """Return the time of now, as entries write it."""
        return utc_text(self._clock())

    def record(self, entry: JournalEntry, note: str = "") -> JournalEntry:
        """Write ``entry`` durably, with its phase added to its history, and return it as written.

        Raises:
            StorageError: it cannot be written; what was there before is intact.
        """
        event = JournalEvent(phase=entry.phase, time=self.now(), note=note)
        path = self._path(entry.session_id)
        new = not entry.number and not path.exists()
        number = 1 + max((known.number for known in self._scan()[0]), default=0) if new else entry.number
        written = entry.model_copy(update={"history": (*entry.history, event), "number": number})
        make_folder(self.folder)
        self._set_aside_unreadable(path)
        write_document(path, written)
        return written

    def advance(self, session_id: str, phase: Phase | str, note: str = "", **changes: Any) -> JournalEntry:
        """Write that ``session_id`` goes on to ``phase``, with fields changed by name, and return the new entry.

        Raises:
            ConfigurationError: a field does not exist or has a wrong value.
            WorkspaceError: the session is not in the journal, or its entry cannot be read.
        """
        entry = _read(self._path(session_id))
        data = {**entry.model_dump(), **changes, "phase": phase}
        return self.record(parse_document(JournalEntry, data, f"journal of {session_id}"), note)

    def get(self, session_id: str) -> JournalEntry | None:
        """Return the entry of one session, or None if there is none or it cannot be read."""
        return next((entry for entry in self.entries() if entry.session_id == session_id), None)

    def submitted(self, name: str) -> JournalEntry:
        """Return the submitted session with this id or kernel slug.

        Raises:
            ConfigurationError: there is none.
        """
        for entry in self.entries():
            if name in (entry.session_id, entry.kernel_slug) and entry.ref:
                return entry
        raise ConfigurationError(
            "No session of this name was submitted from here.",
            where=self.folder,
            expected="a session id or a kernel slug of the journal",
            found=name,
            remedy="list them with: python -m validation_ch7 status",
        )

    def entries(self) -> list[JournalEntry]:
        """Return all entries that can be read, newest first; the others are logged, see :meth:`faults`."""
        entries, faults = self._scan()
        for fault in faults:
            _LOG.warning("A journal file cannot be read and is left as it is: %s: %s", fault.path, fault.reason)
        return entries

    def faults(self) -> list[JournalFault]:
        """Return the journal files that cannot be read."""
        return self._scan()[1]

    def unfinished(self, section: str, scenario: str) -> list[JournalEntry]:
        """Return the sessions of this chain with something left to do, newest first."""
        return [entry for entry in self._chain(section, scenario) if not entry.phase.over]

    def latest(self, section: str, scenario: str) -> JournalEntry | None:
        """Return the newest session of this chain, or None."""
        return next(iter(self._chain(section, scenario)), None)

    def _chain(self, section: str, scenario: str) -> list[JournalEntry]:
        return [entry for entry in self.entries() if (entry.section, entry.scenario) == (section, scenario)]

    def _path(self, session_id: str) -> Path:
        return confined(self.folder, f"{session_id}.json")

    def _scan(self) -> tuple[list[JournalEntry], list[JournalFault]]:
        entries: list[JournalEntry] = []
        faults: list[JournalFault] = []
        for path in sorted(self.folder.glob("[!.]*.json")) if self.folder.is_dir() else []:
            try:
                entries.append(_read(path))
            except ValidationError as fault:
                faults.append(JournalFault(path, str(fault.found)))
        return sorted(entries, key=lambda entry: (entry.number, entry.created, entry.session_id), reverse=True), faults

    def _set_aside_unreadable(self, path: Path) -> None:
        if not path.exists():
            return
        try:
            _read(path)
        except ValidationError:
            with storage_errors(path):
                path.replace(path.with_name(f"{path.name}.unreadable-{int(self._clock() * 1000)}"))


def _read(path: Path) -> JournalEntry:
    entry = parse_document(
        JournalEntry,
        load_json(path, WorkspaceError),
        path,
        WorkspaceError,
        "the file is left as it is: repair or remove it",
    )
    if path.name != f"{entry.session_id}.json":
        raise WorkspaceError("A journal file has another session's name.", where=path, found=entry.session_id)
    return entry
