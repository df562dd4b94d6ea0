"""Stable-Baselines3 training throughput: our vector environment, a DummyVecEnv of single ones, and a null one."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from statistics import median
from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from stable_baselines3 import DQN, PPO
from stable_baselines3.common.vec_env import DummyVecEnv, VecEnv, VecNormalize

from validation_ch7.config import load_section, section_file
from validation_ch7.environment import TrafficEnv, make_vec_env
from validation_ch7.environment_config import EnvironmentConfig, Network


class NullVecEnv(VecEnv):
    """Answers at once with the same arrays, of the shapes of ``config``: what is left is SB3's own cost.

    With ``episodes``, all rows reach the horizon together, as ours do: SB3 then evaluates each row's last observation.
    """

    def __init__(self, config: EnvironmentConfig, rows: int, episodes: bool) -> None:
        like = make_vec_env(config, [0])
        assert isinstance(like.observation_space, spaces.Box)
        self.observation = np.zeros((rows, *like.observation_space.shape), np.float32)
        self.horizon = config.steps_per_episode if episodes else 1 << 60
        self.steps = 0
        super().__init__(rows, like.observation_space, like.action_space)

    def reset(self) -> Any:
        self.steps = 0
        return self.observation

    def step_async(self, actions: Any) -> None:
        """Ignore the actions."""

    def step_wait(self) -> Any:
        self.steps += 1
        infos: list[dict[str, Any]] = [{} for _ in range(self.num_envs)]
        done = np.full(self.num_envs, self.steps == self.horizon)
        if done[0]:
            self.steps = 0
            episode = {"r": 0.0, "l": self.horizon, "t": 0.0}
            last = self.observation
            infos = [
                {"terminal_observation": last[row].copy(), "TimeLimit.truncated": True, "episode": dict(episode)}
                for row in range(self.num_envs)
            ]
        return self.observation, np.zeros(self.num_envs, np.float32), done, infos

    def close(self) -> None:
        """Nothing to release."""

    def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
        return [None] * self.num_envs

    def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:
        """Nothing to set."""

    def env_method(self, method_name: str, *args: Any, indices: Any = None, **kwargs: Any) -> list[Any]:
        return [None] * self.num_envs

    def env_is_wrapped(self, wrapper_class: Any, indices: Any = None) -> list[bool]:
        return [False] * self.num_envs


DEFAULT = EnvironmentConfig()
SHORT_ROADS = EnvironmentConfig(network=Network(entry_length_m=250))
SECTION = load_section(section_file("section_7_6_rl_performance")).environment  # traffic_light_control


def on_all_cores(config: EnvironmentConfig) -> EnvironmentConfig:
    """Return the same environment with its batch shared among all cores."""
    return config.model_copy(update={"solver": config.solver.model_copy(update={"threads": os.cpu_count()})})


ENVIRONMENTS: dict[str, Callable[[int], VecEnv]] = {
    "ours": lambda rows: make_vec_env(DEFAULT, range(rows)),
    "ours, roads of 250 m": lambda rows: make_vec_env(SHORT_ROADS, range(rows)),
    "DummyVecEnv of ours": lambda rows: DummyVecEnv([TrafficEnv] * rows),
    "null": lambda rows: NullVecEnv(DEFAULT, rows, False),
    "null with episodes": lambda rows: NullVecEnv(DEFAULT, rows, True),
    "ours, section 7.6": lambda rows: make_vec_env(SECTION, range(rows)),
    "ours, all cores": lambda rows: make_vec_env(on_all_cores(DEFAULT), range(rows)),
    "ours, section 7.6, all cores": lambda rows: make_vec_env(on_all_cores(SECTION), range(rows)),
    "null, section 7.6": lambda rows: NullVecEnv(SECTION, rows, False),
    "null with episodes, section 7.6": lambda rows: NullVecEnv(SECTION, rows, True),
}
SHARES = (
    ("ours", "null"),
    ("ours, all cores", "null"),
    ("ours, roads of 250 m", "null"),
    ("ours, section 7.6", "null, section 7.6"),
    ("ours, section 7.6, all cores", "null, section 7.6"),
    ("ours, section 7.6, all cores", "null with episodes, section 7.6"),
)
"""Which rates are compared with which ceiling; observations of short roads have the shape of the default's."""


def ppo(env: VecEnv) -> Any:
    return PPO("MlpPolicy", env, n_steps=2048 * 2 // env.num_envs, batch_size=2048, n_epochs=4, device="cpu")


def default_ppo(env: VecEnv) -> Any:
    """Return PPO with Stable-Baselines3's hyperparameters, but for a shorter rollout (256 steps, not 2,048)."""
    return PPO("MlpPolicy", env, n_steps=16_384 // env.num_envs, device="cpu")


def section_ppo(env: VecEnv) -> Any:
    """Return PPO as section.yml sets it up, normalisation included."""
    size = {"net_arch": [128, 128], "activation_fn": torch.nn.Tanh}
    normalized = VecNormalize(env, gamma=0.98)
    return PPO(
        "MlpPolicy", normalized, n_steps=64, batch_size=2048, n_epochs=4, gamma=0.98, policy_kwargs=size, device="cpu"
    )


def dqn(env: VecEnv) -> Any:
    return DQN("MlpPolicy", env, learning_starts=1000, train_freq=1, gradient_steps=1, device="cpu")


def throughput(rounds: int = 3) -> list[dict[str, Any]]:
    """Return steps per second of each algorithm and environment, medians of interleaved rounds, one thread."""
    torch.set_num_threads(1)
    cases = [
        ("PPO", ppo, 64, 32_768),
        ("PPO of section 7.6", section_ppo, 64, 32_768),
        ("PPO, SB3's defaults", default_ppo, 64, 16_384),
        ("PPO", ppo, 1, 8_192),
        ("DQN", dqn, 64, 25_600),
        ("DQN", dqn, 1, 2_000),
    ]
    rows = []
    for name, build, size, steps in cases:
        rates: dict[str, list[float]] = {kind: [] for kind in ENVIRONMENTS}
        for _ in range(rounds):
            for kind, make in ENVIRONMENTS.items():
                model = build(make(size))
                start = time.perf_counter()
                model.learn(steps)
                rates[kind].append(model.num_timesteps / (time.perf_counter() - start))
        rows.append(
            {"algorithm": name, "environments": size, **{kind: median(values) for kind, values in rates.items()}}
        )
    return rows
