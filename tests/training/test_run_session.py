import errno
import json
import shutil
import signal

import pytest

from tests.training.sessions import FolderLearner, Scene
from tests.training.worlds import section_config
from validation_ch7.errors import StorageError
from validation_ch7.session import OUTPUT_MANIFEST_NAME, SUMMARY_NAME, SummaryStatus, output_faults
from validation_ch7.training.run_session import run_session
from validation_ch7.training.surroundings import Surroundings

PARENT = "a" * 64


@pytest.fixture
def scene(tmp_path):
    return Scene(tmp_path)


def second_scene(scene, name="second", **changes):
    """Return a scene whose inputs are the training tree that the first one left."""
    root = scene.root / name
    root.mkdir()
    shutil.copytree(scene.tree, root / "inputs")
    return Scene(root, **changes)


def test_session_trains_to_its_limit_and_says_so(scene):
    assert scene.run() == 0
    summary = scene.summary
    assert (summary.status, summary.steps_before, summary.steps_after) == (SummaryStatus.COMPLETED, 0, 128)
    assert summary.mean_reward > 0 and summary.metrics["mean_delay_s"] == summary.mean_reward
    assert (summary.environment["python"] == "3.11" and summary.started < summary.ended) or summary.started
    assert summary.error is None and summary.device == "cpu"


def test_manifest_lists_every_file_and_is_the_last_to_appear(scene):
    scene.run()
    present = {p.relative_to(scene.outputs).as_posix() for p in scene.outputs.rglob("*") if p.is_file()}
    assert set(scene.manifest.files) == present - {OUTPUT_MANIFEST_NAME}
    assert output_faults(scene.outputs, scene.manifest) == []
    newest = max(p.stat().st_mtime_ns for p in scene.outputs.rglob("*") if p.is_file())
    assert (scene.outputs / OUTPUT_MANIFEST_NAME).stat().st_mtime_ns == newest


def test_second_session_goes_on_from_the_parent(scene):
    scene.run()
    second = second_scene(scene)
    assert second.run(parent=PARENT, session_id="s2", stop_at=256) == 0
    summary = second.summary
    assert (summary.steps_before, summary.steps_after) == (128, 256)
    assert summary.resumed_from == "traffic_light_control_checkpoint_128_steps.zip"


def test_missing_parent_is_refused_instead_of_training_from_zero(scene):
    assert scene.run(parent=PARENT) == 5
    assert scene.summary.status is SummaryStatus.FAILED
    assert (scene.summary.steps_after, scene.summary.mean_reward) == (0, None)
    assert "training from zero was refused" in scene.summary.error and PARENT in scene.summary.error
    assert output_faults(scene.outputs, scene.manifest) == []
    assert not list(scene.tree.rglob("*.zip"))


def test_foreign_checkpoint_needs_no_parent_in_the_plan(scene):
    scene.run()
    second = second_scene(scene)
    assert second.run(stop_at=192) == 0
    assert second.summary.steps_before == 128


def test_limit_reached_before_only_evaluates(scene):
    scene.run()
    again = second_scene(scene)
    assert again.run(parent=PARENT) == 0
    assert again.summary.status is SummaryStatus.ALREADY_COMPLETE
    assert (again.summary.steps_before, again.summary.steps_after) == (128, 128)
    assert again.summary.mean_reward is not None


def test_deadline_counts_from_the_start_of_the_process_less_the_margin(scene):
    seen = []

    class Ageing(FolderLearner):
        def learn(self, model, job):
            seen.append(job.deadline_s)
            return super().learn(model, job)

        def at_rollout(self, model):
            if model.num_timesteps >= 64:
                time_s[0] = 75.0

    time_s = [0.0]
    scene.learner, scene.clock = Ageing, lambda: time_s[0]
    assert scene.run(limit_s=100.0, margin_s=30.0) == 0
    assert seen == [70.0]
    assert (scene.summary.status, scene.summary.steps_after) == (SummaryStatus.STOPPED_AT_DEADLINE, 64)
    assert scene.summary.mean_reward is not None


def test_no_evaluation_after_the_limit_itself(scene):
    time_s = [0.0]

    class Late(FolderLearner):
        def at_rollout(self, model):
            time_s[0] = 101.0

    scene.learner, scene.clock = Late, lambda: time_s[0]
    assert scene.run(limit_s=100.0, margin_s=30.0) == 0
    assert scene.summary.mean_reward is None
    assert "no time for a last evaluation" in scene.log


def test_sigterm_ends_at_the_next_boundary_as_interrupted(scene):
    class Signalled(FolderLearner):
        def at_rollout(self, model):
            if model.num_timesteps == 64:
                signal.raise_signal(signal.SIGTERM)

    scene.learner = Signalled
    assert scene.run() == 75
    assert (scene.summary.status, scene.summary.steps_after) == (SummaryStatus.INTERRUPTED, 64)
    assert scene.summary.mean_reward is None  # the grace of a killed machine is short
    assert scene.manifest is not None


