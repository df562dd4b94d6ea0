"""Every kind of training whose resume must be exact, each small enough to run in a second."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium import spaces
from sb3_contrib import QRDQN, TQC, MaskablePPO, RecurrentPPO
from sb3_contrib.common.envs import InvalidActionEnvDiscrete
from stable_baselines3 import A2C, DDPG, DQN, PPO, SAC, TD3, HerReplayBuffer
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.buffers import NStepReplayBuffer
from stable_baselines3.common.callbacks import BaseCallback, EvalCallback
from stable_baselines3.common.envs import BitFlippingEnv, SimpleMultiObsEnv
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.noise import NormalActionNoise, OrnsteinUhlenbeckActionNoise
from stable_baselines3.common.vec_env import DummyVecEnv, SubprocVecEnv, VecEnv, VecFrameStack, VecNormalize

from validation_ch7.checkpoints import ResumableEnv
from validation_ch7.environment_config import EnvironmentConfig

SEED = 7
_TINY = {"net_arch": [8]}
DEVICE = "CASES_DEVICE"
"""The environment variable that names the device of every case; it reaches child processes too."""


def device() -> str:
    """Return the device that the cases train on: the processor unless :data:`DEVICE` says otherwise."""
    return os.environ.get(DEVICE, "cpu")


@dataclass(frozen=True)
class Case:
    """One kind of training.

    Attributes:
        build: makes a new model with its environment, always the same.
        total: environment steps of the whole chain.
        callback: makes the callback; gets the folder for its files.
    """

    name: str
    build: Callable[[], BaseAlgorithm]
    total: int
    callback: Callable[[Path], BaseCallback] | None = None


def _linear(progress: float) -> float:
    return 3e-3 * progress


def _stairs(progress: float) -> float:
    return 1e-3 if progress > 0.5 else 2e-4 + 1e-4 * progress**2


def venv(make: Callable[[], gym.Env[Any, Any]] | str, n: int = 1) -> VecEnv:
    """Return monitored environments in this process."""
    factory: Callable[[], gym.Env[Any, Any]] = (lambda: gym.make(make)) if isinstance(make, str) else make
    return DummyVecEnv([lambda: Monitor(factory()) for _ in range(n)])


def workers(name: str, n: int = 2) -> VecEnv:
    """Return resumable environments in processes of their own."""
    return SubprocVecEnv([lambda: ResumableEnv(Monitor(gym.make(name))) for _ in range(n)], start_method="fork")


def on_policy(kind: type[Any], env: Any, policy: str = "MlpPolicy", **options: Any) -> BaseAlgorithm:
    """Return a tiny PPO or A2C, or a relative of theirs."""
    small = {"n_steps": 5} if kind is A2C else {"n_steps": 32, "batch_size": 16, "n_epochs": 2}
    kwargs = _TINY | options.pop("policy_kwargs", {})
    return kind(policy, env, seed=SEED, policy_kwargs=kwargs, device=device(), **small | options)


def off_policy(kind: type[Any], env: Any, policy: str = "MlpPolicy", **options: Any) -> BaseAlgorithm:
    """Return a tiny model with a replay buffer that wraps within a few hundred steps."""
    small = {"buffer_size": 150, "learning_starts": 40, "batch_size": 8}
    kwargs = _TINY | options.pop("policy_kwargs", {})
    return kind(policy, env, seed=SEED, policy_kwargs=kwargs, device=device(), **small | options)


def _noise(kind: type[Any]) -> Any:
    return kind(mean=np.zeros(1), sigma=0.3 * np.ones(1))


def _eval(name: str, *, normalize: bool = False) -> Callable[[Path], BaseCallback]:
    def make(folder: Path) -> BaseCallback:
        env: VecEnv = venv(name)
        env.seed(3)
        env = VecNormalize(env, training=False) if normalize else env
        return EvalCallback(
            env, n_eval_episodes=2, eval_freq=64, best_model_save_path=str(folder), verbose=0, warn=False
        )

    return make


class CtypesEnv(gym.Env[Any, Any]):
    """A walk whose position lives in C memory, where nobody can see it."""

    def __init__(self) -> None:
        self.observation_space = spaces.Box(-20, 20, (1,), np.float32)
        self.action_space = spaces.Discrete(2)
        self._position = ctypes.c_double(0.0)
        self._steps = 0

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self._position.value, self._steps = float(self.np_random.normal()), 0
        return self._observe(), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        self._position.value += 1.0 if action else -1.0
        self._steps += 1
        return self._observe(), -abs(self._position.value), self._steps >= 20, False, {}

    def _observe(self) -> Any:
        return np.array([self._position.value], dtype=np.float32)


class StatefulEnv(CtypesEnv):
    """The same walk, which says its state itself."""

    def get_state(self) -> dict[str, Any]:
        return {"position": self._position.value, "steps": self._steps, "rng": self.np_random}

    def set_state(self, state: dict[str, Any]) -> None:
        self._position.value, self._steps, self.np_random = state["position"], state["steps"], state["rng"]


def _maze() -> gym.Env[Any, Any]:
    np.random.seed(1)  # its pictures are drawn when it is made
    return SimpleMultiObsEnv(num_col=2, num_row=2, random_start=True)


class _Parts(gym.ObservationWrapper[Any, Any, Any]):
    """Pendulum that names the parts of its observation."""

    def __init__(self, env: gym.Env[Any, Any]) -> None:
        super().__init__(env)
        self.observation_space = spaces.Dict(
            {"place": spaces.Box(-1, 1, (2,), np.float32), "speed": spaces.Box(-8, 8, (1,), np.float32)}
        )

    def observation(self, observation: Any) -> Any:
        return {"place": observation[:2], "speed": observation[2:]}


def _dictionaries() -> gym.Env[Any, Any]:
    return _Parts(gym.make("Pendulum-v1"))


def _minigrid() -> gym.Env[Any, Any]:
    wrappers = pytest.importorskip("minigrid.wrappers")  # registers the environments too
    return wrappers.FlatObsWrapper(gym.make("MiniGrid-Dynamic-Obstacles-5x5-v0", max_steps=40))


def _highway() -> gym.Env[Any, Any]:
    pytest.importorskip("highway_env")  # registers the environments
    return gym.make("highway-fast-v0", config={"vehicles_count": 5, "duration": 8})


def _traffic(rows: int, **options: Any) -> VecEnv:
    from validation_ch7.environment import make_vec_env  # it brings numba, which most cases do not need

    return make_vec_env(EnvironmentConfig(horizon_s=100, **options), range(rows))


def _traffic_gym() -> gym.Env[Any, Any]:
    from validation_ch7.environment import TrafficEnv

    return TrafficEnv(EnvironmentConfig(horizon_s=100))


def _her() -> BaseAlgorithm:
    env = DummyVecEnv([lambda: Monitor(BitFlippingEnv(n_bits=4, continuous=True, max_steps=8))])
    options = {"n_sampled_goal": 2, "goal_selection_strategy": "future"}
    return off_policy(
        SAC, env, "MultiInputPolicy", replay_buffer_class=HerReplayBuffer, replay_buffer_kwargs=options, train_freq=4
    )


_EVERY_EPISODE = (1, "episode")
_PENDULUM, _CARTPOLE = "Pendulum-v1", "CartPole-v1"

CASES = [
    Case("ppo", lambda: on_policy(PPO, venv(_CARTPOLE)), 224),
    Case("ppo-linear-normalized", lambda: _ppo_normalized(), 256, _eval(_PENDULUM, normalize=True)),
    Case("ppo-stairs-clip", lambda: on_policy(PPO, venv("Acrobot-v1"), learning_rate=_stairs, clip_range=_linear), 160),
    Case("ppo-sde-sampled", lambda: on_policy(PPO, venv(_PENDULUM), use_sde=True, sde_sample_freq=5), 160),
    Case("ppo-three-envs", lambda: on_policy(PPO, venv(_CARTPOLE, 3)), 384, _eval(_CARTPOLE)),
    Case("ppo-workers", lambda: on_policy(PPO, workers(_CARTPOLE)), 256),
    Case("ppo-dict", lambda: on_policy(PPO, venv(_maze), "MultiInputPolicy"), 160),
    Case("ppo-frames", lambda: on_policy(PPO, VecFrameStack(venv(_CARTPOLE), 3)), 192),
    Case("ppo-stateful-env", lambda: on_policy(PPO, venv(StatefulEnv)), 160),
    Case("ppo-minigrid", lambda: on_policy(PPO, venv(_minigrid)), 160),
    Case("a2c", lambda: on_policy(A2C, venv("MountainCar-v0")), 120),
    Case("a2c-sde", lambda: on_policy(A2C, venv(_PENDULUM), use_sde=True, learning_rate=_linear), 120),
    Case("dqn", lambda: off_policy(DQN, venv(_CARTPOLE), target_update_interval=50), 320, _eval(_CARTPOLE)),
    Case("dqn-linear-workers", lambda: off_policy(DQN, workers(_CARTPOLE), learning_rate=_linear), 240),
    Case("dqn-three-envs", lambda: off_policy(DQN, venv("Acrobot-v1", 3), train_freq=2, gradient_steps=2), 300),
    Case("dqn-memory", lambda: off_policy(DQN, venv(_CARTPOLE), optimize_memory_usage=True,
                                          replay_buffer_kwargs={"handle_timeout_termination": False}), 260),
    Case("dqn-n-step", lambda: off_policy(DQN, venv(_CARTPOLE), replay_buffer_class=NStepReplayBuffer,
                                          replay_buffer_kwargs={"n_steps": 3, "gamma": 0.99},
                                          exploration_initial_eps=0.3, exploration_final_eps=0.3), 260),
    Case("dqn-episodes", lambda: off_policy(DQN, venv(_CARTPOLE), train_freq=_EVERY_EPISODE, gradient_steps=4), 320),
    Case("dqn-dict", lambda: off_policy(DQN, venv(_maze), "MultiInputPolicy"), 180),
    Case("dqn-toy-text", lambda: off_policy(DQN, venv("FrozenLake-v1")), 200),
    Case("sac", lambda: off_policy(SAC, venv(_PENDULUM), train_freq=2), 240, _eval(_PENDULUM)),
    Case("sac-sde-linear", lambda: off_policy(SAC, venv(_PENDULUM), use_sde=True, sde_sample_freq=3, train_freq=8,
                                              use_sde_at_warmup=True, learning_rate=_linear), 200),
    Case("sac-normalized", lambda: off_policy(SAC, VecNormalize(venv(_PENDULUM, 2)), train_freq=4), 240),
    Case("sac-fixed-entropy", lambda: off_policy(SAC, venv(_PENDULUM), ent_coef=0.2, train_freq=4), 160),
    Case("td3-normal-noise", lambda: off_policy(TD3, venv(_PENDULUM), action_noise=_noise(NormalActionNoise)), 200),
    Case("td3-ou-noise", lambda: off_policy(TD3, venv(_PENDULUM, 2), train_freq=4,
                                            action_noise=_noise(OrnsteinUhlenbeckActionNoise)), 240),
    Case("td3-episodes", lambda: off_policy(TD3, venv(lambda: gym.make(_PENDULUM, max_episode_steps=30)),
                                            train_freq=_EVERY_EPISODE, action_noise=_noise(NormalActionNoise),
                                            gradient_steps=10), 210),
    Case("td3-n-step", lambda: off_policy(TD3, venv("MountainCarContinuous-v0"), n_steps=3, train_freq=4), 160),
    Case("ddpg", lambda: off_policy(DDPG, venv(_PENDULUM), action_noise=_noise(OrnsteinUhlenbeckActionNoise)), 200),
    Case("her", lambda: _her(), 240),
    Case("recurrent-ppo", lambda: on_policy(RecurrentPPO, venv(_CARTPOLE), "MlpLstmPolicy",
                                            policy_kwargs={"net_arch": [8], "lstm_hidden_size": 8}), 160),
    Case("qrdqn", lambda: off_policy(QRDQN, venv(_CARTPOLE), policy_kwargs={"n_quantiles": 5}), 200),
    Case("tqc", lambda: off_policy(TQC, venv(_PENDULUM), policy_kwargs={"n_quantiles": 5}, train_freq=4), 160),
    Case("maskable-ppo", lambda: on_policy(MaskablePPO, venv(lambda: InvalidActionEnvDiscrete(4, 2))), 160),
]  # fmt: skip

SLOW_CASES = [
    Case("ppo-traffic", lambda: on_policy(PPO, VecNormalize(_traffic(2))), 256),
    Case("dqn-traffic", lambda: off_policy(DQN, venv(_traffic_gym), train_freq=_EVERY_EPISODE, gradient_steps=5), 180),
    Case("qrdqn-traffic", lambda: off_policy(QRDQN, _traffic(3), policy_kwargs={"n_quantiles": 5}), 240),
    Case("ppo-highway", lambda: on_policy(PPO, venv(_highway)), 160),
    Case("dqn-highway", lambda: off_policy(DQN, venv(_highway)), 120),
    Case("dqn-minigrid", lambda: off_policy(DQN, venv(_minigrid, 2)), 240),
    Case("ppo-workers-normalized", lambda: on_policy(PPO, VecNormalize(workers(_PENDULUM, 2))), 256),
    Case("ddpg-normalized-two-envs", lambda: off_policy(DDPG, VecNormalize(venv(_PENDULUM, 2)), train_freq=2), 240),
    Case("dqn-normalized-stairs", lambda: off_policy(DQN, VecNormalize(venv(_CARTPOLE, 2)), learning_rate=_stairs),
         240, _eval(_CARTPOLE, normalize=True)),
    Case("td3-normalized-eval", lambda: off_policy(TD3, VecNormalize(venv(_PENDULUM)), learning_rate=_linear,
                                                   action_noise=_noise(NormalActionNoise)),
         200, _eval(_PENDULUM, normalize=True)),
    Case("a2c-two-envs-normalized-eval",
         lambda: on_policy(A2C, VecNormalize(venv(_PENDULUM, 2)), learning_rate=_stairs),
         200, _eval(_PENDULUM, normalize=True)),
    Case("ddpg-episodes-eval", lambda: off_policy(DDPG, venv(lambda: gym.make(_PENDULUM, max_episode_steps=30)),
                                                  train_freq=_EVERY_EPISODE, gradient_steps=10,
                                                  action_noise=_noise(NormalActionNoise)), 210, _eval(_PENDULUM)),
    Case("sac-dict-sde", lambda: off_policy(SAC, venv(_dictionaries), "MultiInputPolicy", use_sde=True, train_freq=8,
                                            sde_sample_freq=3), 200),
]  # fmt: skip


def _ppo_normalized() -> BaseAlgorithm:
    return on_policy(PPO, VecNormalize(venv(_PENDULUM, 2)), learning_rate=_linear)


def case(name: str) -> Case:
    """Return the case of that name."""
    return next(item for item in (*CASES, *SLOW_CASES) if item.name == name)
