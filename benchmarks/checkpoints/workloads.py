"""What is saved: a small policy, and a DQN whose replay buffer is full of 26 numbers a row."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from stable_baselines3 import DQN, PPO
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.callbacks import CheckpointCallback
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env import DummyVecEnv

from validation_ch7.checkpoints import CheckpointStore
from validation_ch7.checkpoints.saver import Lineage, Saver, SaveSettings

OBSERVATION = 26
ROW_BYTES = 2 * 4 * OBSERVATION + 8 + 3 * 4
"""Bytes of a transition in SB3's buffer: two observations, action, reward, done, timeout."""


class Cheap(gym.Env[Any, Any]):
    """An environment that costs next to nothing, so that shares of time are upper bounds."""

    observation_space = spaces.Box(-np.inf, np.inf, (OBSERVATION,), np.float32)
    action_space = spaces.Discrete(4)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self._steps = 0
        return self._observe(), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        self._steps += 1
        return self._observe(), 1.0, False, self._steps >= 500, {}

    def _observe(self) -> Any:
        return self.np_random.standard_normal(OBSERVATION, dtype=np.float32)


def ppo(device: str = "cpu") -> BaseAlgorithm:
    """Return a PPO with SB3's default network, after one rollout."""
    model = PPO("MlpPolicy", DummyVecEnv([lambda: Monitor(Cheap())]), n_steps=64, n_epochs=1, device=device, seed=0)
    model.learn(64)
    _remember_episodes(model)
    return model


def _remember_episodes(model: BaseAlgorithm) -> None:
    assert model.ep_info_buffer is not None
    for index in range(100):
        model.ep_info_buffer.append({"r": index + 0.5, "l": 500, "t": index + 0.25})


def empty_dqn(rows: int, device: str = "cpu") -> DQN:
    """Return a DQN whose buffer has room for ``rows`` transitions."""
    env = DummyVecEnv([lambda: Monitor(Cheap())])
    return DQN("MlpPolicy", env, buffer_size=rows, learning_starts=100, device=device, seed=0)


def dqn(rows: int, device: str = "cpu") -> DQN:
    """Return a DQN whose buffer holds ``rows`` transitions and is full."""
    model = empty_dqn(rows, device)
    model.learn(8)
    _remember_episodes(model)
    buffer: Any = model.replay_buffer
    random = np.random.default_rng(0)
    for array in (buffer.observations, buffer.next_observations, buffer.rewards):
        random.standard_normal(dtype=np.float32, out=array)
    buffer.pos, buffer.full = 0, True
    return model


def advance(model: BaseAlgorithm, rows: int) -> None:
    """Add as many transitions as training would between two saves."""
    buffer = getattr(model, "replay_buffer", None)
    model.num_timesteps += rows
    if buffer is not None:
        places = (buffer.pos + np.arange(rows)) % buffer.buffer_size
        buffer.observations[places, 0, 0] = model.num_timesteps
        buffer.full = buffer.full or buffer.pos + rows >= buffer.buffer_size
        buffer.pos = (buffer.pos + rows) % buffer.buffer_size


def saver_for(model: BaseAlgorithm, folder: Path) -> Saver:
    """Return our saver, as ``learn_resumable`` makes it."""
    store = CheckpointStore(folder, "bench")
    for path in (store.folder, store.chunks):
        path.mkdir(parents=True, exist_ok=True)
    return Saver(store, model, SaveSettings(), Lineage("bench"))


def sb3_for(model: BaseAlgorithm, folder: Path) -> CheckpointCallback:
    """Return SB3's callback with everything on that a resume needs."""
    callback = CheckpointCallback(1, str(folder), save_replay_buffer=True, save_vecnormalize=True)
    callback.init_callback(model)
    return callback


def torchrl_for(model: BaseAlgorithm, rows: int) -> Any:
    """Return TorchRL's replay buffer with the same rows, or None where TorchRL is not installed."""
    try:
        import torch as th
        from tensordict import TensorDict
        from torchrl.data import LazyTensorStorage, TensorDictReplayBuffer
    except ImportError:
        return None
    if not rows:
        return False
    buffer: Any = model.replay_buffer  # type: ignore[attr-defined]
    names = ("observations", "next_observations", "actions", "rewards", "dones")
    columns: Mapping[str, Any] = {name: th.from_numpy(getattr(buffer, name)) for name in names}
    replay = TensorDictReplayBuffer(storage=LazyTensorStorage(rows))
    replay.extend(TensorDict(columns, [rows]))
    return replay