def test_second_ctrl_c_still_leaves_summary_and_manifest(scene):
    class Impatient(FolderLearner):
        def at_rollout(self, model):
            if model.num_timesteps == 128:
                signal.raise_signal(signal.SIGINT)
                signal.raise_signal(signal.SIGINT)

    scene.learner = Impatient
    assert scene.run() == 75
    assert (scene.summary.status, scene.summary.steps_after) == (SummaryStatus.INTERRUPTED, 64)
    assert output_faults(scene.outputs, scene.manifest) == []


class Broken(FolderLearner):
    fault: Exception = ZeroDivisionError("a bug")

    def at_rollout(self, model):
        if model.num_timesteps == 128:
            raise self.fault


def test_unforeseen_failure_is_one_line_and_its_traceback_is_in_the_log(scene):
    scene.learner = Broken
    assert scene.run() == 1
    assert scene.summary.status is SummaryStatus.FAILED
    assert scene.summary.error == "ZeroDivisionError: a bug"
    assert (scene.summary.steps_before, scene.summary.steps_after) == (0, 64)  # what a checkpoint holds
    assert "Traceback" in scene.log and "Traceback" not in scene.console.getvalue()
    assert output_faults(scene.outputs, scene.manifest) == []


def test_foreseen_failure_keeps_its_exit_code_and_remedy(scene):
    class Full(Broken):
        fault = StorageError("The disk is full.", remedy="free some space")

    scene.learner = Full
    assert scene.run() == 3
    assert "free some space" in scene.summary.error and "free some space" in scene.console.getvalue()


def test_full_disk_below_a_library_is_one_message_with_its_exit_code(scene):
    class Full(Broken):
        fault = OSError(errno.ENOSPC, "No space left on device", "events.out")

    scene.learner = Full
    assert scene.run() == 3
    assert "free some disk space" in scene.summary.error and "Traceback" not in scene.console.getvalue()


def test_file_in_the_place_of_the_outputs_is_one_message(scene):
    (scene.root / "working").write_text("in the way")
    assert scene.run() == 3
    assert "a file stands where a folder is needed" in scene.console.getvalue()


def test_wrong_hyper_parameter_is_a_failed_session_with_exit_code_2(scene):
    assert scene.run(config=section_config(hyperparameters={"gamma": 7})) == 2
    assert "gamma" in scene.summary.error


def test_unreadable_plan_is_one_message(tmp_path):
    scene = Scene(tmp_path)
    (tmp_path / "plan.json").write_text("{")
    around = Surroundings(console=scene.console)
    assert run_session(tmp_path / "plan.json", tmp_path, tmp_path / "working", {}, around) == 4
    assert "plan.json" in scene.console.getvalue()


def test_retry_in_the_same_folder_withdraws_the_claims_of_the_first_attempt(scene):
    class Looks(FolderLearner):
        def learn(self, model, job):
            claims.append((scene.outputs / SUMMARY_NAME).exists() or (scene.outputs / OUTPUT_MANIFEST_NAME).exists())
            return super().learn(model, job)

    claims = []
    scene.run()
    scene.learner = Looks
    scene.run()
    assert claims == [False]


def test_retry_goes_on_from_its_own_checkpoint_and_demands_no_parent(scene):
    demanded = []

    class Recording(FolderLearner):
        def learn(self, model, job):
            demanded.append(job.expected_parent)
            return super().learn(model, job)

    scene.run()
    second = second_scene(scene, learner=Recording)
    for _ in range(2):
        second.run(parent=PARENT, session_id="s2", stop_at=192)
    assert demanded == [PARENT, None]
    assert second.summary.status is SummaryStatus.ALREADY_COMPLETE


def test_quick_session_is_judged_on_few_episodes_until_the_target(scene):
    config = section_config(evaluation={"freq": 10_000, "episodes": 3, "quick_episodes": 1})
    scene.run(config=config, quick=True)
    assert scene.summary.metrics["episodes"] == 1
    second = second_scene(scene)
    second.run(config=config, quick=True, parent=PARENT, stop_at=256)
    assert second.summary.metrics["episodes"] == 3


def best(scene):
    return json.loads((scene.tree / "best_model" / "best_model.json").read_text())


def test_best_at_the_end_of_a_session_is_provisional(scene):
    config = section_config(evaluation={"freq": 200, "episodes": 2})
    scene.run(config=config)
    assert best(scene)["provisional"] == 1 and best(scene)["steps"] == 128
    second = second_scene(scene)
    second.run(config=config, parent=PARENT, stop_at=256)
    assert "provisional" not in best(second) and best(second)["steps"] == 256
    assert "until the first regular evaluation" in scene.log and "new best model at 256 steps" in second.log


def test_best_of_a_finished_chain_is_not_lost_when_the_target_is_raised(scene):
    scene.run(stop_at=256)
    recorded = best(scene) | {"mean_reward": 1e9}
    (scene.tree / "best_model" / "best_model.json").write_text(json.dumps(recorded))
    second = second_scene(scene)
    second.run(parent=PARENT, stop_at=384, target_steps=384)
    assert best(second) == recorded


def test_other_scenarios_have_their_own_tree(scene):
    scene.run(config=section_config(scenario="ring_road"))
    assert list((scene.tree / "ring_road" / "checkpoints").glob("ring_road_checkpoint_*_steps.zip"))
    assert (scene.outputs / "data" / "logs" / "ring_road" / "s1" / "progress.csv").is_file()
