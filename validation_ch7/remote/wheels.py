"""Pure-Python packages that a session's machine may lack, packed from what is installed here.

Packing what is installed needs no network, and the session runs the very versions that run here.
"""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from typing import BinaryIO

from validation_ch7.errors import BackendError
from validation_ch7.files import commit_file, make_folder

LACKING = ("stable-baselines3", "gymnasium", "farama-notifications")
"""What the Kaggle image lacks, or has in another version."""
OPTIONAL = ("sb3-contrib",)

_EPOCH = (1980, 1, 1, 0, 0, 0)
_NATIVE = (".so", ".pyd", ".dylib", ".dll")


def session_wheels(folder: Path, names: Sequence[str] = LACKING, optional: Sequence[str] = OPTIONAL) -> list[Path]:
    """Return wheels of the installed packages, kept in ``folder`` and made where they are not there yet.

    Raises:
        BackendError: a package is not installed here, or is not pure Python.
        StorageError: a wheel cannot be written.
    """
    make_folder(folder)
    found = [_installed(name) for name in names] + [_maybe_installed(name) for name in optional]
    return [_wheel(folder, package) for package in found if package is not None]


def _maybe_installed(name: str) -> Distribution | None:
    try:
        return distribution(name)
    except PackageNotFoundError:
        return None


def _installed(name: str) -> Distribution:
    package = _maybe_installed(name)
    if package is None or package.files is None:
        raise BackendError(
            "A package that sessions need is not installed here, so it cannot be sent along.",
            where=name,
            remedy=f"run: python -m pip install {name}",
        )
    return package


def _wheel(folder: Path, package: Distribution) -> Path:
    name = str(package.metadata["Name"]).replace("-", "_").lower()
    path = folder / f"{name}-{package.version}-py3-none-any.whl"
    if not path.is_file():
        members = _members(package)
        commit_file(path, lambda stream: _write(stream, members))
    return path


def _members(package: Distribution) -> dict[str, Path]:
    """Return the package's own files by their names below site-packages."""
    members = {}
    for file in package.files or ():
        name = file.as_posix()
        if file.suffix in _NATIVE:
            raise BackendError(
                "A package that sessions need is not pure Python, so it cannot be sent along.",
                where=package.metadata["Name"],
                found=name,
                remedy="take it out of the list of wheels; the session's machine must have it",
            )
        ours = not name.startswith(("..", "/")) and "__pycache__" not in file.parts
        if ours and (path := Path(str(file.locate()))).is_file():
            members[name] = path
    return members


def _write(stream: BinaryIO, members: dict[str, Path]) -> None:
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, path in sorted(members.items()):
            info = zipfile.ZipInfo(name, _EPOCH)
            info.external_attr = 0o644 << 16
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, path.read_bytes())
