"""The same command again, or another one: where a session ends, and what is said about what was left behind."""

import signal

import pytest

from validation_ch7.errors import BackendError, CheckpointNotFoundError
from validation_ch7.remote.kernel_template import write_failure
from validation_ch7.section_run import judge


def cut_short(place, **flags):
    """Run a session that trains half of what it should and leaves no claim of success."""
    honest = place.backend.fetch

    def robbed(ref, target):
        outputs = place.backend.root / ref.session_id / "working" / "section_7_6_rl_performance"
        for name in ("session_summary.json", "output_manifest.json"):
            (outputs / name).unlink(missing_ok=True)
        for path in sorted((outputs / "data" / "models" / "checkpoints").glob("*_256_steps.zip")):
            path.unlink()
        return honest(ref, target)

    place.backend.fetch = robbed
    run = place.run(**flags)
    place.backend.fetch = honest
    assert run.steps_after == 128
    return run


def test_the_same_command_ends_where_the_broken_one_should_have(place):
    cut_short(place, quick=True)
    assert place.run(quick=True).steps_after == 256


def test_a_retry_that_was_never_started_does_not_move_the_end(place):
    cut_short(place, quick=True)
    honest = place.backend.submit

    def refuse(request):
        raise BackendError("The backend is out of order.")

    place.backend.submit = refuse
    with pytest.raises(BackendError, match="out of order"):
        place.run(quick=True)
    place.backend.submit = honest
    assert place.run(quick=True).steps_after == 256


def test_a_smaller_limit_is_kept_after_a_broken_session(place):
    cut_short(place, session_timesteps=256)
    assert place.run(session_timesteps=64).steps_after == 192


def test_a_chain_begun_afresh_repeats_its_broken_session_too(place):
    place.backend.fail_with = "the machine died"
    place.run(fresh=True, quick=True, max_sessions=2)
    entries = place.manager().journal.entries()
    assert [entry.stop_at for entry in entries] == [256, 256]


def test_dry_run_believes_no_damaged_checkpoint(place):
    place.run(quick=True)
    newest = place.store.paths()[0]
    data = bytearray(newest.read_bytes())
    data[len(data) // 2] ^= 1
    newest.write_bytes(data)
    run = place.run(quick=True, dry_run=True)
    assert (run.steps_before, newest.exists()) == (128, True)
    assert newest.name in run.warnings[0]


def test_dry_run_with_damaged_checkpoints_only_is_the_error_that_a_run_would_be(place):
    place.run(quick=True)
    for path in place.store.paths():
        path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(CheckpointNotFoundError, match="none can be used"):
        place.run(quick=True, dry_run=True)


def test_a_checkpoint_that_was_passed_over_is_among_the_warnings(place):
    place.run(quick=True)
    newest = place.store.paths()[0]
    newest.write_bytes(newest.read_bytes()[:-100])
    run = place.run(quick=True)
    assert [text for text in run.warnings if text.startswith(f"{newest.name} was not used")]


def test_the_recommended_command_names_workspace_and_configuration(place):
    place.run(quick=True)
    place.edit("[8, 8]", "[16, 16]")
    with pytest.raises(Exception, match="INCOMPATIBILITY"):
        place.run(quick=True)
    advice = [line for line in place.lines if "Recommendation" in line]
    assert f'--workspace "{place.root}" --config "{place.config}" --quick --fresh' in advice[0]


def stopping(place, number):
    """Make the end of the next session the moment at which the manager receives a signal."""
    honest = place.backend.fetch

    def signalled(ref, target):
        signal.raise_signal(number)
        return honest(ref, target)

    place.backend.fetch = signalled


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 75)])
def test_a_chain_stopped_between_two_sessions_has_not_succeeded(place, number, code):
    stopping(place, number)
    run = place.run(quick=True, max_sessions=3)
    assert (run.sessions, run.success, run.status, run.exit_code) == (1, False, "interrupted", code)
    assert run.steps_after == 256


def test_a_signal_after_the_last_session_takes_nothing_away(place):
    stopping(place, signal.SIGTERM)
    assert place.run(quick=True).exit_code == 0


def test_a_session_that_ctrl_c_ended_before_it_could_say_so_was_interrupted():
    ending = judge("error", "exit status -2", None, complete=False, by_ctrl_c=True, stopped=True)
    assert (ending.status, ending.exit_code) == ("interrupted", 130)


def test_a_session_that_died_before_it_knew_its_step_has_not_begun_at_zero(place):
    place.run(quick=True)
    place.backend.fail_with = "the machine died"
    honest = place.backend.fetch

    def early(ref, target):
        outputs = place.backend.root / ref.session_id / "working" / "section_7_6_rl_performance"
        write_failure(outputs, {}, RuntimeError("no memory"))
        return honest(ref, target)

    place.backend.fetch = early
    run = place.run(quick=True)
    assert (run.steps_before, run.steps_after, run.exit_code) == (256, 256, 4)


def test_scenarios_have_bundles_of_their_own(place):
    place.run(quick=True)
    place.run(quick=True, scenario="other_road")
    bundles = list((place.root / "validation_output" / "bundles").rglob("*.bundle"))
    assert {path.parent.name for path in bundles} == {"traffic_light_control", "other_road"}
