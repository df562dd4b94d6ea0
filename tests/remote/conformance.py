"""What every backend must do; each adapter and each fake inherits this suite."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import pytest

from tests.remote.sessions import SECTION, make_request, until_over
from validation_ch7.remote.backend import Backend, SessionRef, SessionRequest, SessionState


class BackendConformance:
    """Inherit, and give the fixture ``backend``: one whose sessions end well within seconds.

    The fixture ``again`` returns a second object for the same place, as another process would have it.
    """

    @pytest.fixture
    def request_(self, tmp_path: Path) -> SessionRequest:
        return make_request(tmp_path / "made")

    def test_session_ends_complete_and_its_outputs_verify(self, backend: Backend, request_, tmp_path):
        ref = backend.submit(request_)
        assert until_over(backend, ref).state is SessionState.COMPLETE
        report = backend.fetch(ref, tmp_path / "results")
        assert report.complete, report.faults
        assert (tmp_path / "results" / SECTION / "session_summary.json").is_file()
        assert set(report.files) == {
            path.relative_to(tmp_path / "results").as_posix()
            for path in (tmp_path / "results").rglob("*")
            if path.is_file()
        }

    def test_submitting_twice_runs_one_session(self, backend: Backend, request_):
        first = backend.submit(request_)
        assert backend.submit(request_) == first
        until_over(backend, first)
        assert backend.submit(request_) == first

    def test_unknown_session_is_not_found(self, backend: Backend):
        assert backend.find("session-unknown") is None

    def test_submitted_session_is_found_by_its_id_from_elsewhere(self, backend: Backend, again: Backend, request_):
        ref = backend.submit(request_)
        assert again.find(request_.session_id) == ref
        until_over(backend, ref)

    def test_reference_survives_plain_data(self, backend: Backend, again: Backend, request_):
        ref = backend.submit(request_)
        until_over(backend, ref)
        assert again.status(SessionRef(**asdict(ref))).state is SessionState.COMPLETE

    def test_log_lines_come_once(self, backend: Backend, request_):
        ref = backend.submit(request_)
        until_over(backend, ref)
        lines = backend.logs(ref, 0)
        assert lines
        assert backend.logs(ref, len(lines)) == []
        assert backend.logs(ref, 1) == lines[1:]

    def test_second_fetch_brings_back_what_was_lost_and_damaged(self, backend: Backend, request_, tmp_path):
        ref = backend.submit(request_)
        until_over(backend, ref)
        first = backend.fetch(ref, tmp_path / "results")
        summary = tmp_path / "results" / SECTION / "session_summary.json"
        good = summary.read_bytes()
        summary.write_bytes(b"x" * len(good))
        second = backend.fetch(ref, tmp_path / "results")
        assert second.complete
        assert set(second.files) == set(first.files)
        assert summary.read_bytes() == good

    def test_cancelling_an_ended_session_changes_nothing(self, backend: Backend, request_):
        ref = backend.submit(request_)
        ended = until_over(backend, ref)
        backend.cancel(ref)
        assert backend.status(ref) == ended

    def test_slug_is_safe_in_urls_and_file_names(self, backend: Backend, request_):
        ref = backend.submit(request_)
        until_over(backend, ref)
        owner, kernel = ref.kernel_slug.split("/")
        assert all(part.replace("-", "").isalnum() and part.islower() for part in (owner, kernel))
        assert ref.backend == backend.name
