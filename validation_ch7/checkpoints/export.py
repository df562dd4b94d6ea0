"""A checkpoint as plain Stable-Baselines3's own files, for those who leave with their model.

``model.zip`` is the checkpoint without this package's members; ``vecnormalize.pkl`` and ``replay_buffer.pkl``
are the pickles that ``VecNormalize.load`` and ``load_replay_buffer`` read. The objects in them are built from
plain data: a pickle is written here, and none is read.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

import gymnasium
from stable_baselines3.common.buffers import ReplayBuffer
from stable_baselines3.common.save_util import save_to_pkl
from stable_baselines3.common.vec_env import DummyVecEnv, VecNormalize

from validation_ch7.checkpoints.archive import Archive, read_archive
from validation_ch7.checkpoints.blueprint import REPLAY_KINDS, BlueprintError, build_space, setting_values
from validation_ch7.checkpoints.graph import Node
from validation_ch7.checkpoints.graph_restore import Restore, RestoreError
from validation_ch7.checkpoints.manifest import MANIFEST_NAME
from validation_ch7.checkpoints.resume import ARRAYS_NAME, STATE_NAME, TrainingState, read_state, restore_replay
from validation_ch7.errors import ConfigurationError
from validation_ch7.files import commit_file, make_folder

MODEL_NAME = "model.zip"
NORMALIZE_NAME = "vecnormalize.pkl"
REPLAY_NAME = "replay_buffer.pkl"
OURS = frozenset({MANIFEST_NAME, STATE_NAME, ARRAYS_NAME})
_EPOCH = (1980, 1, 1, 0, 0, 0)
_NORMALIZE_CLASS = "stable_baselines3.common.vec_env.vec_normalize.VecNormalize"


@dataclass(frozen=True)
class Export:
    """What was written for plain SB3.

    Attributes:
        algorithm: name of the SB3 class that loads the model.
        notes: what is not among the files, and why.
    """

    algorithm: str
    steps: int
    files: tuple[Path, ...]
    notes: tuple[str, ...]


def export_sb3(checkpoint: Path, chunks: Path, target: Path, *, overwrite: bool = False) -> Export:
    """Write a verified checkpoint into the folder ``target`` as SB3's own files.

    Args:
        chunks: folder of the replay chunks that the checkpoint names.
        overwrite: whether files of these names may be replaced.

    Raises:
        CheckpointError: the checkpoint or a chunk is missing, altered or foreign.
        ConfigurationError: ``target`` holds such files already.
        StorageError: the disk refused.
    """
    archive = read_archive(checkpoint)
    state = read_state(archive)
    notes: list[str] = []
    writers: dict[str, Callable[[BinaryIO], None]] = {MODEL_NAME: lambda stream: _write_model(stream, archive)}
    normalize = _attempt(lambda: build_normalize(state), "normalisation statistics", notes)
    if normalize is not None:
        writers[NORMALIZE_NAME] = lambda stream: _write_pickle(stream, normalize)
    replay = _attempt(lambda: build_replay(archive, state, chunks), "replay buffer", notes)
    if replay is not None:
        writers[REPLAY_NAME] = lambda stream: _write_pickle(stream, replay)
    _refuse_overwriting(target, overwrite)
    make_folder(target)
    for name, write in writers.items():
        commit_file(target / name, write)
    for name in {MODEL_NAME, NORMALIZE_NAME, REPLAY_NAME} - set(writers):
        (target / name).unlink(missing_ok=True)  # of an earlier export: it would not belong to this model
    files = tuple(target / name for name in writers)
    return Export(archive.manifest.compatibility.algorithm, archive.manifest.steps, files, tuple(notes))


def _attempt(build: Callable[[], Any], what: str, notes: list[str]) -> Any:
    try:
        return build()
    except (BlueprintError, RestoreError) as fault:
        notes.append(f"{what}: {fault}")
        return None


def _refuse_overwriting(target: Path, overwrite: bool) -> None:
    present = [name for name in (MODEL_NAME, NORMALIZE_NAME, REPLAY_NAME) if (target / name).exists()]
    if present and not overwrite:
        raise ConfigurationError(
            "The folder holds an export already; nothing was changed.",
            where=target,
            expected="a folder without such files",
            found=", ".join(present),
            remedy="name another folder, or replace them with --force",
        )


def _write_pickle(stream: BinaryIO, value: Any) -> None:
    save_to_pkl(cast(io.BufferedIOBase, stream), value)


def _write_model(stream: BinaryIO, archive: Archive) -> None:
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as model:
        for name, data in archive.members.items():
            if name not in OURS:
                model.writestr(zipfile.ZipInfo(name, _EPOCH), data)


class _Spaces(gymnasium.Env[Any, Any]):
    """An environment that only has spaces; VecNormalize asks for nothing else, and does not pickle it."""

    def __init__(self, observation_space: Node, action_space: Node) -> None:
        self.observation_space = build_space(observation_space)
        self.action_space = build_space(action_space)


def build_normalize(state: TrainingState) -> VecNormalize | None:
    """Return the normalisation of a checkpoint as SB3's object, or None where there was none.

    Raises:
        BlueprintError: it cannot be built from what the checkpoint says.
        RestoreError: its statistics do not fit it.
    """
    blueprint = _blueprint(state)
    plan, node = blueprint.get("vec_normalize"), find_object(state.state.get("env"), _NORMALIZE_CLASS)
    if plan is None and node is None:
        return None
    if not isinstance(plan, Mapping) or node is None:
        raise BlueprintError("the checkpoint is older than this export; one that is saved from now on can be exported")
    envs = [lambda: _Spaces(plan["observation_space"], plan["action_space"])] * state.n_envs
    try:
        normalize = VecNormalize(DummyVecEnv(envs), **setting_values(plan["settings"]))  # type: ignore[arg-type]
    except (TypeError, ValueError, AssertionError) as fault:
        raise BlueprintError(str(fault)) from None
    restore = Restore(state.arrays, normalize)
    for name in ("obs_rms", "ret_rms"):
        if name in node["v"]:
            setattr(normalize, name, restore.put(node["v"][name], getattr(normalize, name, None), name))
    return normalize


def build_replay(archive: Archive, state: TrainingState, chunks: Path) -> ReplayBuffer | None:
    """Return the replay buffer of a checkpoint as SB3's object, or None where there was none.

    Raises:
        BlueprintError: it cannot be built from what the checkpoint says.
        CheckpointCorruptError: a chunk is missing or altered.
    """
    plan, replay = _blueprint(state).get("replay"), archive.manifest.replay
    if replay is None:
        if isinstance(plan, Mapping):
            raise BlueprintError("this file carries none (the best model has weights only)")
        return None
    if not isinstance(plan, Mapping) or plan.get("class") not in REPLAY_KINDS:
        kind = plan.get("class") if isinstance(plan, Mapping) else "a buffer of unknown class"
        raise BlueprintError(f"{kind} cannot be built from plain data")
    space, action_space = build_space(plan["observation_space"]), build_space(_blueprint(state)["action_space"])
    rows, settings = replay.capacity * state.n_envs, plan["settings"]
    try:
        buffer = REPLAY_KINDS[plan["class"]](rows, space, action_space, device="cpu", n_envs=state.n_envs, **settings)
    except (TypeError, ValueError, NotImplementedError, AssertionError, MemoryError) as fault:
        raise BlueprintError(str(fault)) from None
    before = len(state.lost)
    restore_replay(buffer, state.n_envs, archive, chunks, state)
    if state.lost[before:]:
        raise BlueprintError("; ".join(state.lost[before:]))
    return buffer


def _blueprint(state: TrainingState) -> Mapping[str, Node]:
    found = state.state.get("blueprint")
    return found if isinstance(found, Mapping) else {}


def find_object(node: Node, name: str) -> Node | None:
    """Return the outermost object of class ``name`` in a written graph, or None."""
    todo = [node]
    while todo:
        item = todo.pop(0)
        if isinstance(item, dict):
            if item.get("$") == "object" and item.get("class") == name and isinstance(item.get("v"), dict):
                return item
            todo.extend(item.values())
        elif isinstance(item, list):
            todo.extend(item)
    return None
