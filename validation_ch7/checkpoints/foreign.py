"""Zips that plain Stable-Baselines3 wrote: their weights can be resumed, nothing in them is unpickled.

Shapes are compared with the model's. A replay buffer or VecNormalize statistics beside the zip are pickles:
reading them runs code from the file, so they are read only when the caller trusts them.
"""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm
from stable_baselines3.common.vec_env import VecNormalize

from validation_ch7.checkpoints.archive import corrupt
from validation_ch7.checkpoints.naming import checkpoint_steps
from validation_ch7.checkpoints.resume import restore_weights
from validation_ch7.errors import CheckpointUntrustedError
from validation_ch7.schema import MAX_DOCUMENT_BYTES

_MAX_BYTES = 4 << 30


def load_foreign(
    path: Path, prefix: str, model: BaseAlgorithm, *, trust: bool, log: Callable[[str], None]
) -> int | None:
    """Restore the weights of a zip without manifest and return its steps; None if it holds no weights.

    Raises:
        CheckpointCorruptError: it cannot be read.
        CheckpointIncompatibleError: the shapes differ from the model's.
        CheckpointUntrustedError: pickles lie beside it and ``trust`` is not given.
    """
    members = _read(path)
    if "policy.pth" not in members:
        return None
    pickles = companions(path, prefix)
    if pickles and not trust:
        log(f"[CHECKPOINT]   note: {', '.join(item.name for item in pickles)} left unread (--trust-foreign reads)")
    restore_weights(model, members, path)
    steps = _steps(members.get("data", b""), path, prefix)
    model.num_timesteps = steps
    for companion in pickles if trust else ():
        _load_pickle(companion, model)
        log(f"[CHECKPOINT]   loaded {companion.name}, trusted by you")
    return steps


def foreign_steps(path: Path, prefix: str) -> int:
    """Return the steps of a zip without manifest, as it says itself.

    Raises:
        CheckpointCorruptError: it cannot be read, or holds no weights.
    """
    members = _read(path)
    if "policy.pth" not in members:
        raise corrupt(path, "it holds no policy.pth", "a model of Stable-Baselines3")
    return _steps(members.get("data", b""), path, prefix)


def _read(path: Path) -> dict[str, bytes]:
    try:
        with zipfile.ZipFile(path) as archive:
            infos = [info for info in archive.infolist() if info.filename.endswith(".pth") or info.filename == "data"]
            if sum(info.file_size for info in infos) > min(_MAX_BYTES, 20 * path.stat().st_size):
                raise corrupt(path, "it would unpack to far more than its own size")
            return {info.filename: archive.read(info) for info in infos}
    except (OSError, zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError) as fault:
        raise corrupt(path, str(fault)) from None


def _steps(data: bytes, path: Path, prefix: str) -> int:
    named = checkpoint_steps(path.name, prefix)
    if named is not None:
        return named
    try:
        # SB3's ``data`` is JSON; only nested strings are pickles, and those are not touched.
        value: Any = json.loads(data) if len(data) <= MAX_DOCUMENT_BYTES else {}
        return max(0, int(value["num_timesteps"]))
    except (ValueError, KeyError, TypeError, RecursionError):
        digits = re.search(r"(\d+)_steps", path.name)
        return int(digits[1]) if digits else 0


def companions(path: Path, prefix: str) -> list[Path]:
    """Return the pickles that SB3's ``CheckpointCallback`` may have written beside a zip."""
    steps = checkpoint_steps(path.name, prefix)
    stems = (
        {path.stem} if steps is None else {path.stem, f"{prefix}_{steps}_steps", f"{prefix}_checkpoint_{steps}_steps"}
    )
    kinds = ("replay_buffer", "vecnormalize")
    names = {
        f"{head}_{kind}_{tail}.pkl"
        for stem in stems
        for head, tail in [(stem.removesuffix(f"_{steps}_steps"), f"{steps}_steps")]
        for kind in kinds
    }
    names |= {f"{kind}.pkl" for kind in kinds}
    return sorted(path.parent / name for name in names if (path.parent / name).is_file())


def _load_pickle(path: Path, model: BaseAlgorithm) -> None:
    try:
        if "replay_buffer" in path.name and isinstance(model, OffPolicyAlgorithm):
            model.load_replay_buffer(path)
        elif "vecnormalize" in path.name and (current := model.get_vec_normalize_env()) is not None:
            loaded = VecNormalize.load(str(path), current.venv)
            current.obs_rms, current.ret_rms = loaded.obs_rms, loaded.ret_rms
    except Exception as fault:  # noqa: BLE001  unpickling runs the file's own code, which may fail in any way
        raise CheckpointUntrustedError(
            "A trusted pickle could not be read.",
            where=path,
            found=f"{type(fault).__name__}: {fault}",
            remedy="move it away to resume from the weights alone",
        ) from None
