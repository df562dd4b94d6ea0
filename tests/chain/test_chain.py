"""The chain: train, stop, restore, resume; quick and full; compatible and not."""

import json

import pytest

from tests.checkpoints.fingerprint import digest
from validation_ch7.checkpoints.archive import read_archive
from validation_ch7.checkpoints.backup import list_backups
from validation_ch7.checkpoints.replay import row_arrays
from validation_ch7.checkpoints.resume import restore_model
from validation_ch7.checkpoints.state_digest import state_digest
from validation_ch7.config import Overrides, load_section
from validation_ch7.errors import (
    CheckpointIncompatibleError,
    CheckpointNotFoundError,
    ConfigurationError,
    StorageError,
    WorkspaceLockedError,
)
from validation_ch7.session import read_summary
from validation_ch7.training.algorithms import build_training


def newest_state(place):
    return state_digest(read_archive(place.store.paths()[0]))


def tree(place):
    return {path.name: path.read_bytes() for path in place.store.paths()}


def test_second_quick_run_starts_where_the_first_stopped(place):
    first, second = place.run(quick=True), place.run(quick=True)
    assert (first.steps_before, first.steps_after) == (0, 256)
    assert (second.steps_before, second.steps_after) == (256, 512)
    assert second.resumed_from == "traffic_light_control_checkpoint_256_steps.zip"
    assert "[CHECKPOINT] ✅ Successfully restored 4 file(s)" in place.said


def test_quick_then_full_ends_where_one_full_run_ends(place, tmp_path):
    place.run(quick=True)
    place.run()
    whole = type(place)(tmp_path / "whole")
    whole.run()
    assert newest_state(place) == newest_state(whole)


@pytest.mark.parametrize(("algorithm", "session", "sessions"), [("ppo", 192, 6), ("dqn", 150, 3)])
def test_a_chain_in_sessions_ends_where_one_session_ends_and_plain_learn(place, tmp_path, algorithm, session, sessions):
    run = place.run(algorithm=algorithm, session_timesteps=session, max_sessions=20)
    whole = type(place)(tmp_path / "whole")
    whole.run(algorithm=algorithm)
    assert newest_state(place) == newest_state(whole)
    plain, resumed = (build_training(load_section(place.config, Overrides(algorithm=algorithm))) for _ in range(2))
    plain.learn(run.target_steps)
    restore_model(resumed, read_archive(place.store.paths()[0]), place.store.chunks)
    assert (run.sessions, resumed.num_timesteps) == (sessions, plain.num_timesteps)
    assert digest(resumed.get_parameters()) == digest(plain.get_parameters())
    assert digest(rows_of(resumed)) == digest(rows_of(plain))


def rows_of(model):
    buffer = getattr(model, "replay_buffer", None)
    return None if buffer is None else [buffer.pos, buffer.full, row_arrays(buffer)]


def test_met_target_evaluates_only_and_succeeds(place):
    place.run(timesteps=256)
    run = place.run(timesteps=256)
    assert (run.status, run.exit_code, run.steps_after) == ("already_complete", 0, 256)
    assert run.mean_reward is not None
    assert "is met" in place.said


def test_pain_10_and_11_raised_target_trains_the_difference_only(place):
    place.run(timesteps=256)
    run = place.run(timesteps=512)
    assert (run.steps_before, run.steps_after, run.target_steps) == (256, 512, 512)


def test_another_target_than_before_is_said_once_before_training_and_in_a_dry_run(place):
    place.run(quick=True, timesteps=512)
    place.run(quick=True, dry_run=True)
    change = "it was 512 steps, now it is 1,024; schedules, as of the learning rate, follow the new one"
    assert place.said.count(change) == 1
    place.run(quick=True)
    second = place.said.rindex(change)
    assert second > place.said.index(change) and second < place.said.index("[DOWNLOAD]", second)
    place.run(quick=True)
    assert place.said.count("The target of this chain changes") == 2


def test_fresh_chain_has_no_earlier_target(place):
    place.run(quick=True, timesteps=512)
    place.run(quick=True, fresh=True)
    assert "The target of this chain changes" not in place.said


def test_pain_12_changed_network_is_refused_with_both_values_and_nothing_is_lost(place):
    place.run(quick=True)
    before = tree(place)
    place.edit("[8, 8]", "[16, 16]")
    with pytest.raises(CheckpointIncompatibleError, match=r"checkpoint=\[8, 8\], current=\[16, 16\]"):
        place.run(quick=True)
    assert tree(place) == before
    assert "[CHECKPOINT] ⚠️  INCOMPATIBILITY DETECTED:" in place.lines
    assert "[CHECKPOINT]   - Architecture: checkpoint=[8, 8], current=[16, 16]" in place.lines
    assert "256 steps, reward" in place.said


def test_fresh_archives_the_incompatible_and_starts_at_zero(place):
    place.run(quick=True)
    place.edit("[8, 8]", "[16, 16]")
    run = place.run(quick=True, fresh=True)
    assert (run.steps_before, run.steps_after) == (0, 256)
    fresh = [backup for backup in list_backups(place.store) if backup.reason == "fresh"]
    assert "checkpoints/traffic_light_control_checkpoint_256_steps.zip" in fresh[0].files


def test_pain_13_changed_hyper_parameter_is_a_warning_and_resumes(place):
    place.run(quick=True)
    place.edit("lin_1e-3", "lin_2e-3")
    run = place.run(quick=True)
    assert run.steps_before == 256
    assert any(text.startswith("learning_rate") for text in run.warnings)


