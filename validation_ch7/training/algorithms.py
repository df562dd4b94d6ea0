"""From a configuration to a model: any algorithm of Stable-Baselines3 by its name, in the manner of RL Zoo."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
import torch as th
from gymnasium import spaces
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.noise import ActionNoise, NormalActionNoise, OrnsteinUhlenbeckActionNoise
from stable_baselines3.common.utils import set_random_seed
from stable_baselines3.common.vec_env import VecEnv, VecNormalize

from validation_ch7.config import SectionConfig, TrainingConfig
from validation_ch7.environment_config import EnvironmentConfig
from validation_ch7.errors import ConfigurationError, UnsuitedError
from validation_ch7.training.hyperparameters import resolve_hyperparameters
from validation_ch7.training.policy_kwargs import resolve_policy_kwargs
from validation_ch7.training.seeds import training_seeds

MakeEnv = Callable[[EnvironmentConfig, Sequence[int]], VecEnv]

_CONTINUOUS = (spaces.Box,)
_DISCRETE = (spaces.Discrete,)
_COUNTED = (spaces.Discrete, spaces.MultiDiscrete, spaces.MultiBinary)
_ANY = (spaces.Box, *_COUNTED)


@dataclass(frozen=True)
class Algorithm:
    """Where an algorithm comes from and which actions it can take."""

    name: str
    package: str
    class_name: str
    actions: tuple[type[spaces.Space[Any]], ...]
    on_policy: bool = False

    def load(self) -> type[BaseAlgorithm]:
        """Return its class.

        Raises:
            ConfigurationError: its package is not installed.
        """
        try:
            return getattr(importlib.import_module(self.package), self.class_name)  # type: ignore[no-any-return]
        except (ImportError, AttributeError):
            package = self.package.replace("_", "-")
            raise ConfigurationError(
                "The algorithm comes from a package that is not installed.",
                where=f"algorithms.{self.name}",
                expected=f"{package} with {self.class_name}",
                remedy=f"python -m pip install {package}",
            ) from None


_SB3 = "stable_baselines3"
_CONTRIB = "sb3_contrib"
_KNOWN = (
    Algorithm("ppo", _SB3, "PPO", _ANY, on_policy=True),
    Algorithm("a2c", _SB3, "A2C", _ANY, on_policy=True),
    Algorithm("dqn", _SB3, "DQN", _DISCRETE),
    Algorithm("sac", _SB3, "SAC", _CONTINUOUS),
    Algorithm("td3", _SB3, "TD3", _CONTINUOUS),
    Algorithm("ddpg", _SB3, "DDPG", _CONTINUOUS),
    Algorithm("qrdqn", _CONTRIB, "QRDQN", _DISCRETE),
    Algorithm("tqc", _CONTRIB, "TQC", _CONTINUOUS),
    Algorithm("trpo", _CONTRIB, "TRPO", _ANY, on_policy=True),
    Algorithm("ppo_mask", _CONTRIB, "MaskablePPO", _COUNTED, on_policy=True),
    Algorithm("ppo_lstm", _CONTRIB, "RecurrentPPO", _ANY, on_policy=True),
)
ALGORITHMS: Mapping[str, Algorithm] = MappingProxyType({entry.name: entry for entry in _KNOWN})
_ALIASES: Mapping[str, str] = MappingProxyType({"maskableppo": "ppo_mask", "recurrentppo": "ppo_lstm"})


def find_algorithm(name: str) -> Algorithm:
    """Return the algorithm called ``name``.

    Raises:
        ConfigurationError: there is none of that name.
    """
    key = _ALIASES.get(name.lower(), name.lower())
    if key not in ALGORITHMS:
        raise ConfigurationError(
            "There is no such algorithm.",
            where="algorithm",
            expected=f"one of: {', '.join(sorted(ALGORITHMS))}",
            found=name,
            remedy="name one of these",
        )
    return ALGORITHMS[key]


def build_training(config: SectionConfig, make_env: MakeEnv | None = None) -> BaseAlgorithm:
    """Return the untrained model of a run on its seeded environments; the same configuration gives the same bits.

    Raises:
        ConfigurationError: the configuration names something that cannot be built.
    """
    th.set_num_threads(config.training.torch_threads)
    set_random_seed(config.seed, using_cuda=th.cuda.is_available())
    seeds = training_seeds(config.seed, config.training.n_envs, config.evaluation.seed)
    env = (make_env or traffic_env)(config.environment, seeds)
    try:
        return build_model(config, env)
    except BaseException:
        env.close()
        raise


def build_model(config: SectionConfig, env: VecEnv) -> BaseAlgorithm:
    """Return the untrained model of a run on ``env``, which keeps its own seeds.

    Raises:
        ConfigurationError: the configuration does not suit the algorithm or the environment.
    """
    training = config.training
    algorithm = find_algorithm(training.algorithm)
    kind = algorithm.load()
    where = f"algorithms.{training.algorithm}"
    _require_actions(algorithm, env.action_space, where)
    policy = _policy(kind, training.policy, f"{where}.policy")
    kwargs = resolve_hyperparameters(training.hyperparameters, kind, training.n_envs, where)
    kwargs["policy_kwargs"] = resolve_policy_kwargs(training.policy_kwargs, policy, f"{where}.policy_kwargs")
    noise = _noise(training, algorithm, env.action_space, where)
    if noise is not None:
        kwargs["action_noise"] = noise
    device = choose_device(training.device, algorithm, training.policy, cuda=th.cuda.is_available())
    try:
        normalised = _normalised(training, env, kwargs.get("gamma", 0.99))
        model = kind(training.policy, normalised, device=device, **kwargs)
    except (ValueError, TypeError, AssertionError) as fault:
        raise _refused(kind, fault, where) from fault
    model.seed = config.seed
    model.action_space.seed(config.seed)
    return model


def choose_device(wanted: str, algorithm: Algorithm, policy: str, *, cuda: bool) -> str:
    """Return the device to train on; small on-policy networks are faster on the processor.

    Raises:
        ConfigurationError: the name is no device, or there is no such device here.

    >>> choose_device("auto", ALGORITHMS["ppo"], "MlpPolicy", cuda=True)
    'cpu'
    >>> choose_device("auto", ALGORITHMS["dqn"], "MlpPolicy", cuda=True)
    'cuda'
    """
    if wanted == "auto":
        small = algorithm.name in ("ppo", "a2c") and policy == "MlpPolicy"
        return "cuda" if cuda and not small else "cpu"
    try:
        device = th.device(wanted)
    except RuntimeError:
        device = None
    if device is None or (device.type == "cuda" and not cuda):
        raise ConfigurationError(
            "The device cannot be used.",
            where="device",
            expected="auto, cpu, or cuda where there is one",
            found=f"{wanted} ({'CUDA is available' if cuda else 'no CUDA here'})",
            remedy="write device: auto",
        )
    return wanted


def traffic_env(config: EnvironmentConfig, seeds: Sequence[int]) -> VecEnv:
    """Return the traffic environment, one row for each seed."""
    from validation_ch7.environment import make_vec_env  # it brings numba, which not every caller needs

    return make_vec_env(config, seeds)


def _policy(kind: type[BaseAlgorithm], name: str, where: str) -> type[Any]:
    if name not in kind.policy_aliases:
        raise ConfigurationError(
            f"{kind.__name__} has no such policy.",
            where=where,
            expected=f"one of: {', '.join(sorted(kind.policy_aliases))}",
            found=name,
            remedy="name one of these",
        )
    return kind.policy_aliases[name]


def _require_actions(algorithm: Algorithm, space: spaces.Space[Any], where: str) -> None:
    if isinstance(space, algorithm.actions):
        return
    suited = [entry.name for entry in _KNOWN if isinstance(space, entry.actions)]
    raise UnsuitedError(
        f"{algorithm.class_name} cannot take the actions of this environment.",
        where=where,
        expected=f"actions of type {' or '.join(action.__name__ for action in algorithm.actions)}",
        found=space,
        remedy=f"choose another algorithm: --algorithm {suited[0] if suited else 'ppo'} (suited: {', '.join(suited)})",
    )


def _normalised(training: TrainingConfig, env: VecEnv, gamma: float) -> VecEnv:
    if training.normalize is None:
        return env
    return VecNormalize(env, gamma=gamma, **training.normalize.model_dump())


def _noise(training: TrainingConfig, algorithm: Algorithm, space: spaces.Space[Any], where: str) -> ActionNoise | None:
    if training.noise_type is None:
        return None
    if algorithm.on_policy or not isinstance(space, spaces.Box):
        raise ConfigurationError(
            f"{algorithm.class_name} explores without action noise.",
            where=f"{where}.noise_type",
            expected="action noise with sac, td3, ddpg or tqc only",
            found=training.noise_type,
            remedy="remove noise_type and noise_std",
        )
    mean, deviation = np.zeros(space.shape), np.full(space.shape, training.noise_std)
    kind = NormalActionNoise if training.noise_type == "normal" else OrnsteinUhlenbeckActionNoise
    return kind(mean, deviation)


def _refused(kind: type[BaseAlgorithm], fault: Exception, where: str) -> ConfigurationError:
    return ConfigurationError(
        f"{kind.__name__} refused its configuration.",
        where=where,
        expected="hyper-parameters that fit together and suit the environment",
        found=" ".join(str(fault).split()),
        remedy="correct the values named above, then run the same command again",
    )
