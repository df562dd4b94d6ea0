from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import psutil
import pytest

from tests.remote.sessions import SECTION, make_request, until_over, until_running
from validation_ch7.errors import BackendError, ConfigurationError, StorageError
from validation_ch7.remote import local
from validation_ch7.remote.backend import SessionRef, SessionState
from validation_ch7.remote.local import LocalBackend
from validation_ch7.remote.local_process import read_process

posix = pytest.mark.skipif(os.name == "nt", reason="signals")


class MovableClock:
    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead


@pytest.fixture
def backend(tmp_path):
    return LocalBackend(tmp_path / "workspace")


def folder_of(ref: SessionRef) -> Path:
    return Path(ref.location)


def test_failed_session_is_an_error_that_names_its_log(backend, tmp_path):
    ref = backend.submit(make_request(tmp_path, exit=4))
    status = until_over(backend, ref)
    assert status.state is SessionState.ERROR
    assert "exit status 4" in status.message
    assert "session.log" in status.message


def test_session_of_a_dead_manager_is_followed_to_its_end_by_another(tmp_path):
    request = make_request(tmp_path, wait_for=str(tmp_path / "go"))
    manager = textwrap.dedent("""
        import os, pickle, sys
        from pathlib import Path
        from validation_ch7.remote.local import LocalBackend
        request = pickle.loads(Path(sys.argv[2]).read_bytes())
        LocalBackend(Path(sys.argv[1])).submit(request)
        os._exit(9)
    """)
    import pickle

    (tmp_path / "request").write_bytes(pickle.dumps(request))
    subprocess.run([sys.executable, "-c", manager, str(tmp_path / "workspace"), str(tmp_path / "request")], timeout=60)
    backend = LocalBackend(tmp_path / "workspace")
    ref = backend.find(request.session_id)
    assert ref is not None
    until_running(backend, ref)
    assert backend.submit(request) == ref
    (tmp_path / "go").touch()
    assert until_over(backend, ref).state is SessionState.COMPLETE
    assert backend.fetch(ref, tmp_path / "results").complete


def test_end_that_nobody_saw_is_judged_by_the_outputs(backend, tmp_path):
    request = make_request(tmp_path, no_manifest=True)
    ref = backend.submit(request)
    until_over(backend, ref)
    process = read_process(folder_of(ref))
    process.model_copy(update={"exit_code": None}).write(folder_of(ref))
    status = LocalBackend(tmp_path / "workspace").status(ref)
    assert status.state is SessionState.ERROR
    assert "exit status unknown" in status.message


@posix
def test_exit_status_is_known_where_the_session_ends_while_one_looks(backend, tmp_path, monkeypatch):
    ref = backend.submit(make_request(tmp_path, wait_for=str(tmp_path / "go"), exit=4))
    real = local.alive

    def ends_just_before(process, script):
        (tmp_path / "go").touch()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # without taking the status from whoever asks next
        return real(process, script)

    monkeypatch.setattr(local, "alive", ends_just_before)
    status = backend.status(ref)
    assert status.state is SessionState.ERROR
    assert "exit status 4" in status.message


def test_another_process_with_the_same_id_is_not_taken_for_the_session(backend, tmp_path):
    ref = backend.submit(make_request(tmp_path))
    until_over(backend, ref)
    process = read_process(folder_of(ref))
    stranger = psutil.Process()
    process.model_copy(update={"pid": stranger.pid, "created": stranger.create_time() - 100, "exit_code": None}).write(
        folder_of(ref)
    )
    assert LocalBackend(tmp_path / "workspace").status(ref).state is SessionState.COMPLETE


def test_session_started_before_its_process_was_written_down_is_not_started_again(backend, tmp_path):
    request = make_request(tmp_path, wait_for=str(tmp_path / "go"))
    ref = backend.submit(request)
    process = read_process(folder_of(ref))
    process.model_copy(update={"pid": None, "created": None}).write(folder_of(ref))
    other = LocalBackend(tmp_path / "workspace")
    assert other.find(request.session_id) == ref
    other.submit(request)
    assert other.status(ref).state is SessionState.RUNNING
    assert read_process(folder_of(ref)).pid == process.pid
    (tmp_path / "go").touch()
    until_over(backend, ref)


def test_session_is_still_running_after_the_clock_was_set(backend, tmp_path):
    ref = backend.submit(make_request(tmp_path, wait_for=str(tmp_path / "go")))
    process = read_process(folder_of(ref))
    process.model_copy(update={"created": process.created - 3600}).write(folder_of(ref))
    assert LocalBackend(tmp_path / "workspace").status(ref).state is SessionState.RUNNING
    (tmp_path / "go").touch()
    until_over(backend, ref)


def test_intent_without_a_process_is_submitted_anew(backend, tmp_path):
    request = make_request(tmp_path)
    ref = backend.submit(request)
    until_over(backend, ref)
    process = read_process(folder_of(ref))
    process.model_copy(update={"pid": None, "created": None, "exit_code": None}).write(folder_of(ref))
    other = LocalBackend(tmp_path / "workspace")
    assert other.find(request.session_id) is None
    assert until_over(other, other.submit(request)).state is SessionState.COMPLETE


@posix
def test_session_past_its_limit_is_asked_to_stop_then_ended(tmp_path):
    clock = MovableClock()
    backend = LocalBackend(tmp_path / "workspace", clock=clock, grace_s=10.0)
    ref = backend.submit(make_request(tmp_path, limit_s=60.0, wait_for=str(tmp_path / "never"), sigterm=True))
    until_running(backend, ref)
    clock.ahead = 61.0
    status = until_over(backend, ref)
    assert status.state is SessionState.TIMEOUT
    assert "exit status 75" in status.message
    assert backend.fetch(ref, tmp_path / "results").complete


