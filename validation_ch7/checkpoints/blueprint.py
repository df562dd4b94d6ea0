"""How plain Stable-Baselines3 objects are built anew: spaces, normalisation, the kind of replay buffer.

A checkpoint restores into a model that the configuration built, so it needs none of this. Someone who leaves
with SB3's own files has no such model: their objects are built from these few values, which are plain data,
and no class is ever looked up by a name from the file.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.buffers import DictReplayBuffer, NStepReplayBuffer, ReplayBuffer
from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm
from stable_baselines3.common.vec_env import VecNormalize

from validation_ch7.checkpoints.graph import Deferred, Node

REPLAY_KINDS: dict[str, type[ReplayBuffer]] = {
    kind.__name__: kind for kind in (ReplayBuffer, DictReplayBuffer, NStepReplayBuffer)
}
NORMALIZE_SETTINGS = (
    "training", "norm_obs", "norm_reward", "clip_obs", "clip_reward", "gamma", "epsilon", "norm_obs_keys",
)  # fmt: skip
_REPLAY_SETTINGS = ("optimize_memory_usage", "handle_timeout_termination")
_MAX_ELEMENTS = 1 << 26


class BlueprintError(ValueError):
    """The values describe nothing that can be built; says what."""


def take_blueprint(model: BaseAlgorithm) -> dict[str, Node]:
    """Return what is needed to build the objects around ``model`` without it; None for what has no plain form."""
    normalize = model.get_vec_normalize_env()
    return {
        "observation_space": Deferred(partial(space_node, model.observation_space)),
        "action_space": Deferred(partial(space_node, model.action_space)),
        "vec_normalize": None if normalize is None else _normalize_node(normalize),
        "replay": _replay_node(model),
    }


def _normalize_node(normalize: VecNormalize) -> Node:
    settings = {name: _plain(getattr(normalize, name)) for name in NORMALIZE_SETTINGS}
    return {
        "settings": settings,
        "observation_space": Deferred(partial(space_node, normalize.venv.observation_space)),
        "action_space": Deferred(partial(space_node, normalize.venv.action_space)),
    }


def _replay_node(model: BaseAlgorithm) -> Node:
    buffer = model.replay_buffer if isinstance(model, OffPolicyAlgorithm) else None
    if buffer is None:
        return None
    names = (*_REPLAY_SETTINGS, "n_steps", "gamma") if type(buffer) is NStepReplayBuffer else _REPLAY_SETTINGS
    settings = {name: _plain(getattr(buffer, name)) for name in names if hasattr(buffer, name)}
    return {
        "class": type(buffer).__name__,
        "settings": settings,
        "observation_space": Deferred(partial(space_node, buffer.observation_space)),
    }


def _plain(value: Any) -> Node:
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, (list, tuple)):
        return [str(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return {"float": repr(value)}
    return value if value is None or isinstance(value, (bool, int, float, str)) else str(value)


def setting_values(settings: Mapping[str, Node]) -> dict[str, Any]:
    """Return the arguments of ``VecNormalize`` that a blueprint names, with infinite limits put back."""
    known = {name: value for name, value in settings.items() if name in NORMALIZE_SETTINGS}
    return {name: float(value["float"]) if isinstance(value, dict) else value for name, value in known.items()}


def space_node(space: spaces.Space[Any]) -> Node:
    """Return a space as plain data, or None where it has no such form.

    >>> build_space(space_node(spaces.Box(-np.inf, 1.0, (2,))))
    Box(-inf, 1.0, (2,), float32)
    """
    if type(space) is spaces.Box:
        low, high = _bound_node(space.low), _bound_node(space.high)
        return {"kind": "Box", "low": low, "high": high, "shape": list(space.shape), "dtype": space.dtype.str}
    if type(space) is spaces.Discrete:
        return {"kind": "Discrete", "n": int(space.n), "start": int(space.start)}
    if type(space) is spaces.MultiDiscrete:
        return {"kind": "MultiDiscrete", "nvec": space.nvec.tolist(), "dtype": space.dtype.str}
    if type(space) is spaces.MultiBinary:
        return {"kind": "MultiBinary", "n": [int(size) for size in space.shape]}
    if type(space) is spaces.Dict:
        parts = {str(key): space_node(part) for key, part in space.spaces.items()}
        return {"kind": "Dict", "parts": parts} if all(parts.values()) else None
    return None


def _bound_node(bound: NDArray[Any]) -> Node:
    flat = np.ascontiguousarray(bound).reshape(-1)
    same = flat.size > 0 and bool((flat == flat[0]).all())
    return base64.b64encode((flat[:1] if same else flat).tobytes()).decode("ascii")


def build_space(node: Node) -> spaces.Space[Any]:
    """Return the space that :func:`space_node` was given.

    Raises:
        BlueprintError: the node describes no space.
    """
    try:
        return _build_space(node)
    except (KeyError, TypeError, ValueError, AssertionError, AttributeError, OverflowError) as fault:
        raise BlueprintError(f"a space cannot be built: {fault}") from None


def _build_space(node: Mapping[str, Node]) -> spaces.Space[Any]:
    kind = node["kind"]
    if kind == "Box":
        shape, dtype = tuple(int(size) for size in node["shape"]), np.dtype(node["dtype"])
        if dtype.kind not in "fiub" or int(np.prod(shape, dtype=np.float64)) > _MAX_ELEMENTS:
            raise ValueError(f"Box of {shape} of {dtype}")
        return spaces.Box(_bound(node["low"], shape, dtype), _bound(node["high"], shape, dtype), shape, dtype.type)
    if kind == "Discrete":
        return spaces.Discrete(int(node["n"]), start=int(node["start"]))
    if kind == "MultiDiscrete":
        return spaces.MultiDiscrete(np.asarray(node["nvec"]), dtype=np.dtype(node["dtype"]).type)
    if kind == "MultiBinary":
        sizes = [int(size) for size in node["n"]]
        return spaces.MultiBinary(sizes[0] if len(sizes) == 1 else sizes)
    if kind == "Dict":
        return spaces.Dict({str(key): _build_space(part) for key, part in node["parts"].items()})
    raise ValueError(f"unknown kind {kind!r}")


def _bound(node: Node, shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
    flat = np.frombuffer(base64.b64decode(node, validate=True), dtype=dtype)
    return np.full(shape, flat[0], dtype=dtype) if flat.size == 1 else flat.reshape(shape)
