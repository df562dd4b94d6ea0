from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.remote.fake_backend import FakeBackend
from tests.remote.sessions import make_request
from validation_ch7.errors import BackendError
from validation_ch7.remote.backend import SessionState, SessionStatus
from validation_ch7.remote.monitor import MAX_UNKNOWN, REMOTE_PACE, Pace, next_delay, watch

QUEUED, RUNNING, COMPLETE, UNKNOWN = (
    SessionStatus(state)
    for state in (SessionState.QUEUED, SessionState.RUNNING, SessionState.COMPLETE, SessionState.UNKNOWN)
)


class Time:
    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


def follow(tmp_path, answers, limit_s=3600.0, time=None, lines=None, **changes):
    time = time or Time()
    backend = FakeBackend(tmp_path / "fake", tuple(answers))
    ref = backend.submit(make_request(tmp_path))
    if lines is not None:
        backend.sessions[ref.session_id].lines = lines
    seen: list[SessionStatus] = []
    log: list[str] = []
    facts = {"rng": random.Random(0), "on_log": log.append, "on_status": seen.append, **changes}
    end = watch(backend, ref, clock=time.clock, sleep=time.sleep, limit_s=limit_s, **facts)
    return end, seen, log, time, backend


def test_session_is_followed_to_its_end_and_changes_are_told_once(tmp_path):
    end, seen, log, _, _ = follow(tmp_path, [QUEUED, QUEUED, RUNNING, RUNNING, COMPLETE])
    assert end == COMPLETE
    assert seen == [QUEUED, RUNNING, COMPLETE]
    assert log == ["one", "two"]


def test_log_lines_that_came_with_the_end_are_not_lost(tmp_path):
    assert follow(tmp_path, [COMPLETE], lines=["last words"])[2] == ["last words"]


def test_some_unusable_answers_are_borne_with(tmp_path):
    assert (
        follow(tmp_path, [RUNNING, *[UNKNOWN] * MAX_UNKNOWN, RUNNING, *[UNKNOWN] * MAX_UNKNOWN, COMPLETE])[0]
        == COMPLETE
    )


def test_endless_unusable_answers_end_the_watch_but_not_the_session(tmp_path):
    with pytest.raises(BackendError, match="attaches to this session"):
        follow(tmp_path, [RUNNING, UNKNOWN])


def test_session_that_never_ends_is_not_watched_for_ever(tmp_path):
    with pytest.raises(BackendError, match="still counts as running"):
        follow(tmp_path, [RUNNING], limit_s=60.0)


def test_waiting_in_the_queue_does_not_count_against_the_limit(tmp_path):
    answers = [*[QUEUED] * 60, RUNNING, COMPLETE]
    end, seen, _, time, _ = follow(tmp_path, answers, limit_s=60.0)
    assert end == COMPLETE
    assert time.now > 3600
    assert any("in the queue for" in status.message for status in seen)


def test_watching_for_an_hour_takes_at_most_sixty_questions(tmp_path):
    answers = [*[RUNNING] * 58, COMPLETE]
    assert follow(tmp_path, answers, limit_s=7200.0)[3].now > 3600


@given(st.integers(0, 10_000), st.integers(0, 2**32))
def test_delay_stays_within_its_bounds(attempt, seed):
    delay = next_delay(attempt, random.Random(seed))
    assert 0.8 * REMOTE_PACE.first_s <= delay <= 1.2 * REMOTE_PACE.longest_s


@given(st.integers(0, 100))
def test_delays_grow(attempt):
    pace = Pace(1.0, 1.5, 60.0, jitter=0.0)
    assert next_delay(attempt, random.Random(0), pace) <= next_delay(attempt + 1, random.Random(0), pace)


def test_ctrl_c_leaves_the_session_alone(tmp_path):
    def interrupt(_: float) -> None:
        raise KeyboardInterrupt

    backend = FakeBackend(tmp_path / "fake", (RUNNING,))
    ref = backend.submit(make_request(tmp_path))
    with pytest.raises(KeyboardInterrupt):
        watch(backend, ref, clock=Time().clock, sleep=interrupt, on_log=print, on_status=print, limit_s=60.0)
    assert backend.calls["cancel"] == 0


def test_change_of_the_message_brings_the_next_question_soon(tmp_path):
    told = SessionStatus(SessionState.RUNNING, "its log has ended")
    time = follow(tmp_path, [*[RUNNING] * 20, told, COMPLETE])[3]
    assert time.slept[19] > 50
    assert time.slept[20] < 5


def test_time_used_is_told_now_and_then(tmp_path):
    seen = follow(tmp_path, [*[RUNNING] * 80, COMPLETE], limit_s=7200.0)[1]
    used = [status.message for status in seen if "of 120 min used" in status.message]
    assert 2 <= len(used) <= 3


def test_start_and_notices_tell_the_limit_and_what_is_left_of_the_hours(tmp_path, monkeypatch):
    asked = []

    def allowance(self):
        asked.append(1)
        return "21.5 of 30 GPU hours left this week"

    monkeypatch.setattr(FakeBackend, "allowance", allowance, raising=False)
    seen = follow(tmp_path, [QUEUED, *[RUNNING] * 80, COMPLETE], limit_s=7200.0)[1]
    told = [status.message for status in seen if "GPU hours left" in status.message]
    assert told[0] == "for at most 120 min; 21.5 of 30 GPU hours left this week"
    assert len(asked) == len(told) <= 4
    assert seen[-1] == COMPLETE
