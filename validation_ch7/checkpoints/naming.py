"""Names of checkpoint files: ``<prefix>_checkpoint_<steps>_steps.zip``, ordered by steps and nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from validation_ch7.errors import ConfigurationError
from validation_ch7.files import DEVICES

CHECKPOINTS = "checkpoints"
REPLAY = "replay"
QUARANTINE = "quarantine"
BEST = "best_model"
BEST_NAME = "best_model.zip"
BACKUPS = "backups"
METADATA_NAME = "training_metadata.json"
CHUNK_SUFFIX = ".npz"
COMPRESSED_SUFFIX = ".npz.zst"

_PREFIX = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_NAME = re.compile(r"(?P<prefix>[A-Za-z0-9][A-Za-z0-9._-]{0,99})_checkpoint_(?P<steps>0|[1-9][0-9]{0,17})_steps\.zip")
_CHUNK = re.compile(r"(?P<digest>[0-9a-f]{64})\.npz(\.zst)?")


def valid_prefix(prefix: str) -> str:
    """Return ``prefix`` if files can be named after it.

    Raises:
        ConfigurationError: it is empty, too long, ends in a dot, or is a name that some system does not allow.
    """
    if not _PREFIX.fullmatch(prefix) or prefix.endswith(".") or prefix.split(".")[0].lower() in DEVICES:
        raise ConfigurationError(
            "This prefix cannot name checkpoint files.",
            where="prefix",
            expected="letters, digits, '.', '_' and '-', at most 100 of them, no dot at the end, no device of Windows",
            found=repr(prefix),
            remedy="choose a name such as 'my_task'",
        )
    return prefix


def other_case(names: Iterable[str], prefix: str) -> str | None:
    """Return the prefix of a checkpoint among ``names`` that differs from ``prefix`` in case only, or None.

    >>> other_case(["task_checkpoint_5_steps.zip"], "Task"), other_case(["task_checkpoint_5_steps.zip"], "task")
    ('task', None)
    """
    found = {known for name in names if (known := checkpoint_prefix(name)) is not None}
    return next((known for known in sorted(found) if known != prefix and known.lower() == prefix.lower()), None)


def checkpoint_name(prefix: str, steps: int) -> str:
    """Return the file name of a checkpoint.

    >>> checkpoint_name("traffic_light_control", 50_000)
    'traffic_light_control_checkpoint_50000_steps.zip'
    """
    return f"{prefix}_checkpoint_{steps}_steps.zip"


def checkpoint_steps(name: str, prefix: str) -> int | None:
    """Return the steps that ``name`` stands for, or None if it is no checkpoint of this prefix.

    >>> checkpoint_steps("a_checkpoint_9_steps.zip", "a"), checkpoint_steps("ab_checkpoint_9_steps.zip", "a")
    (9, None)
    """
    match = _NAME.fullmatch(name)
    return int(match["steps"]) if match and match["prefix"] == prefix else None


def checkpoint_prefix(name: str) -> str | None:
    """Return the prefix of a checkpoint's name, or None if it is no such name."""
    match = _NAME.fullmatch(name)
    return match["prefix"] if match else None


def chunk_digest(name: str) -> str | None:
    """Return the digest that a chunk's name states, or None if it is no chunk."""
    match = _CHUNK.fullmatch(name)
    return match["digest"] if match else None


def chunk_path(folder: Path, digest: str) -> Path:
    """Return where the chunk with this digest lies in a folder of chunks, or would lie uncompressed."""
    packed = folder / f"{digest}{COMPRESSED_SUFFIX}"
    try:
        return packed if packed.is_file() else folder / f"{digest}{CHUNK_SUFFIX}"
    except OSError:
        return packed  # whoever opens it is told why it cannot be looked at


def chunk_files(folder: Path) -> list[Path]:
    """Return every chunk in a folder, compressed or not."""
    return sorted(path for path in folder.glob("*.npz*") if chunk_digest(path.name))
