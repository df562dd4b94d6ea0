"""A manager that dies at any step is simply run again: one session, nothing restored twice, nothing lost."""

import pytest

from tests.chain.conftest import Place
from validation_ch7.checkpoints import admission
from validation_ch7.checkpoints.archive import read_archive
from validation_ch7.checkpoints.state_digest import state_digest
from validation_ch7.errors import BackendError, SessionGoneError
from validation_ch7.files import copy_durably
from validation_ch7.journal import Journal, Phase


class Killed(BaseException):
    """Stands for SIGKILL: nothing in the manager handles it."""


class MortalJournal(Journal):
    """Dies right after it has written that a session goes on to ``phase``."""

    def __init__(self, folder, phase):
        super().__init__(folder)
        self.phase = phase

    def record(self, entry, note=""):
        written = super().record(entry, note)
        if entry.phase is self.phase:
            raise Killed
        return written


def run_and_die(place, phase):
    manager = place.manager()
    manager.journal = MortalJournal(manager.journal.folder, phase)
    with pytest.raises(Killed):
        manager.run_validation_section(config=place.config, quick=True)


PHASES = [phase for phase in Phase if phase is not Phase.FAILED]


@pytest.mark.parametrize("phase", PHASES)
def test_killed_at_any_step_then_run_again_is_one_session_of_the_length_asked_for(place, phase):
    run_and_die(place, phase)
    run = place.run(quick=True)
    assert run.steps_after == (512 if phase is Phase.CLOSED else 256)  # closed: the killed run had done its work
    assert len(place.backend.submitted) == (2 if phase is Phase.CLOSED else 1)
    assert not place.manager().journal.unfinished("section_7_6_rl_performance", "traffic_light_control")


@pytest.mark.parametrize("nth", [1, 2, 3])
def test_killed_in_mid_restore_then_run_again_loses_nothing_and_restores_nothing_twice(
    place, undisturbed, monkeypatch, nth
):
    admitted = []

    def die_after(source, target):
        copy_durably(source, target)
        admitted.append(target.name)
        if len(admitted) == nth:
            raise Killed

    monkeypatch.setattr(admission, "copy_durably", die_after)
    with pytest.raises(Killed):
        place.run(quick=True)
    [entry] = place.manager().journal.entries()
    assert entry.phase is Phase.DOWNLOADED
    run = place.run(quick=True)
    assert len(place.backend.submitted) == 1
    assert (run.steps_after, state_digest(read_archive(place.store.paths()[0]))) == (256, undisturbed)
    assert len(admitted) == len(set(admitted)) == 3  # two checkpoints and the best model, each once
    assert [place.store.verify(path).steps for path in place.store.paths()] == [256, 128]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """Return the digest of the state after one quick run without trouble."""
    place = Place(tmp_path_factory.mktemp("undisturbed"))
    place.run(quick=True)
    return state_digest(read_archive(place.store.paths()[0]))


def test_a_push_whose_answer_is_lost_is_not_pushed_twice(place):
    honest = place.backend.submit

    def lost(request):
        honest(request)
        raise BackendError("The connection was cut while the answer was awaited.")

    place.backend.submit = lost
    with pytest.raises(BackendError, match="connection was cut"):
        place.run(quick=True)
    place.backend.submit = honest
    run = place.run(quick=True)
    assert (len(place.backend.submitted), run.steps_after) == (1, 256)


def test_a_session_whose_results_were_removed_does_not_stand_in_the_way_for_ever(place):
    run_and_die(place, Phase.SUBMITTED)
    honest = place.backend.fetch

    def gone(ref, target):
        if len(place.backend.submitted) == 1:
            raise SessionGoneError("The session's folder is not there any more.")
        return honest(ref, target)

    place.backend.fetch = gone
    run = place.run(quick=True)
    assert (run.steps_after, len(place.backend.submitted)) == (256, 2)
    assert "not there any more" in place.said


def test_restoring_the_same_results_again_changes_nothing(place):
    place.run(quick=True)
    before = {path.name: path.read_bytes() for path in place.store.paths()}
    manager = place.manager()
    entry = manager.journal.entries()[0]
    from validation_ch7.config import load_section

    manager._restore_checkpoints_for_next_run(entry.session_id, load_section(place.config))
    assert {path.name: path.read_bytes() for path in place.store.paths()} == before
