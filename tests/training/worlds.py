from collections.abc import Callable, Sequence
from typing import Any

import gymnasium as gym
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env import DummyVecEnv, VecEnv

from validation_ch7.config import SectionConfig
from validation_ch7.environment_config import EnvironmentConfig


class Measured(gym.Wrapper):
    """Reports a traffic quantity at the end of each episode, as the traffic environment does."""

    steps = 0

    def reset(self, **kwargs: Any) -> Any:
        self.steps = 0
        return self.env.reset(**kwargs)

    def step(self, action: Any) -> Any:
        self.steps += 1
        observation, reward, terminated, truncated, info = self.env.step(action)
        if terminated or truncated:
            info["traffic"] = {"mean_delay_s": float(self.steps)}
        return observation, reward, terminated, truncated, info


def gym_factory(name: str) -> Callable[[EnvironmentConfig, Sequence[int]], VecEnv]:
    """Return a factory in the shape of the traffic environment's: one row for each seed."""

    def make(config: EnvironmentConfig, seeds: Sequence[int]) -> VecEnv:
        env = DummyVecEnv([lambda: Monitor(Measured(gym.make(name))) for _ in seeds])
        env._seeds = list(seeds)
        return env

    return make


def section_config(algorithm: str = "ppo", hyperparameters: dict[str, Any] | None = None, **changes: Any) -> Any:
    training = {"algorithm": algorithm, "n_timesteps": 256, "n_envs": 2, "policy_kwargs": {"net_arch": [8]}}
    if algorithm == "ppo":
        hyperparameters = {"n_steps": 32, "batch_size": 32, "n_epochs": 1} | (hyperparameters or {})
    training["hyperparameters"] = hyperparameters or {}
    top = {key: changes.pop(key) for key in ("seed", "evaluation", "scenario", "checkpoints") if key in changes}
    return SectionConfig.from_plain(
        {
            "section": "section_7_6_rl_performance",
            "scenario": "traffic_light_control",
            "default_scenario": "traffic_light_control",
            "environment": {},
            "training": training | changes,
            **top,
        },
        "a test",
    )
