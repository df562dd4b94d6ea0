"""The bundle: one file that carries code, plan, checkpoints and wheels into a session.

It is a zip under an extension that no platform unpacks on arrival. Its index, ``bundle.json``, names the
size and SHA-256 of every member, so the digest of the index is the identity of the whole: whoever holds it
can check every byte, and nobody needs to hash the file once more.

A replay chunk is immutable and named by its digest. Chunks therefore come first in the file, are never
hashed here, and stay where they are when the next session's bundle is built over this one: a bundle whose
store changed by one per cent costs about one per cent of the first. The few bytes of chunks that have
gone stay behind unlisted; when they exceed :data:`DEAD_SHARE` the file is written anew.
"""

from __future__ import annotations

import hashlib
import os
import re
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from validation_ch7.errors import CheckpointCorruptError, ConfigurationError, StorageError
from validation_ch7.files import (
    PARTIAL_PREFIX,
    confined,
    fsync_directory,
    json_bytes,
    make_folder,
    sha256_bytes,
    storage_errors,
)
from validation_ch7.remote import kernel_template
from validation_ch7.remote.code import code_digest, code_files, looks_secret
from validation_ch7.session import PLAN_NAME, SessionPlan

BUNDLE_NAME = kernel_template.BUNDLE_NAME
DEAD_SHARE = 0.05
"""Part of a bundle that may be chunks which no longer belong to it."""

_CHUNK = re.compile(r"checkpoints/(?:[^/]+/)*replay/([0-9a-f]{64})[^/]*")
_EPOCH = (1980, 1, 1, 0, 0, 0)
_BLOCK = 1 << 20


@dataclass(frozen=True)
class Bundle:
    """A bundle on this disk."""

    path: Path
    sha256: str
    """Digest of its index, which names the digest of every member."""
    bytes: int
    code_sha256: str = ""
    """Digest of the code that it carries."""


def build_bundle(
    target: Path,
    *,
    plan: SessionPlan | None,
    code_root: Path,
    files: Mapping[str, Path] | None = None,
    wheels: Sequence[Path] = (),
) -> Bundle:
    """Write the bundle of one session to ``target`` (a file name, or a folder that receives it) and return it.

    Args:
        target: a bundle that is already there is built upon, which spares unchanged chunks.
        plan: what the session is told; its ``code_sha256`` is filled in, or must match where it is set. None
            where it travels in the kernel's text: without checkpoints, too, the bundle is then always the same.
        code_root: the folder that holds the package ``validation_ch7``.
        files: name in the bundle, ``checkpoints/…``, to path on this disk.
        wheels: pure-Python wheels that the session's machine may lack.

    Raises:
        ConfigurationError: a name leaves the bundle or looks like a secret, or the code is not the plan's.
        StorageError: a file cannot be read, or the bundle cannot be written.
    """
    path = target / BUNDLE_NAME if target.is_dir() or not target.suffix else target
    named = _checked({**(files or {}), **{f"wheels/{wheel.name}": wheel for wheel in wheels}})
    code = code_digest(code_root)
    told = {} if plan is None else {PLAN_NAME: json_bytes(_with_code(plan, code).model_dump(mode="json"))}
    make_folder(path.parent)
    partial = path.parent / f"{PARTIAL_PREFIX}{path.name}"
    with storage_errors(path):
        members = _write(path, partial, named, code_root, told)
        index = json_bytes({"members": dict(sorted(members.items())), "code_sha256": code})
        _append(partial, {kernel_template.INDEX_NAME: index})
        partial.replace(path)
        fsync_directory(path.parent)
        return Bundle(path, sha256_bytes(index), path.stat().st_size, code)


def unpack_bundle(bundle: Path, target: Path, expected_sha256: str) -> dict[str, Any]:
    """Unpack ``bundle`` below ``target``, check every byte, and return its index.

    Raises:
        CheckpointCorruptError: it is damaged, another bundle, or has a name that leaves ``target``.
    """
    with storage_errors(target):
        try:
            return kernel_template.unpack(bundle, target, expected_sha256)
        except kernel_template.BundleFault as fault:
            raise CheckpointCorruptError(
                "The bundle of the session cannot be used.",
                where=bundle,
                expected=f"an intact bundle {expected_sha256[:12]}",
                found=str(fault),
                remedy="run the same command again: the bundle is built anew",
            ) from fault


