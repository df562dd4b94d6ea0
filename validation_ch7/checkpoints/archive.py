"""The one file of a checkpoint: a zip that plain Stable-Baselines3 opens, with a manifest over every byte.

Reading trusts nothing: member names, their number, their sizes and their compression are checked against
the manifest before a byte is unpacked, and every digest before a byte is used.
"""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from validation_ch7.checkpoints.manifest import MANIFEST_NAME, Manifest, Member, parse_manifest
from validation_ch7.errors import CheckpointCorruptError, CheckpointForeignError
from validation_ch7.files import sha256_bytes
from validation_ch7.schema import MAX_DOCUMENT_BYTES

_EPOCH = (1980, 1, 1, 0, 0, 0)
_MAX_MEMBERS = 256
_MAX_EXPANSION = 20  # members are stored; a tool that packs them anew may deflate them
_OURS = "training_state."
_PREVIOUS = "the previous checkpoint is used where there is one"


@dataclass(frozen=True)
class Archive:
    """A checkpoint file, read and verified."""

    path: Path
    manifest: Manifest
    members: Mapping[str, bytes]


def describe_members(members: Mapping[str, bytes]) -> dict[str, Member]:
    """Return size and digest of every member."""
    return {name: Member(bytes=len(data), sha256=sha256_bytes(data)) for name, data in members.items()}


def write_archive(stream: BinaryIO, manifest: Manifest, members: Mapping[str, bytes]) -> None:
    """Write the zip; the same manifest and members give the same bytes."""
    everything = {**members, MANIFEST_NAME: manifest.model_dump_json(indent=1).encode()}
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
        for name, data in everything.items():
            archive.writestr(zipfile.ZipInfo(name, _EPOCH), data)


def read_archive(path: Path) -> Archive:
    """Return the checkpoint at ``path``, every member verified; replay chunks are not looked at.

    Raises:
        CheckpointCorruptError: it is no checkpoint, or a byte differs from the manifest.
        CheckpointIncompatibleError: a newer version of this package wrote it.
        CheckpointForeignError: it is a zip without a manifest.
    """
    data = _read(path)
    with _open(io.BytesIO(data), path) as archive:
        manifest = _manifest(archive, path)
        _check_names(archive, manifest, path)
        members = {name: _member(archive, name, entry, path) for name, entry in manifest.members.items()}
    return Archive(path, manifest, members)


def read_manifest(path: Path) -> Manifest:
    """Return the manifest of the checkpoint at ``path``; its members are not verified.

    Raises:
        CheckpointCorruptError: it is no checkpoint, or its manifest was altered.
        CheckpointIncompatibleError: a newer version of this package wrote it.
        CheckpointForeignError: it is a zip without a manifest.
    """
    try:
        with path.open("rb") as stream, _open(stream, path) as archive:
            return _manifest(archive, path)
    except OSError as fault:
        raise corrupt(path, fault.strerror or str(fault), "a readable file") from None


def corrupt(path: object, found: str, expected: str = "a whole checkpoint") -> CheckpointCorruptError:
    """Return the error for a file whose bytes are not what they should be."""
    return CheckpointCorruptError(
        "A checkpoint failed its verification.", where=path, expected=expected, found=found, remedy=_PREVIOUS
    )


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as fault:
        raise corrupt(path, fault.strerror or str(fault), "a readable file") from None


def _open(stream: BinaryIO, path: Path) -> zipfile.ZipFile:
    try:
        archive = zipfile.ZipFile(stream)
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as fault:
        raise corrupt(path, f"{path.stat().st_size} bytes: {fault}") from None
    if min((info.header_offset for info in archive.infolist()), default=-1) != 0:
        # A cut file ends in a member that is a zip itself, and that one's directory would be taken for ours.
        raise corrupt(path, "the file is cut, or something stands before its first member")
    return archive


def _manifest(archive: zipfile.ZipFile, path: Path) -> Manifest:
    if MANIFEST_NAME not in archive.namelist():
        if any(name.startswith(_OURS) for name in archive.namelist()):
            raise corrupt(path, f"no member {MANIFEST_NAME}, though this package wrote the file")
        if "policy.pth" not in archive.namelist():
            raise corrupt(path, f"neither a manifest nor weights among {len(archive.namelist())} member(s)")
        raise CheckpointForeignError(
            "The zip has no manifest, so it was not written by this package.",
            where=path,
            expected=f"a member {MANIFEST_NAME}",
            found=f"{len(archive.namelist())} other member(s)",
            remedy="only its weights can be resumed; nothing in it is unpickled",
        )
    info = archive.getinfo(MANIFEST_NAME)
    if info.file_size > MAX_DOCUMENT_BYTES:
        raise corrupt(path, f"a manifest of {info.file_size} bytes", f"at most {MAX_DOCUMENT_BYTES} bytes")
    return parse_manifest(_unpack(archive, MANIFEST_NAME, info.file_size, path), f"{path}: {MANIFEST_NAME}")


def _check_names(archive: zipfile.ZipFile, manifest: Manifest, path: Path) -> None:
    names = archive.namelist()
    if len(names) > _MAX_MEMBERS or len(set(names)) != len(names):
        raise corrupt(path, "a member stands twice, or there are too many", f"at most {_MAX_MEMBERS} members")
    unpacked = sum(info.file_size for info in archive.infolist())
    if unpacked > _MAX_EXPANSION * path.stat().st_size:
        raise corrupt(path, f"it would unpack to {unpacked} bytes", f"at most {_MAX_EXPANSION} times its own size")
    expected = {*manifest.members, MANIFEST_NAME}
    if set(names) != expected:
        odd = sorted(set(names) ^ expected)
        raise corrupt(path, f"missing or unknown member(s): {', '.join(odd)}", "the members of the manifest")


def _member(archive: zipfile.ZipFile, name: str, entry: Member, path: Path) -> bytes:
    info = archive.getinfo(name)
    if info.file_size != entry.bytes:
        raise corrupt(path, f"{name}: {info.file_size} bytes", f"{entry.bytes} bytes")
    data = _unpack(archive, name, entry.bytes, path)
    if sha256_bytes(data) != entry.sha256:
        raise corrupt(path, f"{name}: content differs from its digest", f"SHA-256 {entry.sha256[:12]}…")
    return data


def _unpack(archive: zipfile.ZipFile, name: str, size: int, path: Path) -> bytes:
    if archive.getinfo(name).compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise corrupt(path, f"{name}: unknown compression", "stored or deflated members")
    try:
        with archive.open(name) as stream:
            data = stream.read(size + 1)
    except (OSError, zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError, ValueError) as fault:
        raise corrupt(path, f"{name}: {fault}") from None
    if len(data) != size:
        raise corrupt(path, f"{name}: {len(data)} bytes or more", f"{size} bytes")
    return data
