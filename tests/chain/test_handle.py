"""Handles on sessions: submitted, looked at, followed from another process, and never a second session."""

import contextlib
import dataclasses

import pytest

from tests.notify.test_delivery import Recorder
from validation_ch7.errors import BackendError, ConfigurationError, SessionGoneError, WorkspaceLockedError
from validation_ch7.journal import Phase
from validation_ch7.notify import Notifier
from validation_ch7.remote.backend import SessionState, SessionStatus

LOG = ["[TRAINING] 128 / 256 steps  900 steps/s  reward -3.5", "[TRAINING] 256 / 256 steps  900 steps/s  reward -1.5"]


class Clock:
    """A clock that only sleeping moves; whoever sleeps may make something happen."""

    def __init__(self):
        self.now, self.on_sleep = 1_700_000_000.0, lambda: None

    def __call__(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds
        self.on_sleep()


class Slow:
    """The backend of the tests, whose sessions seem to run until they are let go."""

    def __init__(self, honest):
        self.honest, self.running, self.cancelled = honest, True, []

    def __getattr__(self, name):
        return getattr(self.honest, name)

    def status(self, ref):
        return SessionStatus(SessionState.RUNNING, "process 7") if self.running else self.honest.status(ref)

    def logs(self, ref, seen):
        return LOG[seen : 1 if self.running else 2]

    def cancel(self, ref):
        self.cancelled.append(ref.session_id)


@pytest.fixture
def slow(place):
    place.backend = Slow(place.backend)
    return place.backend


@pytest.fixture
def clock():
    return Clock()


def submit(place, clock=None, **flags):
    tools = {"clock": clock, "sleep": clock.sleep} if clock else {}
    return place.manager(**tools).submit(config=place.config, quick=True, **flags)


def test_submit_returns_while_the_session_runs_and_the_tree_is_free(place, slow):
    handle = submit(place)
    known = handle.status()
    assert (known.state, known.done, known.steps, known.stop_at, known.reward) == ("running", False, 128, 256, -3.5)
    assert slow.honest.submitted[0].detached
    with place.store.exclusive("somebody else"):
        assert handle.logs() == LOG[:1]


def test_result_follows_downloads_and_restores(place, slow, clock):
    handle = submit(place, clock)
    clock.on_sleep = lambda: setattr(slow, "running", False)
    run = handle.result()
    assert (run.success, run.status, run.steps_after, place.store.newest_steps()) == (True, "completed", 256, 256)
    assert handle.status().done and handle.status().steps == 256
    assert [line for line in place.lines if line.startswith("[TRAINING]")] == LOG
    assert place.manager().journal.entries()[0].phase is Phase.CLOSED


def test_waiting_gives_up_in_time_and_leaves_the_session_alone(place, slow, clock):
    handle = submit(place, clock)
    began = clock()
    assert not handle.wait(timeout=30)
    assert clock() == pytest.approx(began + 30) and slow.cancelled == []
    with pytest.raises(TimeoutError, match="goes on by itself"):
        handle.result(timeout=1)
    assert [line for line in place.lines if line.startswith("[TRAINING]")] == LOG[:1]  # no line is said twice


def test_handle_is_found_again_by_its_id_and_tells_the_same(place, slow):
    first = submit(place)
    again = place.manager().session(first.session_id)
    slow.running = False
    run = again.result()
    told = dataclasses.asdict(first.result())
    assert told == dataclasses.asdict(run) | {"warnings": told["warnings"]}
    assert place.manager().session(first.session_id).result() == first.result()


def test_session_that_still_runs_is_not_overtaken(place, slow):
    first = submit(place)
    second = submit(place)
    assert second.session_id == first.session_id and len(slow.honest.submitted) == 1
    assert "still runs" in place.said


def test_session_that_has_ended_is_brought_before_the_next_is_submitted(place, slow):
    first = submit(place)
    slow.running = False
    second = submit(place)
    assert second.session_id != first.session_id and first.status().done
    assert [request.session_id for request in slow.honest.submitted] == [first.session_id, second.session_id]
    assert second.result().steps_after == 512


def test_next_run_attaches_to_what_was_submitted(place, slow):
    handle = submit(place)
    slow.running = False
    run = place.run(quick=True)
    assert run.session_id == handle.session_id and len(slow.honest.submitted) == 1
    assert handle.wait(0) and handle.result().steps_after == 256


def test_somebody_else_who_brings_it_is_waited_for(place, slow, clock):
    handle = submit(place, clock)
    slow.running, lock = False, contextlib.ExitStack()
    lock.enter_context(place.store.exclusive("another process"))
    assert not handle.wait(timeout=3)

    def other_process_ends():
        lock.close()
        clock.on_sleep = lambda: None
        place.run(quick=True)

    clock.on_sleep = other_process_ends
    assert handle.wait() and handle.result().steps_after == 256
    assert len(slow.honest.submitted) == 1


def test_tree_that_is_in_use_starts_nothing(place, slow):
    with place.store.exclusive("somebody else"), pytest.raises(WorkspaceLockedError, match="Another process"):
        submit(place)
    assert slow.honest.submitted == [] and place.manager().journal.entries() == []


def test_cancel_reaches_the_backend_once_and_nothing_that_is_over(place, slow):
    handle = submit(place)
    handle.cancel()
    slow.running = False
    handle.result()
    handle.cancel()
    assert slow.cancelled == [handle.session_id]


@pytest.mark.parametrize("phase", [Phase.PLANNED, Phase.BUNDLED, Phase.SUBMITTING])
def test_session_that_never_reached_its_backend_is_over(place, phase):
    from tests.chain.test_killed_manager import run_and_die

    run_and_die(place, phase)
    manager = place.manager()
    run = manager.session(manager.journal.entries()[0].session_id).result()
    assert (run.success, run.status, run.exit_code, run.steps_after) == (False, "failed", 4, 0)
    assert place.manager().journal.unfinished("section_7_6_rl_performance", "traffic_light_control") == []


def test_results_that_are_gone_are_told_and_do_not_stand_in_the_way(place, slow):
    handle = submit(place)
    slow.running = False

    def gone(ref, target):
        raise SessionGoneError("The session's folder is not there any more.")

    slow.fetch = gone
    run = handle.result()
    assert not run.success and "not there any more" in run.error


def test_backend_that_cannot_be_asked_is_an_error_and_the_session_stays(place, slow, clock):
    handle = submit(place, clock)
    slow.status = lambda ref: SessionStatus(SessionState.UNKNOWN, "HTTP 500")
    with pytest.raises(BackendError, match="cannot be followed"):
        handle.wait()
    assert not handle.status().done


def test_name_of_no_session_is_told(place):
    with pytest.raises(ConfigurationError, match="no such session"):
        place.manager().session("20260101-000000-abcdef")


def test_unknown_flag_is_refused(place):
    with pytest.raises(ConfigurationError, match="no such flag"):
        place.manager().submit(max_sessions=3)


def test_end_is_notified_once_by_whoever_brings_it(place, slow):
    channel = Recorder()
    handle = place.manager(notifier=Notifier([channel])).submit(config=place.config, quick=True)
    slow.running = False
    handle.result()
    handle.result()
    assert [event.kind.value for event in channel.events] == ["new_best", "end"]


def test_notebook_shows_what_is_known_and_asks_nobody(place, slow):
    handle = submit(place)
    handle.status()

    def asked(*arguments):
        raise AssertionError("the network was touched")

    slow.status = slow.logs = asked
    page = handle._repr_html_()
    assert "running" in page and handle.session_id in page and "128" in page and "reward -3.5" in page


def test_plot_shows_the_chain_with_its_borders_and_the_running_session(place, slow):
    place.backend = slow.honest
    place.run(quick=True)
    place.run(quick=True)
    place.backend = slow
    handle = place.manager().submit(config=place.config, quick=True)
    [axes] = handle.plot().axes
    labels = {line.get_label() for line in axes.lines}
    assert "evaluation" in labels and "this session's log" in labels
    borders = [line.get_xdata()[0] for line in axes.lines if line.get_zorder() == 0]
    assert borders == [256]
