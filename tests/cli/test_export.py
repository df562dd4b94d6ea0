from __future__ import annotations

import json
import pickle
import subprocess
import sys

import numpy as np
import pytest
from stable_baselines3 import DQN, PPO, SAC
from stable_baselines3.common.buffers import NStepReplayBuffer
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.vec_env import VecNormalize

from tests.cli.conftest import cart_pole_model, plain
from validation_ch7.checkpoints import CheckpointStore, learn_resumable
from validation_ch7.checkpoints.export import build_replay, export_sb3
from validation_ch7.checkpoints.replay import row_arrays
from validation_ch7.checkpoints.resume import read_state, restore_model

OUTSIDER = """
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == "validation_ch7":
            raise ImportError(name)
sys.meta_path.insert(0, Absent())
import json, numpy as np
from stable_baselines3 import DQN
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.vec_env import VecNormalize
folder, steps = sys.argv[1], int(sys.argv[2])
model = DQN.load(folder + "/model.zip", device="cpu")
model.load_replay_buffer(folder + "/replay_buffer.pkl")
env = VecNormalize.load(folder + "/vecnormalize.pkl", make_vec_env("CartPole-v1", 2, seed=1))
raw = np.linspace(-0.2, 0.2, 40, dtype=np.float32).reshape(10, 4)
seen = env.normalize_obs(raw)
q = model.q_net(model.policy.obs_to_tensor(seen)[0]).detach().numpy()
rows = model.replay_buffer.size()
model.set_env(env)
model.learn(steps, reset_num_timesteps=False)
print(json.dumps({"seen": seen.tolist(), "q": q.tolist(), "rows": rows, "steps": model.num_timesteps}))
"""


def restored(tree, steps):
    model = cart_pole_model()
    restore_model(model, tree.store.read(tree.store.path(steps)), tree.store.chunks)
    return model


def test_plain_sb3_predicts_the_same_and_trains_on_without_this_package(ask, tree, tmp_path):
    data = plain(ask("export-sb3", "304", tmp_path / "out", "--json"))
    assert (data["algorithm"], data["steps"], data["notes"]) == ("DQN", 304, [])
    words = [sys.executable, "-W", "ignore", "-c", OUTSIDER, str(tmp_path / "out"), "40"]
    ran = subprocess.run(words, cwd=tmp_path, capture_output=True, check=False, timeout=120)
    assert ran.returncode == 0, ran.stderr.decode()
    there = json.loads(ran.stdout)
    model = restored(tree, 304)
    raw = np.linspace(-0.2, 0.2, 40, dtype=np.float32).reshape(10, 4)
    normalize = pickle.loads((tmp_path / "out" / "vecnormalize.pkl").read_bytes())
    seen = normalize.normalize_obs(raw)
    assert np.array_equal(np.float32(there["seen"]), seen)
    here = model.q_net(model.policy.obs_to_tensor(seen)[0]).detach().numpy()
    assert np.array_equal(np.float32(there["q"]), here)
    assert (there["rows"], there["steps"]) == (model.replay_buffer.size(), 344)


def test_replay_buffer_and_statistics_are_equal_in_every_bit(ask, tree, made, tmp_path):
    ask("export-sb3", "latest", tmp_path / "out")
    model = restored(tree, 304)
    buffer = pickle.loads((tmp_path / "out" / "replay_buffer.pkl").read_bytes())
    assert vars(buffer).keys() == vars(model.replay_buffer).keys()
    for name, rows in row_arrays(model.replay_buffer).items():
        assert np.array_equal(row_arrays(buffer)[name], rows), name
    assert (buffer.pos, buffer.full) == (model.replay_buffer.pos, model.replay_buffer.full)
    normalize = pickle.loads((tmp_path / "out" / "vecnormalize.pkl").read_bytes())
    assert (normalize.clip_obs, normalize.gamma) == (5.0, 0.99)
    again = cart_pole_model()
    learn_resumable(again, 304, made.store)
    assert normalize.observation_space == again.get_vec_normalize_env().observation_space