def test_truncated_newest_is_quarantined_and_the_previous_used(place):
    place.run(quick=True)
    newest = place.store.paths()[0]
    newest.write_bytes(newest.read_bytes()[:-100])
    run = place.run(quick=True)
    assert run.resumed_from == "traffic_light_control_checkpoint_128_steps.zip"
    assert f"rejected {newest.name}" in place.said
    assert (place.store.folder / "quarantine" / newest.name).exists()


def test_pain_9_only_corrupt_checkpoints_are_an_error_not_a_start_at_zero(place):
    place.run(quick=True)
    for path in place.store.paths():
        path.write_bytes(path.read_bytes()[:1000])
    for _ in range(2):
        with pytest.raises(CheckpointNotFoundError, match="none can be used"):
            place.run(quick=True)
    assert len(place.backend.submitted) == 1


def test_pain_2_a_failed_session_is_restored_all_the_same(place):
    place.run(quick=True)
    place.backend.fail_with = "the machine died"
    run = place.run(quick=True)
    assert (run.success, run.exit_code, run.steps_after) == (False, 4, 256)
    assert place.said.count("CHECKPOINT RESTORATION") == 2


def test_pain_17_without_output_manifest_there_is_no_success(place):
    place.run(quick=True)
    folder = place.root / "sessions" / place.backend.submitted[0].session_id / "working" / "section_7_6_rl_performance"
    (folder / "output_manifest.json").unlink()
    entry = place.manager().journal.entries()[0]
    run = place.manager()
    fetched = run.download_results(entry.session_id)
    assert not fetched.complete
    assert read_summary(folder) is not None


def test_the_same_failure_twice_ends_a_chain(place):
    place.backend.fail_with = "the machine died"
    run = place.run(max_sessions=9)
    assert (run.sessions, run.success) == (2, False)


def test_pain_19_quick_travels_in_the_plan(place):
    place.run(quick=True)
    plan = json.loads(
        (place.root / "sessions" / place.backend.submitted[0].session_id / "scratch" / "session_plan.json").read_text()
    )
    assert (plan["quick"], plan["stop_at"], plan["target_steps"]) == (True, 256, 1024)


def test_scenarios_have_trees_of_their_own(place):
    place.run(quick=True)
    run = place.run(quick=True, scenario="other_road")
    assert (run.steps_before, run.steps_after) == (0, 256)
    assert run.training_dir.endswith("other_road")
    assert len(place.store.paths()) == 2


def test_dry_run_changes_and_starts_nothing(place):
    place.run(quick=True)
    before = sorted(path.as_posix() for path in place.root.rglob("*"))
    run = place.run(quick=True, dry_run=True)
    assert (run.status, run.steps_before, len(place.backend.submitted)) == ("planned", 256, 1)
    assert sorted(path.as_posix() for path in place.root.rglob("*")) == before


def test_number_that_nobody_can_mean_is_refused_before_anything_is_built(place):
    with pytest.raises(ConfigurationError, match="timesteps: Input should be less than or equal to 9007199254740992"):
        place.run(timesteps=10**23, dry_run=True)
    place.edit("n_envs: 2\n    normalize", "n_envs: 100_000_000\n    normalize")
    with pytest.raises(ConfigurationError, match="n_envs: Input should be less than or equal to 65536"):
        place.run(dry_run=True)


def test_second_manager_is_told_who_holds_the_tree(place):
    with place.store.exclusive("training of somebody else"), pytest.raises(WorkspaceLockedError, match="works on this"):
        place.run(quick=True)


def test_workspace_that_is_a_file_is_one_clear_error(place, tmp_path):
    place.root = tmp_path / "a file"
    place.root.write_text("not a folder")
    with pytest.raises(StorageError, match="refused"):
        place.run(quick=True)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ({"scenario": "moon"}, "no such scenario"),
        ({"algorithm": "magic"}, "no such algorithm"),
        ({"max_sessions": 0}, "At least one session"),
    ],
)
def test_unknown_names_are_refused_before_anything_is_written(place, flags, message):
    with pytest.raises(ConfigurationError, match=message):
        place.run(**flags)
    assert not place.store.root.exists()


def test_a_section_that_does_not_train_says_that_nothing_is_restored(place):
    place.edit("default_scenario: traffic", "trains: false\ndefault_scenario: traffic")
    place.run(quick=True)
    assert "does not train: nothing to restore" in place.said
    assert not place.store.paths()


@pytest.mark.parametrize(("trust", "size"), [(False, 0), (True, 48)])
def test_a_foreign_checkpoint_resumes_its_weights_and_its_pickles_only_where_trusted(place, trust, size):
    config = load_section(place.config, Overrides(algorithm="dqn"))
    model = build_training(config)
    model.learn(96)
    place.store.folder.mkdir(parents=True)
    model.save(place.store.path(96))
    model.save_replay_buffer(place.store.folder / "traffic_light_control_checkpoint_replay_buffer_96_steps.pkl")
    run = place.run(algorithm="dqn", timesteps=104, trust_foreign=trust)
    assert (run.steps_before, run.steps_after, run.exactness) == (96, 104, "weights-only")
    assert place.store.verify(place.store.path(104)).replay.added == size + 4


def test_the_resolved_configuration_is_echoed_saved_and_carried(place):
    run = place.run(quick=True, seed=7)
    saved = json.loads((place.root / "validation_output" / "configs" / f"{run.session_id}.json").read_text("utf-8"))
    scratch = place.root / "sessions" / run.session_id / "scratch" / "session_plan.json"
    assert saved == json.loads(scratch.read_text("utf-8"))["config"]
    assert "[CONFIG] seed: 7; environment: {horizon_s: 60.0}" in place.lines
    assert any(line.startswith("[CONFIG] training: {algorithm: ppo") for line in place.lines)
