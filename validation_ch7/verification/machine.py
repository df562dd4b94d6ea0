"""This machine: disk, write access, long paths, console, and whether what trains can be imported."""

from __future__ import annotations

import importlib
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from validation_ch7.console import printable
from validation_ch7.verification.finding import Finding, issue, success, warning
from validation_ch7.verification.requirements import INSTALL

MB = 1_000_000
LITTLE_DISK, TIGHT_DISK = 200 * MB, 2000 * MB
LONGEST_BELOW = 215
"""Length of the longest path that is made below a workspace, names of scenarios as long as the usual ones."""
_OLD_LIMIT = 259
_SIGNS = "✅ ✗ → …"
_ENABLE = (
    "as administrator, in PowerShell: New-ItemProperty -Path "
    "HKLM:\\SYSTEM\\CurrentControlSet\\Control\\FileSystem -Name LongPathsEnabled -Value 1 -Force; "
    "or use a shorter --workspace"
)
TRAINS = ("torch", "stable_baselines3", "gymnasium", "numba")


def check_disk(workspace: Path) -> Iterator[Finding]:
    """Compare the free space with what checkpoints need."""
    folder = next(path for path in (workspace, *workspace.parents) if path.exists())
    yield judge_disk(shutil.disk_usage(folder).free, str(folder))


def judge_disk(free: int, where: str) -> Finding:
    """Decide whether so many free bytes are enough.

    >>> judge_disk(10**10, "/w").text
    '10000 MB free at /w'
    """
    text = f"{free // MB} MB free at {where}"
    if free < LITTLE_DISK:
        return issue(
            "disk", f"{text}, less than {LITTLE_DISK // MB} MB", "free some space, or choose another --workspace"
        )
    if free < TIGHT_DISK:
        remedy = "large replay buffers and backups may not fit: free some space, or set checkpoints.max_bytes"
        return warning("disk", f"{text}, less than {TIGHT_DISK // MB} MB", remedy)
    return success("disk", text)


def check_write_access(workspace: Path) -> Iterator[Finding]:
    """Write a file in the workspace, or in the folder that it would be made in, and remove it again."""
    folder = next(path for path in (workspace, *workspace.parents) if path.exists())
    try:
        with tempfile.TemporaryFile(dir=folder) as stream:
            stream.write(b"x")
    except OSError as fault:
        text = f"nothing can be written in {folder}: {fault.strerror or type(fault).__name__}"
        yield issue("write-access", text, "give yourself permission to write there, or choose another --workspace")
    else:
        yield success("write-access", f"files can be written in {folder}")


def check_long_paths(workspace: Path) -> Iterator[Finding]:
    """On Windows, say whether paths of more than 259 letters can be used."""
    if os.name == "nt":
        yield judge_long_paths(_long_paths_enabled(), len(str(workspace)))


def judge_long_paths(enabled: bool, length: int) -> Finding:
    """Decide whether the paths below a workspace with a path of ``length`` letters can be used.

    >>> judge_long_paths(True, 200).text, judge_long_paths(False, 40).grade.value
    ('paths of any length can be used', 'success')
    """
    if enabled:
        return success("long-paths", "paths of any length can be used")
    text = f"the path of the workspace has {length} letters, paths of more than {_OLD_LIMIT} cannot be used"
    if length + LONGEST_BELOW > _OLD_LIMIT:
        return warning("long-paths", text, _ENABLE)
    return success("long-paths", text)


def _long_paths_enabled() -> bool:
    registry: Any = importlib.import_module("winreg")
    path = r"SYSTEM\CurrentControlSet\Control\FileSystem"
    try:
        with registry.OpenKey(registry.HKEY_LOCAL_MACHINE, path) as key:
            return bool(registry.QueryValueEx(key, "LongPathsEnabled")[0])
    except OSError:
        return False


def check_console(encoding: str | None = None) -> Iterator[Finding]:
    """Say which signs the console can print."""
    name = encoding or getattr(sys.stdout, "encoding", None) or "ascii"
    whole = printable(_SIGNS, name) == _SIGNS
    yield success("console", f"{name}: {'prints every sign' if whole else 'signs that it lacks are replaced'}")


def check_torch() -> Iterator[Finding]:
    """Import what trains, and say on which device it would."""
    for name in TRAINS:
        try:
            importlib.import_module(name)
        except (ImportError, OSError) as fault:
            yield issue("torch", f"{name} cannot be imported: {type(fault).__name__}: {fault}", INSTALL)
            return
    torch: Any = sys.modules["torch"]
    threads = torch.get_num_threads()
    if torch.cuda.is_available():
        yield success("torch", f"torch {torch.__version__}, trains on {torch.cuda.get_device_name(0)}")
        return
    why = "built without CUDA" if torch.version.cuda is None else "no CUDA device was found"
    text = f"torch {torch.__version__}, trains on the CPU ({why}), {threads} thread(s)"
    if torch.version.cuda is None and shutil.which("nvidia-smi"):
        yield warning("torch", f"{text}, though there is a GPU", "install torch with CUDA: https://pytorch.org")
    else:
        yield success("torch", text)
