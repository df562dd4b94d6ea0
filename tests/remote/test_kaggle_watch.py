"""Faults while a session runs: no fault of the service is taken for an end of the session."""

from __future__ import annotations

import threading

import pytest

from tests.emulator.faults import Fault
from tests.emulator.world import Rules
from tests.remote.kaggle_world import kaggle_world
from tests.remote.sessions import SECTION, make_request, until_over, until_running
from validation_ch7.errors import BackendError
from validation_ch7.remote.backend import SessionRef, SessionState
from validation_ch7.remote.monitor import Pace, watch

STATUS = "GetKernelSessionStatus"


@pytest.mark.parametrize(
    ("fault", "found"),
    [
        (Fault(STATUS, "http", status=404, times=2), "absent"),
        (Fault(STATUS, "http", status=403, times=2), "absent"),
        (Fault(STATUS, "http", status=500, times=2), "transient: 500"),
        (Fault(STATUS, "http", status=429, times=2), "rate limited"),
        (Fault(STATUS, "html", times=2), "unusable answer"),
        (Fault(STATUS, "hang", times=2), "ReadTimeout"),
        (Fault(STATUS, "cut", times=2), "ConnectionError"),
        (Fault(STATUS, "edit", edit=lambda _: {"status": "EVICTED"}, times=2), "unusable answer"),
        (Fault(STATUS, "edit", edit=lambda _: None, times=2), "unusable answer"),
    ],
    ids=["404 while indexing", "403", "500", "429", "html", "hang", "cut", "unknown status", "no object"],
)
def test_pain_20_fault_of_a_status_call_is_unknown_and_passes(kaggle, tmp_path, fault, found):
    backend = kaggle.backend()
    ref = backend.submit(make_request(tmp_path))
    kaggle.add(fault)
    status = backend.status(ref)
    assert status.state is SessionState.UNKNOWN
    assert found in status.message
    assert until_over(backend, ref).state is SessionState.COMPLETE


def test_answer_without_a_status_is_not_taken_for_the_queue(kaggle, tmp_path):
    backend = kaggle.backend()
    ref = backend.submit(make_request(tmp_path))
    assert backend.status(ref).state is SessionState.RUNNING
    kaggle.add(Fault(STATUS, "edit", edit=lambda _: {}))
    assert backend.status(ref).state is SessionState.UNKNOWN


def test_status_that_stays_unusable_ends_the_watch_but_not_the_session(kaggle, tmp_path):
    backend = kaggle.backend()
    ref = backend.submit(make_request(tmp_path))
    kaggle.add(Fault(STATUS, "http", status=404, times=1000))
    facts = {"clock": lambda: 0.0, "sleep": lambda _: None, "on_log": print, "on_status": print, "limit_s": 60.0}
    with pytest.raises(BackendError, match="attaches to this session"):
        watch(backend, ref, **facts)
    assert len(kaggle.world.kernels) == 1


def test_status_is_asked_for_the_version_that_was_pushed(kaggle, tmp_path):
    backend = kaggle.backend()
    ref = backend.submit(make_request(tmp_path))
    backend.status(ref)
    body = [body for name, body in kaggle.world.plan.requests if name == STATUS][-1]
    assert body["versionLabel"] == "v1"


def test_stale_complete_of_the_version_before_is_not_believed(kaggle, tmp_path):
    backend = kaggle.backend()
    request = make_request(tmp_path, wait_for=str(tmp_path / "go"))
    ref = backend.submit(request)
    (tmp_path / "go").touch()
    until_over(backend, ref)
    (tmp_path / "go").unlink()
    slug = ref.kernel_slug.split("/")[1]
    body = [body for name, body in kaggle.world.plan.requests if name == "SaveKernel"][-1]
    kaggle.world.rules.stale_for = 100
    kaggle.server.api.save_kernel(body)
    second = SessionRef("kaggle", "session-1b", f"tester/{slug}", version=2)
    assert backend.status(second).state is SessionState.RUNNING


def test_queue_then_run_then_end_are_all_seen(tmp_path):
    with kaggle_world(tmp_path, Rules(queued_for=3)) as kaggle:
        backend = kaggle.backend()
        ref = backend.submit(make_request(tmp_path))
        assert backend.status(ref).state is SessionState.QUEUED
        assert backend.logs(ref, 0) == []
        assert until_over(backend, ref).state is SessionState.COMPLETE


