"""The complete training state at one boundary of SB3's loop, copied so that training can go on at once.

Taken at ``_on_rollout_start`` (buffers consistent, ``train()`` done) or at the end of training. A snapshot
holds copies: the thread that writes it shares nothing with the loop that trains but transitions of the replay buffer
that are not overwritten meanwhile (:mod:`.replay`).
"""

from __future__ import annotations

import copy
import functools
import inspect
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch as th
from numpy.typing import NDArray
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.distributions import StateDependentNoiseDistribution
from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm
from stable_baselines3.common.save_util import recursive_getattr

from validation_ch7.checkpoints.blueprint import take_blueprint
from validation_ch7.checkpoints.generators import take_generators
from validation_ch7.checkpoints.graph import PLAIN, Deferred, Node, immaterial, stateful
from validation_ch7.checkpoints.graph_capture import Capture
from validation_ch7.checkpoints.manifest import Boundary
from validation_ch7.checkpoints.replay import ReplayRecorder, ReplaySnapshot, extra_attributes, tail_rows
from validation_ch7.checkpoints.state_dicts import torch_state
from validation_ch7.checkpoints.tensors import TensorCopier, TensorCopy
from validation_ch7.session import Exactness

_NOT_STATE = frozenset(
    {"env", "logger", "_logger", "_custom_logger", "_vec_normalize_env", "policy_class", "lr_schedule", "device"}
    | {"rollout_buffer", "replay_buffer", "rollout_buffer_class", "replay_buffer_class", "exploration_schedule"}
    | {"clip_range", "clip_range_vf", "start_time", "n_envs", "tensorboard_log"}
    | {"batch_norm_stats", "batch_norm_stats_target", "_stats_window_size", "target_entropy", "verbose"}
    | {"_total_timesteps", "_num_timesteps_at_start"}  # of this run: the horizon may be raised
)

_CALLBACK_NOT_STATE = frozenset({"model", "locals", "globals", "parent", "verbose", "logger"})


@dataclass(frozen=True)
class Snapshot:
    """Everything that a checkpoint needs, and nothing that training still changes."""

    steps: int
    boundary: Boundary
    exactness: Exactness
    lost: tuple[str, ...]
    state: dict[str, Node]
    arrays: dict[str, NDArray[Any] | Deferred]
    tensors: TensorCopy
    """State dictionaries of modules and optimizers, and single tensors such as ``log_ent_coef``, by SB3's names."""
    attributes: dict[str, Any]
    """What SB3 itself saves beside the parameters."""
    replay: ReplaySnapshot | None


def take_snapshot(
    model: BaseAlgorithm,
    boundary: Boundary,
    recorder: ReplayRecorder | None = None,
    callbacks: Mapping[str, BaseCallback] | None = None,
    copier: TensorCopier | None = None,
) -> Snapshot:
    """Copy the complete training state; without a ``recorder`` the replay buffer is left out.

    A ``copier`` that has copied the tensors of this model before is faster.
    """
    capture = Capture(model, model.policy, *_buffers(model))
    generators, generator_arrays = take_generators()
    state: dict[str, Node] = {
        "version": 1,
        "boundary": boundary,
        "model": take_model(model, capture),
        "env": capture.take(model.env, "env"),
        "action_space": capture.take(model.action_space, "action_space"),  # warm-up and epsilon-greedy draw from it
        "env_complete": not any(path.startswith("env") for path in capture.lost),
        "sde": capture.take(sde_matrices(model), "sde"),
        "generators": generators,
        "replay_tail": None,
        "replay_extra": None,
        "blueprint": take_blueprint(model),
    }
    replay = None
    if recorder is not None and isinstance(model, OffPolicyAlgorithm) and model.replay_buffer is not None:
        replay = recorder.take(model.replay_buffer, model.num_timesteps)
        state["replay_tail"] = capture.take(tail_rows(model.replay_buffer), "replay_tail")
        state["replay_extra"] = capture.take(extra_attributes(model.replay_buffer), "replay_buffer")
    lost = list(capture.lost)
    if boundary == "torn":
        lost.append("rollout (a callback stopped the run between two steps)")
    capture.lost.clear()
    state["callbacks"] = {name: take_callback(item, capture, name) for name, item in (callbacks or {}).items()}
    capture.join_views()
    tensors = (copier or TensorCopier()).copy(torch_state(model))
    return Snapshot(
        steps=model.num_timesteps,
        boundary=boundary,
        exactness=Exactness.STATISTICAL if lost else Exactness.EXACT,
        lost=(*lost, *(f"callback {path}" for path in capture.lost)),
        state=state,
        arrays={**generator_arrays, **capture.arrays},
        tensors=tensors,
        attributes=saved_attributes(model),
        replay=replay,
    )


