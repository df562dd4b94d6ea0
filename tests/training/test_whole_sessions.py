"""Sessions with real checkpoints: however a chain is cut, it ends where one session would have ended."""

import json
import shutil
import zipfile

import pytest
import torch as th

from tests.checkpoints.fingerprint import digest
from tests.training.sessions import Scene
from tests.training.worlds import gym_factory, section_config
from validation_ch7.checkpoints import CheckpointStore, find_latest_checkpoint
from validation_ch7.checkpoints.replay import row_arrays
from validation_ch7.checkpoints.resume import restore_model
from validation_ch7.session import Exactness, SummaryStatus
from validation_ch7.training.algorithms import build_training, traffic_env
from validation_ch7.training.curve import read_rows
from validation_ch7.training.learner import CheckpointLearner

CONFIGS = {
    "ppo": (section_config(normalize={}, evaluation={"freq": 100, "episodes": 2}), "CartPole-v1"),
    "dqn": (
        section_config(
            "dqn",
            {"buffer_size": 500, "learning_starts": 20, "batch_size": 16, "learning_rate": "lin_1e-3"},
            evaluation={"freq": 100, "episodes": 2},
        ),
        "CartPole-v1",
    ),
    "sac": (
        section_config(
            "sac",
            {"buffer_size": 500, "learning_starts": 20, "batch_size": 16},
            noise_type="ornstein-uhlenbeck",
            evaluation={"freq": 100, "episodes": 1},
        ),
        "Pendulum-v1",
    ),
    "traffic": (section_config(normalize={}, evaluation={"freq": 100, "episodes": 2}), None),
}


def chain(root, config, env, stops, target=256):
    """Run sessions that end at ``stops`` and return their scenes; without ``env`` in real traffic."""
    make_env = gym_factory(env) if env else traffic_env
    scenes, parent = [], None
    for number, stop in enumerate(stops):
        folder = root / f"{number}"
        folder.mkdir(parents=True)
        scene = Scene(folder, learner=CheckpointLearner, make_env=make_env)
        if scenes:
            shutil.copytree(scenes[-1].tree, folder / "inputs")
        code = scene.run(config=config, session_id=f"s{number}", parent=parent, stop_at=stop, target_steps=target)
        assert code == 0, scene.log
        parent = CheckpointStore(scene.tree, "traffic_light_control").entries()[0].manifest.digest
        scenes.append(scene)
    return scenes


def plain_learn(config, env, steps=256):
    """Return the model after plain ``model.learn()``, without sessions and checkpoints."""
    model = build_training(config, gym_factory(env) if env else traffic_env)
    model.learn(steps)
    return model


def restored(scene, config, env):
    """Return a new model with what the newest checkpoint holds."""
    model = build_training(config, gym_factory(env) if env else traffic_env)
    store = CheckpointStore(scene.tree, "traffic_light_control")
    restore_model(model, store.read(store.paths()[0]), store.chunks)
    return model


def trained_part(model):
    """Return a digest of weights, optimizers, steps and the rows of the replay buffer."""
    buffer = getattr(model, "replay_buffer", None)
    rows = None if buffer is None else [buffer.pos, buffer.full, row_arrays(buffer)]
    return digest([model.get_parameters(), model.num_timesteps, rows])


def weights(scene, path=None):
    path = path or find_latest_checkpoint(scene.tree)
    with zipfile.ZipFile(path) as archive, archive.open("policy.pth") as member:
        return th.load(member, weights_only=True)


def same(left, right):
    return left.keys() == right.keys() and all(th.equal(left[name], right[name]) for name in left)


def evaluations(scenes):
    rows = [row for s in scenes for row in read_rows(next((s.outputs / "data" / "logs").rglob("progress.csv")))]
    return [(row["step"], row["eval/mean_reward"]) for row in rows if row.get("eval/mean_reward")]


@pytest.mark.parametrize("name", CONFIGS)
def test_three_sessions_end_bit_for_bit_where_one_does(tmp_path, name):
    config, env = CONFIGS[name]
    (whole,) = chain(tmp_path / "whole", config, env, [256])
    cut = chain(tmp_path / "cut", config, env, [64, 160, 256])
    assert same(weights(whole), weights(cut[-1]))
    assert trained_part(restored(cut[-1], config, env)) == trained_part(plain_learn(config, env))
    best = [CheckpointStore(s.tree, "traffic_light_control").best() for s in (whole, cut[-1])]
    assert (best[0].steps, best[0].metrics) == (best[1].steps, best[1].metrics)
    assert same(
        weights(whole, whole.tree / "best_model/best_model.zip"),
        weights(cut[-1], cut[-1].tree / "best_model/best_model.zip"),
    )
    assert evaluations([whole]) == evaluations(cut) and len(evaluations(cut)) >= 2
    assert cut[-1].summary.exactness is Exactness.EXACT
    assert cut[-1].summary.mean_reward == whole.summary.mean_reward


def test_session_with_nothing_left_to_learn_judges_the_restored_model(tmp_path):
    config, env = CONFIGS["ppo"]
    first, again = chain(tmp_path, config, env, [128, 128])
    assert again.summary.status is SummaryStatus.ALREADY_COMPLETE
    assert again.summary.mean_reward == first.summary.mean_reward


def test_finished_chain_judges_the_restored_model_and_keeps_its_best(tmp_path):
    config, env = CONFIGS["ppo"]
    first, again = chain(tmp_path, config, env, [256, 256])
    assert again.summary.status is SummaryStatus.ALREADY_COMPLETE
    assert again.summary.mean_reward == first.summary.mean_reward
    best = [CheckpointStore(s.tree, "traffic_light_control").best() for s in (first, again)]
    assert best[0].metrics == best[1].metrics


def test_wrong_parent_is_refused(tmp_path):
    config, env = CONFIGS["ppo"]
    (first,) = chain(tmp_path / "a", config, env, [64])
    second = Scene(tmp_path, learner=CheckpointLearner, make_env=gym_factory(env))
    shutil.copytree(first.tree, tmp_path / "inputs")
    assert second.run(config=config, parent="b" * 64) == 5
    assert second.summary.status is SummaryStatus.FAILED and second.summary.steps_after == 64


def test_deadline_that_has_passed_saves_and_stops_at_once(tmp_path):
    scene = Scene(tmp_path, learner=CheckpointLearner, clock=lambda: 99.0)
    assert scene.run(limit_s=100.0, margin_s=30.0) == 0
    assert scene.summary.status is SummaryStatus.STOPPED_AT_DEADLINE
    assert json.loads((scene.outputs / "session_summary.json").read_text())["steps_after"] < 128
