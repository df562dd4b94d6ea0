"""What is identical when two runs are identical, taken without any code of the package under test."""

from __future__ import annotations

import hashlib
import io
import random
import zipfile
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch as th
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.callbacks import BaseCallback, EvalCallback
from stable_baselines3.common.distributions import StateDependentNoiseDistribution
from stable_baselines3.common.noise import OrnsteinUhlenbeckActionNoise, VectorizedActionNoise
from stable_baselines3.common.save_util import recursive_getattr
from stable_baselines3.common.vec_env import VecNormalize

_COUNTERS = (
    "num_timesteps",
    "_n_updates",
    "_n_calls",
    "_episode_num",
    "exploration_rate",
    "_current_progress_remaining",
)
_FUTURE_STEPS = 30


def fingerprint(model: BaseAlgorithm, callback: BaseCallback | None = None) -> dict[str, str]:
    """Return one digest for each part of a training state; the environments are stepped last of all."""
    _, variables = model._get_torch_save_params()
    parts: dict[str, Any] = {f"weights {name}": value for name, value in model.get_parameters().items()}
    parts |= {f"variable {name}": recursive_getattr(model, name) for name in variables}
    parts |= {f"counter {name}": getattr(model, name, None) for name in _COUNTERS}
    parts["schedules"] = [model._current_progress_remaining, _rate(model), [group["lr"] for group in _groups(model)]]
    parts["episodes"] = [(info["r"], info["l"]) for info in model.ep_info_buffer or ()]
    parts["successes"] = list(model.ep_success_buffer or ())
    parts |= {"python rng": random.getstate(), "torch rng": th.get_rng_state()}
    if model.device.type == "cuda":
        parts["cuda rng"] = th.cuda.get_rng_state_all()
    parts["numpy rng"] = np.random.get_state(legacy=False)
    parts["action space rng"] = _generator(model.action_space)
    parts["env action space rng"] = _generator(model.env.action_space if model.env else None)
    parts["last observation"] = [model._last_obs, model._last_episode_starts, model._last_original_obs]
    parts["lstm"] = list(getattr(model, "_last_lstm_states", None) or ())
    parts["sde"] = [getattr(item, "exploration_mat", None) for item in _distributions(model)]
    parts["noise"] = list(_noise(getattr(model, "action_noise", None)))
    parts["replay"] = _replay(getattr(model, "replay_buffer", None))
    parts["statistics"] = _statistics(model.get_vec_normalize_env())
    parts |= {f"evaluation {index}": value for index, value in enumerate(_evaluations(callback))}
    parts["future"] = list(_future(model))
    return {name: digest(value) for name, value in parts.items()}


def digest(value: Any) -> str:
    """Return a digest of nested numbers, texts, arrays and tensors that no differing bit escapes."""
    found = hashlib.sha256()
    _feed(found, value)
    return found.hexdigest()[:16]


def _feed(found: Any, value: Any) -> None:
    if isinstance(value, th.Tensor):
        value = value.detach().cpu().numpy()
    if isinstance(value, dict):
        for key in sorted(value, key=str):
            found.update(f"<{key}>".encode())
            _feed(found, value[key])
    elif isinstance(value, (list, tuple)):
        found.update(f"[{len(value)}]".encode())
        for item in value:
            _feed(found, item)
    elif isinstance(value, np.ndarray):
        found.update(f"{value.shape}{value.dtype}".encode())
        found.update(np.ascontiguousarray(value).tobytes())
    else:
        found.update(f"{type(value).__name__}:{value!r};".encode())


def _groups(model: BaseAlgorithm) -> list[Any]:
    states = [value for name, value in model.get_parameters().items() if "optimizer" in name]
    return [group for state in states for group in state["param_groups"]]


def _rate(model: BaseAlgorithm) -> float:
    return float(model.lr_schedule(model._current_progress_remaining))


def _generator(space: Any) -> Any:
    generator = getattr(space, "_np_random", None)
    return generator.bit_generator.state if generator is not None else None


def _distributions(model: BaseAlgorithm) -> list[StateDependentNoiseDistribution]:
    found = [getattr(module, "action_dist", None) for module in model.policy.modules()]
    return [item for item in found if isinstance(item, StateDependentNoiseDistribution)]


def _noise(noise: Any) -> Iterator[Any]:
    for item in noise.noises if isinstance(noise, VectorizedActionNoise) else [noise]:
        if isinstance(item, OrnsteinUhlenbeckActionNoise):
            yield item.noise_prev


def _replay(buffer: Any) -> Any:
    if buffer is None:
        return None
    fields = ("observations", "next_observations", "actions", "rewards", "dones", "timeouts", "ep_start", "ep_length")
    return [buffer.pos, buffer.full, {name: getattr(buffer, name, None) for name in fields}]


def _statistics(env: VecNormalize | None) -> Any:
    if env is None:
        return None
    moments = [[item.mean, item.var, item.count] for item in (env.obs_rms, env.ret_rms)]
    return [moments, env.returns]


def _evaluations(callback: BaseCallback | None) -> Iterator[Any]:
    if isinstance(callback, EvalCallback):
        yield callback.evaluations_timesteps
        yield [[float(reward) for reward in rewards] for rewards in callback.evaluations_results]
        yield [float(callback.best_mean_reward), float(callback.last_mean_reward), callback.n_calls]
        if callback.evaluations_timesteps:
            yield _weights(f"{callback.best_model_save_path}/best_model.zip")


def _weights(path: str) -> Any:
    with zipfile.ZipFile(path) as archive:
        names = sorted(name for name in archive.namelist() if name.endswith(".pth"))
        return [th.load(io.BytesIO(archive.read(name)), weights_only=True) for name in names]


def _future(model: BaseAlgorithm) -> Iterator[Any]:
    assert model.env is not None
    for _ in range(_FUTURE_STEPS):
        action = np.array([model.env.action_space.sample() for _ in range(model.env.num_envs)])
        observation, reward, done, infos = model.env.step(action)
        yield [observation, reward, done, [info.get("TimeLimit.truncated") for info in infos]]