@posix
def test_session_that_ignores_the_request_is_killed_after_the_grace(tmp_path):
    clock = MovableClock()
    backend = LocalBackend(tmp_path / "workspace", clock=clock, grace_s=10.0)
    ref = backend.submit(make_request(tmp_path, limit_s=60.0, wait_for=str(tmp_path / "never"), sigterm=True))
    until_running(backend, ref)
    process = read_process(folder_of(ref))
    process.model_copy(update={"timed_out": True}).write(folder_of(ref))
    clock.ahead = 71.0
    assert until_over(backend, ref).state is SessionState.TIMEOUT


@posix
def test_cancelled_session_saves_and_counts_as_cancelled(backend, tmp_path):
    ref = backend.submit(make_request(tmp_path, wait_for=str(tmp_path / "never"), sigterm=True))
    until_running(backend, ref)
    backend.cancel(ref)
    assert until_over(backend, ref).state is SessionState.CANCELLED
    assert backend.fetch(ref, tmp_path / "results").complete


@posix
def test_killed_session_brings_what_it_left_and_claims_nothing(backend, tmp_path):
    outputs = {"data/models/checkpoints/x.zip": "saved", "data/models/checkpoints/.partial-1": "half"}
    ref = backend.submit(make_request(tmp_path, wait_for=str(tmp_path / "never"), outputs=outputs))
    until_running(backend, ref)
    os.kill(read_process(folder_of(ref)).pid, signal.SIGKILL)
    assert until_over(backend, ref).state is SessionState.ERROR
    report = backend.fetch(ref, tmp_path / "results")
    assert not report.complete
    assert f"{SECTION}/data/models/checkpoints/x.zip" in report.files
    assert not list((tmp_path / "results").rglob(".partial-*"))


@posix
def test_session_is_in_the_process_group_of_its_starter(backend, tmp_path):
    ref = backend.submit(make_request(tmp_path, wait_for=str(tmp_path / "go")))
    until_running(backend, ref)
    assert os.getpgid(read_process(folder_of(ref)).pid) == os.getpgid(0)
    (tmp_path / "go").touch()
    until_over(backend, ref)


@posix
def test_chunks_are_linked_and_other_files_copied(backend, tmp_path):
    ref = backend.submit(make_request(tmp_path))
    until_over(backend, ref)
    backend.fetch(ref, tmp_path / "results")
    links = {path.suffix: path.stat().st_nlink for path in (tmp_path / "results").rglob("*") if path.is_file()}
    assert links[".npz"] == 2
    assert links[".zip"] == links[".json"] == 1


def test_damaged_output_is_a_fault_and_not_brought(backend, tmp_path):
    ref = backend.submit(make_request(tmp_path))
    until_over(backend, ref)
    [checkpoint] = (folder_of(ref) / "working").rglob("*.zip")
    checkpoint.write_bytes(b"other bytes")
    report = backend.fetch(ref, tmp_path / "results")
    assert not report.complete
    assert "differs from its digest" in report.faults[0]
    assert not list((tmp_path / "results").rglob("*.zip"))


def test_hostile_name_in_the_manifest_stays_outside(backend, tmp_path):
    ref = backend.submit(make_request(tmp_path))
    until_over(backend, ref)
    [manifest] = (folder_of(ref) / "working").rglob("output_manifest.json")
    manifest.write_text(manifest.read_text().replace("session_summary.json", "../../../evil.json"))
    report = backend.fetch(ref, tmp_path / "a" / "b" / "results")
    assert not report.complete
    assert "leave its folder" in report.faults[0]
    assert not list(tmp_path.rglob("evil.json"))


def test_unusable_session_name_is_refused(backend):
    with pytest.raises(ConfigurationError, match="cannot be used"):
        backend.find("../../etc")


def test_log_of_a_running_session_has_whole_lines_only(backend, tmp_path):
    ref = backend.submit(make_request(tmp_path, wait_for=str(tmp_path / "go")))
    until_running(backend, ref)
    with (folder_of(ref) / "session.log").open("ab") as log:
        log.write(b"half a li")
    assert "half a li" not in backend.logs(ref, 0)
    (tmp_path / "go").touch()
    until_over(backend, ref)


def test_full_disk_is_one_clear_error(backend, tmp_path, monkeypatch):
    request = make_request(tmp_path)

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "mkdir", full)
    with pytest.raises(StorageError, match="No space left"):
        backend.submit(request)


def test_missing_interpreter_is_a_backend_error(tmp_path):
    backend = LocalBackend(tmp_path / "workspace", python=str(tmp_path / "no-python"))
    with pytest.raises(BackendError, match="cannot be started"):
        backend.submit(make_request(tmp_path))


def test_results_that_nobody_fetched_outlive_the_sessions_after_them(backend, tmp_path, monkeypatch):
    monkeypatch.setattr(local, "KEPT_SESSIONS", 0)
    first = backend.submit(make_request(tmp_path / "a", session_id="first"))
    until_over(backend, first)
    until_over(backend, backend.submit(make_request(tmp_path / "b", session_id="second")))
    assert backend.fetch(first, tmp_path / "results").complete
    until_over(backend, backend.submit(make_request(tmp_path / "c", session_id="third")))
    assert not folder_of(first).exists()


def test_fetch_without_the_folder_says_what_to_do(backend, tmp_path):
    with pytest.raises(BackendError, match="not there any more"):
        backend.fetch(SessionRef("local", "session-gone", "local/gone"), tmp_path / "results")
