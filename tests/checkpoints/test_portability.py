"""Checkpoints outlive the versions that wrote them, and the place where they were written.

``golden/`` was written by Python 3.11 with numpy 1.26.4, gymnasium 1.0.0, stable-baselines3 2.7.0, torch 2.13.0:
PPO to 128 steps on two normalised CartPoles, DQN to 100 steps on one.
"""

import shutil
from pathlib import Path

import pytest
from stable_baselines3 import DQN, PPO
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.vec_env import VecNormalize

from validation_ch7.checkpoints import CheckpointStore, learn_resumable
from validation_ch7.checkpoints.generators import put_generators, take_generators
from validation_ch7.checkpoints.loop import grade
from validation_ch7.session import Exactness

GOLDEN = Path(__file__).parent / "golden"
NARROW = {"net_arch": [8]}


def ppo():
    env = VecNormalize(make_vec_env("CartPole-v1", 2, seed=4))
    return PPO("MlpPolicy", env, n_steps=32, batch_size=32, n_epochs=1, seed=4, policy_kwargs=NARROW, device="cpu")


def dqn():
    env = make_vec_env("CartPole-v1", 1, seed=4)
    return DQN("MlpPolicy", env, buffer_size=80, learning_starts=20, seed=4, policy_kwargs=NARROW, device="cpu")


@pytest.fixture
def moved(tmp_path):
    shutil.copytree(GOLDEN, tmp_path / "moved to" / "another place")
    return tmp_path / "moved to" / "another place"


@pytest.mark.parametrize(("build", "prefix", "steps", "target"), [(ppo, "ppo", 128, 256), (dqn, "dqn", 100, 200)])
def test_a_checkpoint_of_older_libraries_resumes_and_says_which_they_were(moved, build, prefix, steps, target):
    result = learn_resumable(build(), target, CheckpointStore(moved, prefix))
    assert (result.steps_before, result.steps_after, result.lost) == (steps, target, ())
    assert any(text.startswith("numpy: checkpoint=1.26.4") for text in result.warnings)
    assert any(text.startswith("gymnasium: checkpoint=1.0.0") for text in result.warnings)


def test_statistics_and_replay_of_older_libraries_come_back(moved):
    first, second = ppo(), dqn()
    learn_resumable(first, 128, CheckpointStore(moved, "ppo"))
    learn_resumable(second, 101, CheckpointStore(moved, "dqn"))
    assert first.get_vec_normalize_env().obs_rms.count == pytest.approx(130, abs=1)
    assert (second.replay_buffer.full, second.replay_buffer.pos) == (True, (101 + 3) // 4 * 4 % 80)


def test_two_resumes_of_one_old_checkpoint_end_alike(moved, tmp_path):
    other = shutil.copytree(moved, tmp_path / "second")
    ends = [
        learn_resumable(build(), 200, CheckpointStore(root, "dqn")).digest
        for build, root in ((dqn, moved), (dqn, other))
    ]
    states = [CheckpointStore(root, "dqn").read(CheckpointStore(root, "dqn").path(200)) for root in (moved, other)]
    assert all(ends)
    assert states[0].members["policy.pth"] == states[1].members["policy.pth"]


def test_generators_of_devices_that_are_not_here_lower_the_grade_and_are_named():
    node, arrays = take_generators()
    lost = put_generators(node | {"cuda": node["cuda"] + 1}, arrays)
    assert len(lost) == 1 and "CUDA device(s)" in lost[0]
    assert grade(lost) is Exactness.STATISTICAL