def _checked(files: Mapping[str, Path]) -> dict[str, Path]:
    for name, path in files.items():
        try:
            confined(path, name)
        except StorageError as fault:
            raise ConfigurationError(fault.what, where="bundle", found=repr(name), remedy=fault.remedy) from fault
        if looks_secret(path.name) or looks_secret(Path(name).name) or not name.startswith(("checkpoints/", "wheels/")):
            raise ConfigurationError(
                "A file must not travel in a bundle.",
                where=path,
                expected="checkpoints/… or wheels/…, and no credentials",
                found=name,
                remedy="leave it out",
            )
    return dict(files)


def _with_code(plan: SessionPlan, digest: str) -> SessionPlan:
    if plan.code_sha256 not in (None, digest):
        raise ConfigurationError(
            "The code has changed since the session was planned.",
            where="session plan",
            expected=plan.code_sha256,
            found=digest,
            remedy="run the same command again: it plans with the code of now",
        )
    return plan.model_copy(update={"code_sha256": digest})


def _write(
    path: Path, partial: Path, files: dict[str, Path], code_root: Path, told: Mapping[str, bytes]
) -> dict[str, Any]:
    """Fill ``partial`` with everything but the index, and return the index entries."""
    chunks = {name: match[1] for name in files if (match := _CHUNK.fullmatch(name))}
    sizes = {name: files[name].stat().st_size for name in chunks}
    members: dict[str, Any] = {name: {"bytes": sizes[name], "sha256": chunks[name]} for name in chunks}
    kept = _take_over(path, partial, sizes)
    with zipfile.ZipFile(partial, "a", zipfile.ZIP_STORED) as archive:
        for name in sorted(chunks):
            if name not in kept:
                _copy(archive, name, files[name])
        for name in sorted(set(files) - set(chunks)):
            members[name] = _copy(archive, name, files[name])
    texts = {f"code/{name}": source.read_bytes() for name, source in code_files(code_root).items()}
    texts |= told
    members.update({name: {"bytes": len(data), "sha256": sha256_bytes(data)} for name, data in texts.items()})
    _append(partial, texts)
    return members


def _take_over(path: Path, partial: Path, wanted: Mapping[str, int]) -> set[str]:
    """Turn the previous bundle into the beginning of the new one; return the chunks that it already holds."""
    partial.unlink(missing_ok=True)
    if not path.is_file() or path.stat().st_nlink > 1:  # a second name is a session's input: it must not change
        return set()
    try:
        with zipfile.ZipFile(path) as archive:
            old = [info for info in archive.infolist() if _CHUNK.fullmatch(info.filename)]
    except (zipfile.BadZipFile, OSError):
        return set()
    kept = [info for info in old if wanted.get(info.filename) == info.file_size]
    end = max((info.header_offset + info.file_size for info in kept), default=0)
    if not kept or end - sum(info.file_size for info in kept) > DEAD_SHARE * end + len(old) * 512:
        return set()
    path.replace(partial)
    _keep_only(partial, {info.filename for info in kept})
    return {info.filename for info in kept}


def _keep_only(partial: Path, names: set[str]) -> None:
    """Cut the zip after the last of ``names`` and list only those."""
    with zipfile.ZipFile(partial, "a") as archive:
        ordered = sorted(archive.infolist(), key=lambda info: info.header_offset)
        last = max(index for index, info in enumerate(ordered) if info.filename in names)
        if last + 1 < len(ordered):
            archive.start_dir = ordered[last + 1].header_offset
        archive.filelist[:] = [info for info in ordered if info.filename in names]
        for info in ordered:
            if info.filename not in names:
                del archive.NameToInfo[info.filename]
        archive.comment = b""  # marks the archive as changed, so that closing writes the new directory


def _copy(archive: zipfile.ZipFile, name: str, source: Path) -> dict[str, Any]:
    hashed = _CHUNK.fullmatch(name) is None
    digest, size = hashlib.sha256(), 0
    with source.open("rb") as stream, archive.open(_info(name), "w", force_zip64=True) as sink:
        while block := stream.read(_BLOCK):
            size += len(block)
            if hashed:
                digest.update(block)
            sink.write(block)
    return {"bytes": size, "sha256": digest.hexdigest()}


def _append(partial: Path, texts: Mapping[str, bytes]) -> None:
    with partial.open("r+b") as stream:
        with zipfile.ZipFile(stream, "a", zipfile.ZIP_STORED) as archive:
            for name, data in sorted(texts.items()):
                archive.writestr(_info(name), data)
        stream.flush()
        os.fsync(stream.fileno())


def _info(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, _EPOCH)
    info.external_attr = 0o644 << 16
    info.create_system = 3
    return info