def test_statistics_are_those_of_the_training(tmp_path):
    model = PPO("MlpPolicy", VecNormalize(make_vec_env("CartPole-v1", 2, seed=3)), n_steps=16, batch_size=32, seed=0)
    store = CheckpointStore(tmp_path / "s", "ppo")
    learn_resumable(model, 64, store)
    export = export_sb3(store.paths()[0], store.chunks, tmp_path / "out")
    assert [path.name for path in export.files] == ["model.zip", "vecnormalize.pkl"] and export.notes == ()
    found, live = pickle.loads(export.files[1].read_bytes()), model.get_vec_normalize_env()
    for mine, theirs in ((found.obs_rms, live.obs_rms), (found.ret_rms, live.ret_rms)):
        assert np.array_equal(mine.mean, theirs.mean) and np.array_equal(mine.var, theirs.var)
        assert mine.count == theirs.count
    observation = live.reset()
    assert np.array_equal(PPO.load(export.files[0]).predict(observation)[0].shape, (2,))


@pytest.mark.parametrize("kind", ["n-step", "memory"])
def test_other_replay_buffers_are_exported_too(tmp_path, kind):
    env = make_vec_env("Pendulum-v1", 1, seed=3)
    n_step = {"replay_buffer_class": NStepReplayBuffer, "replay_buffer_kwargs": {"n_steps": 3, "gamma": 0.9}}
    memory = {"optimize_memory_usage": True, "replay_buffer_kwargs": {"handle_timeout_termination": False}}
    more = n_step if kind == "n-step" else memory
    small = {"policy_kwargs": {"net_arch": [4]}, "buffer_size": 30, "learning_starts": 10}
    model = SAC("MlpPolicy", env, seed=0, device="cpu", **small, **more)
    store = CheckpointStore(tmp_path / "s", "sac")
    learn_resumable(model, 45, store)
    archive = store.read(store.paths()[0])
    buffer = build_replay(archive, read_state(archive), store.chunks)
    assert type(buffer) is type(model.replay_buffer)
    for name, rows in row_arrays(model.replay_buffer).items():
        assert np.array_equal(row_arrays(buffer)[name], rows), name


def test_export_reads_no_pickle(ask, tmp_path, monkeypatch):
    def refuse(*_args, **_kwargs):
        raise AssertionError("a pickle was read")

    import cloudpickle

    for module in (pickle, cloudpickle):
        for name in ("load", "loads", "Unpickler"):
            if hasattr(module, name):
                monkeypatch.setattr(module, name, refuse)
    assert ask("export-sb3", "304", tmp_path / "out").exit_code == 0


def test_best_model_has_no_replay_buffer_and_says_so(ask, tmp_path):
    data = plain(ask("export-sb3", "best", tmp_path / "out", "--json"))
    assert len(data["files"]) == 2 and "replay buffer" in data["notes"][0]
    assert DQN.load(tmp_path / "out" / "model.zip").num_timesteps == 304


def test_export_replaces_nothing_unless_told_so(ask, tmp_path):
    assert ask("export-sb3", "304", tmp_path / "out").exit_code == 0
    result = ask("export-sb3", "best", tmp_path / "out")
    assert (result.exit_code, result.stderr.count("❌")) == (2, 1)
    assert ask("export-sb3", "best", tmp_path / "out", "--force").exit_code == 0
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == ["model.zip", "vecnormalize.pkl"]


def test_damaged_checkpoint_is_not_exported(ask, tree, tmp_path):
    tree.damage(304)
    result = ask("export-sb3", "304", tmp_path / "out")
    assert (result.exit_code, (tmp_path / "out").exists()) == (5, False)


def test_missing_chunk_is_not_exported(ask, tree, tmp_path):
    next(tree.store.chunks.glob("*.npz")).unlink()
    result = ask("export-sb3", "304", tmp_path / "out")
    assert (result.exit_code, (tmp_path / "out").exists()) == (5, False)


def test_file_in_place_of_the_folder_is_one_message(ask, tmp_path):
    (tmp_path / "out").write_text("")
    result = ask("export-sb3", "304", tmp_path / "out")
    assert (result.exit_code, result.stderr.count("❌")) == (3, 1)
