"""Durable files: the one commit protocol that every writer of this package uses.

A file appears under its final name either whole or not at all. The bytes go to a temporary name in the
same folder, which no reader's pattern matches (``.partial-`` prefix); they are flushed to the disk; the
name is exchanged by ``rename``, which is atomic on one file system; the folder is flushed, so that
the new name itself survives a power cut. A process that dies anywhere in between leaves the previous
file and one temporary, which :func:`sweep_partials` removes at the next start.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

from validation_ch7.errors import StorageError

PARTIAL_PREFIX = ".partial-"
DEVICES = frozenset({"con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(1, 10))})
"""Names that Windows keeps for devices, with any ending, in any case."""
_BLOCK = 1 << 20


def sha256_bytes(data: bytes | memoryview) -> str:
    """Return the SHA-256 of ``data`` in hexadecimal.

    >>> sha256_bytes(b"")[:8]
    'e3b0c442'
    """
    return hashlib.sha256(data).hexdigest()


def sha256_file(path: Path) -> str:
    """Return the SHA-256 of the file's content in hexadecimal, reading it in blocks."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def fsync_directory(folder: Path) -> None:
    """Flush the folder's entries to the disk; does nothing where the system has no such call."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def storage_errors(path: Path) -> Iterator[None]:
    """Translate the operating system's refusals while working on ``path``.

    Raises:
        StorageError: the disk is full or read-only, or a permission is missing.
    """
    try:
        yield
    except OSError as error:
        raise storage_error(path, error) from error


def storage_error(path: Path, error: OSError) -> StorageError:
    """Return the error of this package that says what ``error`` means for ``path``."""
    remedies = {
        errno.ENOSPC: "free some disk space, then run the same command again",
        errno.EDQUOT: "free some of your disk quota, then run the same command again",
        errno.EROFS: "choose a writable folder with --workspace",
        errno.EACCES: "give yourself write permission there, or choose another folder with --workspace",
        errno.EPERM: "give yourself write permission there, or choose another folder with --workspace",
        errno.ENOTDIR: "a file stands where a folder is needed: move it away, or choose another --workspace",
        errno.EEXIST: "a file stands where a folder is needed: move it away, or choose another --workspace",
        errno.EISDIR: "a folder stands where a file is needed: move it away",
    }
    remedy = remedies.get(error.errno or 0, "see the reason above, then run the same command again")
    return StorageError(
        "The disk refused a read or write; nothing that was committed before is lost.",
        where=path,
        found=error.strerror or str(error),
        remedy=remedy,
    )


def make_folder(folder: Path) -> Path:
    """Create ``folder`` and its parents and return it.

    Raises:
        StorageError: it cannot be created.
    """
    with storage_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    return folder


def list_folder(folder: Path) -> list[Path]:
    """Return what lies in ``folder``, by name; nothing where there is no such folder.

    To ``Path.glob`` a folder that may not be read is an empty one; here it is an error.

    Raises:
        StorageError: it cannot be read.
    """
    with storage_errors(folder):
        try:
            return sorted(folder.iterdir())
        except (FileNotFoundError, NotADirectoryError):
            return []


def commit_file(path: Path, write: Callable[[BinaryIO], None]) -> None:
    """Let ``write`` fill a new file and make it appear at ``path`` whole or not at all.

    Raises:
        StorageError: the operating system refused; ``path`` is as it was before.
    """
    partial = path.parent / f"{PARTIAL_PREFIX}{uuid.uuid4().hex[:12]}"
    with storage_errors(path):
        try:
            with partial.open("xb") as stream:
                write(stream)
                stream.flush()
                os.fsync(stream.fileno())
            partial.replace(path)
        except BaseException:
            with contextlib.suppress(OSError):
                partial.unlink(missing_ok=True)
            raise
        fsync_directory(path.parent)


def commit_bytes(path: Path, data: bytes) -> None:
    """Make ``data`` appear at ``path`` whole or not at all."""

    def write(stream: BinaryIO) -> None:
        stream.write(data)

    commit_file(path, write)


def commit_json(path: Path, value: Any) -> None:
    """Make ``value`` appear at ``path`` as indented UTF-8 JSON, whole or not at all."""
    commit_bytes(path, json_bytes(value))


def json_bytes(value: Any) -> bytes:
    """Return ``value`` as the UTF-8 JSON that this package writes.

    >>> json_bytes({"b": 1, "a": "é"}).decode()
    '{\\n  "b": 1,\\n  "a": "é"\\n}\\n'
    """
    return (json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode("utf-8")


def link_or_copy(source: Path, target: Path) -> None:
    """Give the immutable file ``source`` a second name, by hard link where possible, else by a durable copy.

    Raises:
        StorageError: neither can be done.
    """
    if target.exists():
        return
    try:
        os.link(source, target)
    except OSError:
        copy_durably(source, target)
    else:
        with storage_errors(target):
            fsync_directory(target.parent)


def copy_durably(source: Path, target: Path) -> None:
    """Copy ``source`` to ``target`` in blocks; ``target`` appears whole or not at all."""

    def write(stream: BinaryIO) -> None:
        with source.open("rb") as origin:
            while block := origin.read(_BLOCK):
                stream.write(block)

    commit_file(target, write)


def sweep_partials(folders: Iterable[Path]) -> list[Path]:
    """Remove the temporaries, files and folders, that a dead writer left in ``folders`` and return them."""
    swept = []
    for folder in folders:
        for partial in sorted(folder.glob(f"{PARTIAL_PREFIX}*")):
            with storage_errors(partial):
                shutil.rmtree(partial) if partial.is_dir() else partial.unlink(missing_ok=True)
            swept.append(partial)
    return swept


def last_lines(path: Path, count: int) -> list[str]:
    """Return the last lines of a text file, however long it is; none where it cannot be read."""
    try:
        with path.open("rb") as stream:
            stream.seek(max(0, path.stat().st_size - 400 * count))
            return stream.read().decode("utf-8", "replace").splitlines()[-count:]
    except OSError:
        return []


def confined(root: Path, name: str) -> Path:
    """Return ``root / name``, refusing every name that would leave ``root``.

    Raises:
        StorageError: the name is absolute, has a drive, a backslash, a NUL or a ``..`` part.

    >>> confined(Path("/r"), "a/b.zip").as_posix()
    '/r/a/b.zip'
    """
    parts = name.split("/")
    hostile = not name or "\\" in name or "\0" in name or ":" in name or any(part in ("", ".", "..") for part in parts)
    if hostile:
        raise StorageError(
            "A file name would leave its folder, so it was refused.",
            where=root,
            expected="a relative name of plain parts",
            found=repr(name),
            remedy="the sender of this file is not to be trusted; nothing was written",
        )
    return root.joinpath(*parts)