def _buffers(model: BaseAlgorithm) -> list[Any]:
    names = ("replay_buffer", "rollout_buffer")
    return [getattr(model, name) for name in names if getattr(model, name, None) is not None]


def take_model(model: BaseAlgorithm, capture: Capture) -> dict[str, Node]:
    """Return the attributes of the algorithm that change while it learns."""
    nodes: dict[str, Node] = {}
    for name, value in evolving_attributes(model):
        if isinstance(value, (th.nn.Module, th.optim.Optimizer)):
            if not _covered(model, name, value):
                capture.lost.append(f"model.{name} (not among the parameters that SB3 saves)")
        else:
            nodes[name] = capture.take(value, f"model.{name}")
    return nodes


def evolving_attributes(model: BaseAlgorithm) -> list[tuple[str, Any]]:
    """Return the attributes that are neither configuration nor infrastructure, with their names."""
    skip = _not_evolving(type(model), tuple(model._get_torch_save_params()[1]))
    return [
        (name, value)
        for name, value in vars(model).items()
        if name not in skip and (type(value) in PLAIN or not immaterial(value))
    ]


@functools.cache
def _not_evolving(kind: type, variables: tuple[str, ...]) -> frozenset[str]:
    constructors = [vars(base).get("__init__") for base in kind.__mro__]
    signatures = [inspect.signature(init) for init in constructors if inspect.isfunction(init)]
    configured = {name for signature in signatures for name in signature.parameters} - {"action_noise"}
    return _NOT_STATE | configured | {name.split(".")[0] for name in variables}


def _covered(model: BaseAlgorithm, name: str, value: Any) -> bool:
    names = model._get_torch_save_params()[0]
    if name in names or ("policy" in names and any(item is value for item in model.policy.children())):
        return True
    saved = [recursive_getattr(model, item) for item in names]
    parts = [part for item in saved if isinstance(item, th.nn.Module) for part in item.modules()]
    return any(item is value for item in (*saved, *parts))


def sde_matrices(model: BaseAlgorithm) -> list[list[th.Tensor]]:
    """Return the exploration matrices of state-dependent noise; they are in no state dictionary."""
    return [[item.exploration_mat, item.exploration_matrices] for item in sde_distributions(model) if _sampled(item)]


def sde_distributions(model: BaseAlgorithm) -> list[StateDependentNoiseDistribution]:
    """Return the distributions that hold an exploration matrix, in a fixed order."""
    if not getattr(model, "use_sde", False):
        return []
    # Not getattr: a module without the attribute takes long to say so.
    found = [vars(module).get("action_dist") for module in model.policy.modules()]
    return [item for item in found if isinstance(item, StateDependentNoiseDistribution)]


def _sampled(distribution: StateDependentNoiseDistribution) -> bool:
    return getattr(distribution, "exploration_mat", None) is not None


def take_callback(callback: BaseCallback, capture: Capture, path: str) -> Node:
    """Return the state of a callback and of the callbacks inside it."""
    if stateful(type(callback)):
        return {"state": capture.take(callback.get_state(), path)}  # type: ignore[attr-defined]
    nodes: dict[str, Node] = {}
    for name, value in vars(callback).items():
        if name in _CALLBACK_NOT_STATE:
            continue
        if isinstance(value, BaseCallback):
            nodes[name] = {"callback": take_callback(value, capture, f"{path}.{name}")}
        elif isinstance(value, list) and value and all(isinstance(item, BaseCallback) for item in value):
            items = [take_callback(item, capture, f"{path}.{name}[{index}]") for index, item in enumerate(value)]
            nodes[name] = {"callbacks": items}
        else:
            nodes[name] = {"value": capture.take(value, f"{path}.{name}")}
    return {"attributes": nodes}


def saved_attributes(model: BaseAlgorithm) -> dict[str, Any]:
    """Return what ``model.save()`` would write as ``data``, with everything that changes copied."""
    state_dicts, variables = model._get_torch_save_params()
    skip = {name.split(".")[0] for name in (*state_dicts, *variables)} | set(model._excluded_save_params())
    return {
        name: value if type(value) in PLAIN else _frozen(name, value)
        for name, value in vars(model).items()
        if name not in skip
    }


def _frozen(name: str, value: Any) -> Any:
    if isinstance(value, (np.ndarray, deque)):
        return value.copy()
    if isinstance(value, dict) and all(isinstance(item, np.ndarray) for item in value.values()):
        return {key: item.copy() for key, item in value.items()}
    return copy.deepcopy(value) if name in ("action_noise", "_last_lstm_states") else value
