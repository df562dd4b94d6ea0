"""Refused for quota or capacity: an exit code and a time, or, where it was asked for, patience."""

import pytest

from validation_ch7.errors import CapacityError, QuotaError


class MovableClock:
    def __init__(self):
        self.now = 1_000_000.0

    def __call__(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds


def refuse(place, error, until):
    """Let the backend refuse as long as the clock is before ``until``."""
    clock, honest = MovableClock(), place.backend.submit

    def submit(request):
        if clock() < until:
            raise error
        return honest(request)

    place.backend.submit = submit
    return clock, place.manager(clock=clock, sleep=clock.sleep)


def quota(retry_at):
    error = QuotaError("The week's GPU hours are used up.", remedy="wait")
    error.retry_at = retry_at
    return error


def test_quota_is_exit_6_and_leaves_nothing_unfinished(place):
    _, manager = refuse(place, quota(1_003_600.0), 1_003_600.0)
    with pytest.raises(QuotaError, match="GPU hours"):
        manager.run_validation_section(config=place.config, quick=True)
    assert QuotaError.exit_code == 6
    assert not manager.journal.unfinished("section_7_6_rl_performance", "traffic_light_control")


def test_wait_waits_until_the_quota_is_refreshed(place):
    clock, manager = refuse(place, quota(1_003_600.0), 1_003_600.0)
    run = manager.run_validation_section(config=place.config, quick=True, wait=True)
    assert (run.success, run.steps_after) == (True, 256)
    assert 1_003_600 <= clock() < 1_003_700


def test_wait_asks_again_every_few_minutes_where_no_time_is_named(place):
    clock, manager = refuse(place, CapacityError("Too many sessions run."), 1_001_000.0)
    run = manager.run_validation_section(config=place.config, quick=True, wait=True)
    assert run.success
    assert place.said.count("Too many sessions run. Waiting 5 min") == 4
    assert 1_001_000 <= clock() < 1_001_400


def test_the_end_of_the_log_is_shown_where_a_chain_gives_up(place):
    place.backend.fail_with = "the machine died"
    place.run(max_sessions=5)
    assert "The last lines of its log:" in place.said
