"""The traffic environment for Gymnasium and for Stable-Baselines3."""

import gymnasium

from validation_ch7.environment.gym_env import TrafficEnv
from validation_ch7.environment.vec_env import TrafficVecEnv, make_vec_env
from validation_ch7.environment.vector_env import TrafficVectorEnv
from validation_ch7.environment_config import EnvironmentConfig, Network

__all__ = ["TrafficEnv", "TrafficVecEnv", "TrafficVectorEnv", "make_vec_env"]

for _name, _network in {
    "Intersection": Network(),
    "Arterial": Network(columns=3),
    "Grid": Network(rows=2, columns=2),
}.items():
    gymnasium.register(
        f"Traffic/{_name}-v0",
        entry_point="validation_ch7.environment.gym_env:TrafficEnv",
        vector_entry_point="validation_ch7.environment.vector_env:TrafficVectorEnv",
        kwargs={"config": EnvironmentConfig(network=_network)},
    )
