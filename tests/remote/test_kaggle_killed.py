"""A manager killed at every step of the journal, and a push whose answer is lost, with sessions on Kaggle."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.chain.conftest import Place
from tests.chain.test_killed_manager import Killed, MortalJournal
from tests.emulator.faults import Fault
from tests.remote.kaggle_world import kaggle_world
from validation_ch7.journal import Phase

PHASES = [phase for phase in Phase if phase not in (Phase.FAILED, Phase.CLOSED)]
ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.slow


@pytest.fixture
def place(tmp_path):
    with kaggle_world(tmp_path) as kaggle:
        place = Place(tmp_path / "workspace")
        place.kaggle = kaggle
        place.backend = kaggle.backend()
        yield place


@pytest.mark.parametrize("phase", PHASES)
def test_killed_at_any_step_then_run_again_is_one_session(place, phase):
    manager = place.manager()
    manager.journal = MortalJournal(manager.journal.folder, phase)
    with pytest.raises(Killed):
        manager.run_validation_section(config=place.config, quick=True)
    place.backend = place.kaggle.backend()  # as a new process would have it
    run = place.run(quick=True)
    assert run.steps_after == 256
    assert place.kaggle.sessions_started == 1
    assert not place.manager().journal.unfinished("section_7_6_rl_performance", "traffic_light_control")


@pytest.mark.parametrize("phase", [Phase.SUBMITTING, Phase.SUBMITTED, Phase.RESTORED])
def test_relay_that_is_killed_in_its_second_session_is_one_session_each(place, phase):
    place.run(quick=True, relay=True)
    manager = place.manager()
    manager.journal = MortalJournal(manager.journal.folder, phase)
    with pytest.raises(Killed):
        manager.run_validation_section(config=place.config, quick=True, relay=True)
    place.backend = place.kaggle.backend()
    run = place.run(quick=True, relay=True)
    assert run.steps_after == 512
    assert place.kaggle.sessions_started == 2


def test_lost_answers_all_along_the_way_are_one_session(place):
    for call in ("CreateDataset", "SaveKernel", "GetKernelSessionStatus", "ListKernelSessionOutput"):
        place.kaggle.add(Fault(call, "lost"))
    place.kaggle.add(Fault("file", "short", match="checkpoint_256"), Fault("stream", "cut"))
    run = place.run(quick=True)
    assert run.success
    assert run.steps_after == 256
    assert place.kaggle.sessions_started == 1


def test_session_that_was_stopped_at_its_limit_without_output_costs_nothing_but_itself(place):
    place.run(quick=True)
    before = {path.name: path.read_bytes() for path in place.store.paths()}
    place.kaggle.world.rules.time_scale = 1e-4
    place.kaggle.world.rules.keep_output_of_stopped = False
    run = place.run(quick=True)
    assert not run.success
    assert {path.name: path.read_bytes() for path in place.store.paths()} == before
    place.kaggle.world.rules.time_scale = 1.0
    assert place.run(quick=True).steps_after == 512


def command(place) -> subprocess.Popen[str]:
    words = ["run", "--quick", "--backend", "kaggle", "--config", place.config, "--workspace", place.root, "--json"]
    return subprocess.Popen(
        [sys.executable, "-m", "validation_ch7", *map(str, words)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        encoding="utf-8",
    )


def test_process_killed_in_mid_download_is_started_again_and_brings_the_rest(place):
    plan, pause = place.kaggle.world.plan, threading.Event()
    plan.add(Fault("file", "hang", match="checkpoint_256"))
    killed = command(place)
    while not plan.met and killed.poll() is None:  # the other files come meanwhile, this one is waited for
        pause.wait(0.02)
    killed.kill()
    killed.communicate()
    assert [fault.match for fault in plan.met] == ["checkpoint_256"]
    [entry] = place.manager().journal.entries()
    assert (entry.phase, place.store.paths()) == (Phase.FINISHED, [])
    again = command(place)
    answer = json.loads(again.communicate(timeout=240)[0])
    assert (again.returncode, answer["status"], answer["steps_after"]) == (0, "completed", 256)
    assert place.kaggle.sessions_ever == 1
    assert [place.store.verify(path).steps for path in place.store.paths()] == [256, 128]
    assert not list(place.root.rglob(".partial-*"))
