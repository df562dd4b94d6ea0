"""A manager killed at every step of the journal, and a push whose answer is lost, with sessions on Kaggle."""

from __future__ import annotations

import pytest

from tests.chain.conftest import Place
from tests.chain.test_killed_manager import Killed, MortalJournal
from tests.emulator.faults import Fault
from tests.remote.kaggle_world import kaggle_world
from validation_ch7.journal import Phase

PHASES = [phase for phase in Phase if phase not in (Phase.FAILED, Phase.CLOSED)]
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
