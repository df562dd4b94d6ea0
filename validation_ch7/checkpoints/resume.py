"""A training state, put back into a model that was built from the configuration.

No pickle is read on this path: weights come through ``torch.load(weights_only=True)``, everything else is
JSON and raw arrays. What must be in place before ``learn()`` starts is restored by :func:`restore_model`,
what ``learn()`` would overwrite by :func:`restore_loop` and :func:`restore_generators`, which the session's
callback calls at the right moments.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch as th
from numpy.typing import NDArray
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.buffers import ReplayBuffer
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm
from stable_baselines3.common.save_util import recursive_getattr
from stable_baselines3.common.vec_env import VecEnvWrapper, VecNormalize

from validation_ch7.checkpoints.archive import Archive
from validation_ch7.checkpoints.arrays import pack_arrays, unpack_arrays
from validation_ch7.checkpoints.generators import put_generators
from validation_ch7.checkpoints.graph import Deferred, Node, node_text, stateful
from validation_ch7.checkpoints.graph_restore import Restore, RestoreError
from validation_ch7.checkpoints.replay import load_rows, row_arrays
from validation_ch7.checkpoints.snapshot import sde_distributions, sde_matrices
from validation_ch7.errors import CheckpointCorruptError, CheckpointIncompatibleError

STATE_NAME = "training_state.json"
ARRAYS_NAME = "training_state.npz"
_PER_ENVIRONMENT = frozenset(
    {"_last_obs", "_last_episode_starts", "_last_original_obs", "_last_lstm_states", "action_noise"}
)
_CONFIGURED_VARIABLES = frozenset({"ent_coef_tensor"})  # a fixed coefficient is configuration, not state


@dataclass
class TrainingState:
    """The plain-data part of a checkpoint, read.

    Attributes:
        seed: for environments that cannot go on; differs from checkpoint to checkpoint.
        lost: what could not be put back; more than nothing means that the resume is not exact.
    """

    where: object
    state: Mapping[str, Node]
    arrays: dict[str, NDArray[Any]]
    n_envs: int
    seed: int = 0
    lost: list[str] = field(default_factory=list)

    @property
    def at_training_end(self) -> bool:
        """Whether the state was taken after the last ``train()``, before the next rollout was prepared."""
        return self.state.get("boundary") == "training_end"


def read_state(archive: Archive) -> TrainingState:
    """Return the plain-data part of a verified checkpoint.

    Raises:
        CheckpointCorruptError: a member is missing or malformed.
    """
    try:
        state = json.loads(archive.members[STATE_NAME])
        arrays = unpack_arrays(archive.members[ARRAYS_NAME], archive.path)
        if not isinstance(state, dict) or not isinstance(state.get("model"), dict):
            raise ValueError("not an object with the key 'model'")
    except (KeyError, ValueError, RecursionError) as fault:
        raise CheckpointCorruptError(
            "The training state of a checkpoint cannot be read.",
            where=archive.path,
            expected=f"members {STATE_NAME} and {ARRAYS_NAME}",
            found=str(fault),
            remedy="the previous checkpoint is used where there is one",
        ) from None
    seed = int(archive.manifest.digest[:7], 16)
    return TrainingState(archive.path, state, arrays, archive.manifest.compatibility.n_envs, seed)


def restore_model(model: BaseAlgorithm, archive: Archive, chunks: Path) -> TrainingState:
    """Put back weights, optimizers, counters and the replay buffer; return the rest for later.

    Raises:
        CheckpointCorruptError: a member or a chunk is altered or malformed.
        CheckpointIncompatibleError: the weights do not fit the model.
    """
    state = read_state(archive)
    restore_weights(model, archive.members, archive.path)
    model.num_timesteps = archive.manifest.steps
    here = device_name(model.device)
    if (there := archive.manifest.software.get("device", here)) != here:
        state.lost.append(f"device ({there} in the checkpoint, {here} now: its arithmetic rounds differently)")
    if isinstance(model, OffPolicyAlgorithm) and model.replay_buffer is not None:
        if archive.manifest.replay is None:
            state.lost.append("replay buffer (not in the checkpoint)")
        else:
            restore_replay(model.replay_buffer, model.n_envs, archive, chunks, state)
    return state


def device_name(device: th.device) -> str:
    """Return what computes, as manifests name it.

    >>> device_name(th.device("cpu"))
    'cpu'
    """
    return f"cuda, {th.cuda.get_device_name(device)}" if device.type == "cuda" else device.type


def restore_policy(model: BaseAlgorithm, archive: Archive) -> TrainingState:
    """Put back what acting needs, weights and statistics of normalisation, and nothing of what training on needs.

    Raises:
        CheckpointCorruptError: a member is altered or malformed, or the statistics are not there.
        CheckpointIncompatibleError: the weights do not fit the model.
    """
    state = read_state(archive)
    restore_weights(model, archive.members, archive.path)
    model.num_timesteps = archive.manifest.steps
    _restore_statistics(model.env, state.state.get("env"), state)
    if state.lost:
        raise CheckpointCorruptError(
            "The policy of a checkpoint cannot be restored completely.",
            where=archive.path,
            found="; ".join(state.lost),
            remedy="train on, so that a new checkpoint is written",
        )
    return state


def restore_replay(buffer: ReplayBuffer, n_envs: int, archive: Archive, chunks: Path, state: TrainingState) -> None:
    """Fill ``buffer`` from the chunks; where it does not fit, that is added to ``state.lost``.

    Raises:
        CheckpointCorruptError: a chunk is missing or altered.
    """
    replay = archive.manifest.replay
    assert replay is not None
    if (replay.capacity, state.n_envs) != (buffer.buffer_size, n_envs):
        found = f"{replay.capacity} rows of {state.n_envs} in the checkpoint, {buffer.buffer_size} of {n_envs} now"
        state.lost.append(f"replay buffer ({found})")
        return
    load_rows(chunks, replay, buffer)
    arrays = row_arrays(buffer)
    try:
        restore = Restore(state.arrays, buffer)
        for name, row in (restore.put(state.state["replay_tail"], None, "replay_tail") or {}).items():
            arrays[name][buffer.pos] = row
        extra = restore.put(state.state["replay_extra"], {**vars(buffer)}, "replay_buffer") or {}
        vars(buffer).update(extra)
    except (RestoreError, KeyError, ValueError) as fault:
        state.lost.append(f"replay buffer ({fault})")


def restore_weights(model: BaseAlgorithm, members: Mapping[str, bytes], where: object) -> None:
    """Load state dictionaries and single tensors; shapes are compared before anything is changed.

    Raises:
        CheckpointCorruptError: a ``.pth`` member is missing or unreadable.
        CheckpointIncompatibleError: names or shapes differ from the model's.
    """
    names, variables = model._get_torch_save_params()
    loaded = {name: read_pth(members, f"{name}.pth", model.device, where) for name in names}
    tensors = read_pth(members, "pytorch_variables.pth", model.device, where) if variables else {}
    for name in names:
        _check_shapes(name, recursive_getattr(model, name), loaded[name], where)
    model.set_parameters(loaded, exact_match=True, device=model.device)
    for name in variables:
        if name not in _CONFIGURED_VARIABLES and tensors.get(name) is not None:
            recursive_getattr(model, name).data.copy_(tensors[name].data)


def read_pth(members: Mapping[str, bytes], name: str, device: th.device, where: object) -> Any:
    """Return the content of a ``.pth`` member, read without unpickling arbitrary objects.

    Raises:
        CheckpointCorruptError: it is missing, compressed, or holds anything but tensors and plain values.
    """
    try:
        data = members[name]
        with zipfile.ZipFile(io.BytesIO(data)) as inner:
            if sum(item.file_size for item in inner.infolist()) > len(data):
                raise ValueError("it would unpack to more than its own size")
        return th.load(io.BytesIO(data), map_location=device, weights_only=True)
    except Exception as fault:  # noqa: BLE001  torch documents no error types for a malformed file
        raise CheckpointCorruptError(
            "The weights of a checkpoint cannot be read.",
            where=f"{where}: {name}",
            expected="tensors and plain values only",
            found=f"{type(fault).__name__}: {str(fault).splitlines()[0] if str(fault) else ''}",
            remedy="the previous checkpoint is used where there is one",
        ) from None


def _check_shapes(name: str, current: Any, loaded: Any, where: object) -> None:
    if not isinstance(current, th.nn.Module):
        return
    have = {key: tuple(tensor.shape) for key, tensor in current.state_dict().items()}
    found = {key: tuple(getattr(tensor, "shape", ())) for key, tensor in dict(loaded).items()}
    odd = [key for key in have.keys() | found.keys() if have.get(key) != found.get(key)]
    if odd:
        lines = [f"{key}: checkpoint={found.get(key)}, current={have.get(key)}" for key in sorted(odd)[:8]]
        raise CheckpointIncompatibleError(
            f"INCOMPATIBILITY DETECTED: the shapes of {len(odd)} weight(s) of '{name}' differ; nothing was changed.",
            where=where,
            found="\n            ".join(lines),
            remedy="give the run the checkpoint's network, or archive the checkpoint with --fresh",
        )


def restore_loop(model: BaseAlgorithm, state: TrainingState, callbacks: Mapping[str, BaseCallback]) -> None:
    """Put back what ``learn()`` has just set up: counters, environments, noise, callbacks.

    What cannot be put back is added to ``state.lost``; the environments then start afresh.
    """
    restore = Restore(state.arrays, model.env, getattr(model, "action_noise", None))
    same_rows = state.n_envs == model.n_envs
    _restore_attributes(model, state, restore, frozenset() if same_rows else _PER_ENVIRONMENT)
    try:
        if not same_rows:
            raise RestoreError(f"env: {state.n_envs} environments in the checkpoint, {model.n_envs} now")
        if not state.state.get("env_complete"):
            raise RestoreError("env: its state was not captured completely, so it starts anew")
        restore.put(state.state.get("env"), model.env, "env")
        restore.put(state.state.get("action_space"), model.action_space, "action_space")
    except RestoreError as fault:
        state.lost.append(str(fault))
        _start_afresh(model, state)
    nodes = state.state.get("callbacks")
    for name, callback in callbacks.items():
        node = nodes.get(name) if isinstance(nodes, dict) else None
        if node is not None:
            restore_callback(callback, node, restore, name, state)


def _start_afresh(model: BaseAlgorithm, state: TrainingState) -> None:
    assert model.env is not None
    model.env.seed(state.seed)  # else the episodes of the first session would come again
    model._last_obs = model.env.reset()  # type: ignore[assignment]
    model._last_episode_starts = np.ones((model.n_envs,), dtype=bool)
    _restore_statistics(model.env, state.state.get("env"), state)
    if (normalize := model.get_vec_normalize_env()) is not None:
        model._last_original_obs = normalize.get_original_obs()
        model._last_obs = normalize.normalize_obs(normalize.get_original_obs())


def _restore_statistics(env: Any, node: Node, state: TrainingState) -> None:
    while isinstance(env, VecEnvWrapper) and isinstance(node, dict) and isinstance(node.get("v"), dict):
        for name in ("obs_rms", "ret_rms") if isinstance(env, VecNormalize) else ():
            try:
                setattr(env, name, Restore(state.arrays, env).put(node["v"].get(name), getattr(env, name), name))
            except RestoreError as fault:
                state.lost.append(f"statistics of VecNormalize ({fault})")
        env, node = env.venv, node["v"].get("venv")


def _restore_attributes(model: BaseAlgorithm, state: TrainingState, restore: Restore, skip: frozenset[str]) -> None:
    for name, node in state.state["model"].items():
        if name in skip or name == "num_timesteps":  # the manifest says how many, and learn() has them already
            continue
        try:
            current = getattr(model, name, None)
            value = restore.put(node, current, f"model.{name}")
            _check_likeness(value, current, f"model.{name}")
            setattr(model, name, value)
        except RestoreError as fault:
            state.lost.append(str(fault))


def _check_likeness(value: Any, current: Any, path: str) -> None:
    if value is None or current is None:
        return
    numbers = isinstance(value, (int, float)) and isinstance(current, (int, float))
    mappings = isinstance(value, dict) and isinstance(current, dict)
    if type(value) is not type(current) and not numbers and not mappings:
        raise RestoreError(f"{path}: expected a {type(current).__name__}, found a {type(value).__name__}")
    if isinstance(value, np.ndarray) and (value.shape, value.dtype) != (current.shape, current.dtype):
        raise RestoreError(f"{path}: expected {current.shape} of {current.dtype}, found {value.shape} of {value.dtype}")
    if mappings:
        for key in current.keys() | value.keys():
            _check_likeness(value.get(key), current.get(key), f"{path}[{key!r}]")


def restore_callback(callback: BaseCallback, node: Node, restore: Restore, path: str, state: TrainingState) -> None:
    """Put back the state of a callback and of the callbacks inside it."""
    try:
        if "state" in node and stateful(type(callback)):
            callback.set_state(restore.put(node["state"], None, path))  # type: ignore[attr-defined]
        for name, item in node.get("attributes", {}).items():
            current = getattr(callback, name, None)
            if "callback" in item and isinstance(current, BaseCallback):
                restore_callback(current, item["callback"], restore, f"{path}.{name}", state)
            elif "callbacks" in item and isinstance(current, list) and len(current) == len(item["callbacks"]):
                for inner, part in zip(current, item["callbacks"], strict=True):
                    restore_callback(inner, part, restore, f"{path}.{name}", state)
            elif "value" in item:
                setattr(callback, name, restore.put(item["value"], current, f"{path}.{name}"))
    except (RestoreError, AttributeError, TypeError) as fault:
        state.lost.append(f"callback {fault}")


def restore_generators(model: BaseAlgorithm, state: TrainingState) -> None:
    """Put back the global random generators and the exploration matrices: the last act before training goes on."""
    try:
        put = Restore(state.arrays).put(state.state["sde"], sde_matrices(model), "sde")
        for distribution, matrices in zip(sde_distributions(model), put, strict=False):
            distribution.exploration_mat, distribution.exploration_matrices = (
                matrix.to(model.device) for matrix in matrices
            )
        state.lost += put_generators(state.state["generators"], state.arrays)
    except (RestoreError, KeyError, TypeError, ValueError, AttributeError, IndexError, RuntimeError) as fault:
        state.lost.append(f"random generators ({fault})")


def state_members(state: Mapping[str, Node], arrays: Mapping[str, NDArray[Any] | Deferred]) -> dict[str, bytes]:
    """Return the zip members that :func:`read_state` reads."""
    made = {name: array.make() if isinstance(array, Deferred) else array for name, array in arrays.items()}
    return {STATE_NAME: node_text(state).encode(), ARRAYS_NAME: pack_arrays(made)}
