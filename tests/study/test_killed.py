"""A study over real processes: killed with everything that it started, at random moments, and run again."""

import random

import pytest

from tests.study.conftest import StudyPlace
from tests.study.processes import StudyRunning, digests, posix_only, uninterrupted
from validation_ch7.study.standing import read_standing

FIRST, SECOND = "ppo-traffic_light_control-0", "ppo-traffic_light_control-1"


def places(tmp_path):
    for name in ("killed", "whole"):
        place = StudyPlace(tmp_path / name)
        place.edit("timesteps: 512", "timesteps: 4096")
        place.edit("save_freq: 128", "save_freq: 256")
        yield place


@posix_only
@pytest.mark.slow
def test_everything_killed_at_random_moments_then_the_same_command_ends_where_one_run_ends(tmp_path):
    killed, whole = places(tmp_path)
    moments = random.Random()
    told = []
    for chain in (FIRST, FIRST, SECOND):
        steps = moments.randrange(256, 3500)
        running = StudyRunning(killed, "--train-only")
        running.until_saved(chain, steps)
        running.kill_everything()
        told.append((chain, steps))
    assert read_standing(killed.folder).driver is None
    code, answer = StudyRunning(killed).end()
    assert (code, answer["status"]) == (0, "completed"), told
    assert digests(answer) == uninterrupted(whole), told
    assert answer["evaluations"]["done"] == answer["evaluations"]["count"] > 0


@posix_only
@pytest.mark.slow
def test_two_at_a_time_stop_at_sigterm_and_end_with_the_numbers_of_one_after_the_other(tmp_path):
    stopped, whole = places(tmp_path)
    running = StudyRunning(stopped, "--train-only", "--jobs", "2")
    running.until_saved(FIRST, 256)
    running.until_saved(SECOND, 256)
    running.process.terminate()
    code, answer = running.end()
    assert (code, answer["status"]) == (75, "interrupted")
    assert all(chain["steps"] >= 256 for chain in answer["chains"])
    code, answer = StudyRunning(stopped, "--train-only", "--jobs", "2").end()
    assert (code, digests(answer)) == (0, uninterrupted(whole))
