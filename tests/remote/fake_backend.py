"""A backend in memory: answers from a script, forgets nothing, counts every call."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from validation_ch7.errors import ValidationError
from validation_ch7.files import json_bytes, sha256_bytes
from validation_ch7.remote.backend import FetchReport, SessionRef, SessionRequest, SessionState, SessionStatus
from validation_ch7.remote.collect import collect
from validation_ch7.session import OUTPUT_MANIFEST_NAME, OutputFile, OutputManifest

ENDED_WELL = (SessionStatus(SessionState.COMPLETE),)


@dataclass
class FakeSession:
    request: SessionRequest
    answers: list[SessionStatus]
    lines: list[str] = field(default_factory=lambda: ["one", "two"])
    cancelled: bool = False


class FakeBackend:
    """Implements the Backend protocol without processes.

    ``answers`` are given one per status call, the last one for ever. ``outputs`` are the session's files; with
    ``manifest`` they are listed in an output manifest. ``faults`` maps a method's name to errors that its next
    calls raise; a fault of ``submit`` named "lost" is raised after the session was accepted.
    """

    name = "fake"

    def __init__(
        self,
        folder: Path,
        answers: tuple[SessionStatus, ...] = ENDED_WELL,
        outputs: dict[str, bytes] | None = None,
        manifest: bool = True,
        faults: dict[str, list[ValidationError]] | None = None,
    ) -> None:
        self.folder = folder
        self.answers = answers
        self.outputs = {"session_summary.json": b"{}"} if outputs is None else outputs
        self.manifest = manifest
        self.faults = faults or {}
        self.sessions: dict[str, FakeSession] = {}
        self.calls: Counter[str] = Counter()

    def submit(self, request: SessionRequest) -> SessionRef:
        self._call("submit")
        if request.session_id not in self.sessions:
            self.sessions[request.session_id] = FakeSession(request, list(self.answers))
            self._write_outputs(request)
        self._call("lost")
        return self._ref(request.session_id)

    def find(self, session_id: str) -> SessionRef | None:
        self._call("find")
        return self._ref(session_id) if session_id in self.sessions else None

    def status(self, ref: SessionRef) -> SessionStatus:
        self._call("status")
        session = self.sessions[ref.session_id]
        if session.cancelled:
            return SessionStatus(SessionState.CANCELLED)
        return session.answers.pop(0) if len(session.answers) > 1 else session.answers[0]

    def logs(self, ref: SessionRef, seen: int) -> list[str]:
        self._call("logs")
        return self.sessions[ref.session_id].lines[seen:]

    def fetch(self, ref: SessionRef, target: Path) -> FetchReport:
        self._call("fetch")
        log = self.folder / ref.session_id / "session.log"
        log.write_text("\n".join(self.sessions[ref.session_id].lines) + "\n", encoding="utf-8")
        return collect(self.folder / ref.session_id / "working", target, log=log)

    def cancel(self, ref: SessionRef) -> None:
        self._call("cancel")
        session = self.sessions[ref.session_id]
        session.cancelled = not session.answers[0].state.terminal

    def _call(self, name: str) -> None:
        self.calls[name] += 1
        if self.faults.get(name):
            raise self.faults[name].pop(0)

    def _ref(self, session_id: str) -> SessionRef:
        return SessionRef(self.name, session_id, f"fake/{session_id}", version=1)

    def _write_outputs(self, request: SessionRequest) -> None:
        folder = self.folder / request.session_id / "working" / request.section
        for name, data in self.outputs.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(data)
        if self.manifest:
            files = {
                name: OutputFile(bytes=len(data), sha256=sha256_bytes(data)) for name, data in self.outputs.items()
            }
            document = OutputManifest(session_id=request.session_id, files=files)
            folder.mkdir(parents=True, exist_ok=True)
            (folder / OUTPUT_MANIFEST_NAME).write_bytes(json_bytes(document.model_dump(mode="json")))
