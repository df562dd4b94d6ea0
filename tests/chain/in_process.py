"""A backend that runs the real session in this process, at once: the chain without the cost of processes."""

import json
from pathlib import Path

from validation_ch7.errors import BackendError
from validation_ch7.remote.backend import FetchReport, SessionRef, SessionRequest, SessionState, SessionStatus
from validation_ch7.remote.bundle import unpack_bundle
from validation_ch7.remote.collect import collect
from validation_ch7.training.run_session import run_session


class InProcessBackend:
    """Runs a session inside ``submit``; what it knows lies on the disk, so a second one finds it again."""

    name = "local"

    def __init__(self, root: Path, fail_with: str | None = None) -> None:
        self.root = root
        self.fail_with = fail_with
        self.submitted: list[SessionRequest] = []

    def submit(self, request: SessionRequest) -> SessionRef:
        found = self.find(request.session_id)
        if found is not None:
            return found
        self.submitted.append(request)
        folder = self.root / request.session_id
        unpack_bundle(request.bundle, folder / "scratch", request.bundle_sha256)
        code = 1
        if self.fail_with is None:
            code = run_session(
                folder / "scratch" / "session_plan.json", folder / "scratch" / "checkpoints", folder / "working", {}
            )
        (folder / "exit.json").write_text(json.dumps(code))
        return self._ref(request.session_id)

    def _ref(self, session_id: str) -> SessionRef:
        return SessionRef(self.name, session_id, f"local/{session_id}")

    def find(self, session_id: str) -> SessionRef | None:
        return self._ref(session_id) if (self.root / session_id / "exit.json").exists() else None

    def status(self, ref: SessionRef) -> SessionStatus:
        code = json.loads((self.root / ref.session_id / "exit.json").read_text())
        state = SessionState.COMPLETE if code == 0 else SessionState.ERROR
        return SessionStatus(state, self.fail_with or f"exit status {code}")

    def logs(self, ref: SessionRef, seen: int) -> list[str]:
        return []

    def fetch(self, ref: SessionRef, target: Path) -> FetchReport:
        return collect(self.root / ref.session_id / "working", target)

    def cancel(self, ref: SessionRef) -> None:
        raise BackendError("an in-process session has ended when submit returns")
