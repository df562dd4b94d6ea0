"""Writes the checkpoints of ``golden/``, under whatever versions it is started with.

From the root of the project, with a Python whose libraries are older than the present ones::

    python -m tests.checkpoints.golden_sets tests/checkpoints/golden/torch-2.4
"""

from __future__ import annotations

import sys
from pathlib import Path

from stable_baselines3 import DQN, PPO
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.vec_env import VecNormalize

from validation_ch7.checkpoints import CheckpointStore, learn_resumable

_NARROW = {"net_arch": [8]}


def ppo(device: str = "cpu") -> PPO:
    """Return PPO on two normalised CartPoles."""
    env = VecNormalize(make_vec_env("CartPole-v1", 2, seed=4))
    return PPO("MlpPolicy", env, n_steps=32, batch_size=32, n_epochs=1, seed=4, policy_kwargs=_NARROW, device=device)


def dqn(device: str = "cpu") -> DQN:
    """Return DQN on one CartPole, whose replay buffer has wrapped after 100 steps."""
    env = make_vec_env("CartPole-v1", 1, seed=4)
    return DQN("MlpPolicy", env, buffer_size=80, learning_starts=20, seed=4, policy_kwargs=_NARROW, device=device)


def write(root: Path) -> None:
    """Write PPO to 128 steps and DQN to 100."""
    learn_resumable(ppo(), 128, CheckpointStore(root, "ppo"))
    learn_resumable(dqn(), 100, CheckpointStore(root, "dqn"))


if __name__ == "__main__":
    write(Path(sys.argv[1]))