@pytest.mark.parametrize("kept", [True, False])
def test_session_past_its_limit_is_a_timeout_with_output_kept_or_lost(tmp_path, kept):
    rules = Rules(time_scale=0.02, keep_output_of_stopped=kept)
    with kaggle_world(tmp_path, rules) as kaggle:
        backend = kaggle.backend()
        outputs = {"data/models/checkpoints/x.zip": "saved"}
        request = make_request(tmp_path, limit_s=60.0, wait_for=str(tmp_path / "never"), outputs=outputs)
        ref = backend.submit(request)
        status = until_over(backend, ref)
        report = backend.fetch(ref, tmp_path / "results")
    assert status.state is SessionState.TIMEOUT
    assert "max allowed execution duration" in status.message
    assert not report.complete
    assert (f"{SECTION}/data/models/checkpoints/x.zip" in report.files) is kept


def test_pain_2_output_of_a_failed_session_is_brought(kaggle, tmp_path):
    backend = kaggle.backend()
    outputs = {"data/models/checkpoints/x.zip": "saved"}
    ref = backend.submit(make_request(tmp_path, fail="loss is nan", outputs=outputs))
    assert until_over(backend, ref).state is SessionState.ERROR
    report = backend.fetch(ref, tmp_path / "results")
    assert not report.complete
    assert {f"{SECTION}/data/models/checkpoints/x.zip", f"{SECTION}/session_summary.json"} < set(report.files)
    assert "loss is nan" in (tmp_path / "results" / "session.log").read_text(encoding="utf-8")


def test_session_that_somebody_cancelled_is_cancelled(kaggle, tmp_path):
    backend = kaggle.backend()
    ref = backend.submit(make_request(tmp_path))
    kaggle.add(Fault(STATUS, "edit", edit=lambda _: {"status": "CANCEL_ACKNOWLEDGED"}))
    assert backend.status(ref).state is SessionState.CANCELLED


def follow(backend, ref, limit_s=60.0):
    """Watch to the end with short pauses instead of long ones; return lines, statuses and the pauses asked for."""
    lines, statuses, pauses = [], [], []
    short = threading.Event()

    def sleep(seconds):
        pauses.append(seconds)
        short.wait(0.02)

    facts = {"clock": lambda: 0.0, "sleep": sleep, "limit_s": limit_s, "pace": Pace(10_000.0, 1.0, 10_000.0)}
    end = watch(backend, ref, on_log=lines.append, on_status=statuses.append, **facts)
    assert end.state is SessionState.COMPLETE
    return lines, statuses, pauses


def test_live_log_that_drops_and_replays_gives_each_line_once(tmp_path):
    with kaggle_world(tmp_path, Rules(stream_events=1)) as kaggle:
        backend = kaggle.backend()
        ref = backend.submit(make_request(tmp_path, wait_for=str(tmp_path / "go")))
        backend.status(ref)
        until_running(backend, ref)
        (tmp_path / "go").touch()
        lines, _, _ = follow(backend, ref)
    assert len(lines) == len(set(lines)) == 4
    assert lines[-1] == "stub session ends at 100"


def test_lines_come_and_the_end_is_noticed_between_two_questions(kaggle, tmp_path):
    backend = kaggle.backend()
    ref = backend.submit(make_request(tmp_path, wait_for=str(tmp_path / "go")))
    threading.Timer(0.5, (tmp_path / "go").touch).start()
    lines, statuses, pauses = follow(backend, ref)
    assert lines[-1] == "stub session ends at 100"
    assert kaggle.world.plan.calls[STATUS] <= 4
    assert sum(pauses) < 10_000
    assert statuses[-1].state is SessionState.COMPLETE


@pytest.mark.parametrize("kind", ["http", "cut", "html"])
def test_log_is_complete_at_the_end_even_where_the_live_log_never_worked(kaggle, tmp_path, kind):
    kaggle.add(Fault("stream", kind, status=404, times=1000))
    backend = kaggle.backend()
    ref = backend.submit(make_request(tmp_path, wait_for=str(tmp_path / "go")))
    backend.status(ref)
    backend.logs(ref, 0)
    (tmp_path / "go").touch()
    until_over(backend, ref)
    assert backend.logs(ref, 0)[-1] == "stub session ends at 100"
    backend.cancel(ref)
