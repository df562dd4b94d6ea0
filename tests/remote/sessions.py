"""Sessions for tests: real bundles and real scripts around a stub of the training."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from validation_ch7.remote.backend import Backend, SessionRef, SessionRequest, SessionState, SessionStatus
from validation_ch7.remote.bundle import Bundle, build_bundle
from validation_ch7.remote.kernel_script import render_kernel_script
from validation_ch7.session import SessionPlan

SECTION = "section_7_6_rl_performance"
SCENARIO = "traffic_light_control"


def make_code_root(folder: Path) -> Path:
    """Make a project whose training is the stub."""
    training = folder / "validation_ch7" / "training"
    training.mkdir(parents=True, exist_ok=True)
    (folder / "validation_ch7" / "__init__.py").write_text("", encoding="utf-8")
    (training / "__init__.py").write_text("", encoding="utf-8")
    shutil.copy(Path(__file__).with_name("stub_session.py"), training / "run_session.py")
    return folder


def make_plan(session_id: str = "session-1", **changes: Any) -> SessionPlan:
    facts = {"config": {}, "stop_at": 100, "target_steps": 1000, "limit_s": 600.0, **changes}
    return SessionPlan(session_id=session_id, section=SECTION, scenario=SCENARIO, **facts)


def make_bundle(
    folder: Path,
    session_id: str = "session-1",
    files: Mapping[str, Path] | None = None,
    wheels: Sequence[Path] = (),
    **config: Any,
) -> Bundle:
    return build_bundle(
        folder / session_id / "validation_session.bundle",
        plan=make_plan(session_id, config=config),
        code_root=make_code_root(folder / "code"),
        files=files,
        wheels=wheels,
    )


def make_request(
    folder: Path,
    session_id: str = "session-1",
    *,
    limit_s: float = 600.0,
    files: Mapping[str, Path] | None = None,
    wheels: Sequence[Path] = (),
    **config: Any,
) -> SessionRequest:
    bundle = make_bundle(folder, session_id, files, wheels, **config)
    return SessionRequest(
        session_id=session_id,
        section=SECTION,
        title=f"Validation {session_id}",
        script=render_kernel_script(session_id, bundle.sha256, SECTION),
        bundle=bundle.path,
        bundle_sha256=bundle.sha256,
        limit_s=limit_s,
        gpu=False,
    )


def until_over(backend: Backend, ref: SessionRef, timeout_s: float = 60.0) -> SessionStatus:
    """Return the last status of a session that runs in a process of its own."""
    pause = threading.Event()
    for _ in range(int(timeout_s / 0.02)):
        status = backend.status(ref)
        if status.state.terminal:
            return status
        pause.wait(0.02)
    raise AssertionError(f"still {backend.status(ref)} after {timeout_s} s: {backend.logs(ref, 0)}")


def until_running(backend: Backend, ref: SessionRef, line: str = "stub session begins") -> None:
    """Return once the session has printed ``line``."""
    pause = threading.Event()
    for _ in range(3000):
        if any(line in text for text in backend.logs(ref, 0)):
            assert backend.status(ref).state is SessionState.RUNNING
            return
        pause.wait(0.02)
    raise AssertionError(f"never began: {backend.status(ref)} {backend.logs(ref, 0)}")
