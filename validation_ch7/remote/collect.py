"""Bringing a session's outputs from a folder of this disk: what the output manifest names, checked byte by byte."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from validation_ch7.errors import SessionFailedError, StorageError
from validation_ch7.files import confined, copy_durably, link_or_copy, make_folder, sha256_file, storage_errors
from validation_ch7.remote.backend import FetchReport
from validation_ch7.session import (
    LOG_NAME,
    OUTPUT_MANIFEST_NAME,
    OutputFile,
    OutputManifest,
    read_output_manifest,
)

_CHUNK = re.compile(r"(?:.*/)?replay/([0-9a-f]{64})[^/]*")


def collect(source: Path, target: Path, *, log: Path | None = None) -> FetchReport:
    """Bring what a session left below ``source`` into ``target``.

    A folder with an output manifest brings exactly the files that it names, then the manifest itself; a folder
    without one, of a session that was killed, brings every whole file.

    Raises:
        StorageError: a file cannot be read or written.
    """
    make_folder(target)
    files: list[str] = []
    faults: list[str] = []
    complete = False
    sections = sorted(path for path in source.iterdir() if path.is_dir()) if source.is_dir() else []
    for section in sections:
        manifest = _manifest(section, faults)
        complete = complete or manifest is not None
        names = list(_whole_files(section)) if manifest is None else [*manifest.files, OUTPUT_MANIFEST_NAME]
        for name in names:
            fault = _bring(section, target / section.name, name, manifest.files.get(name) if manifest else None)
            if fault:
                faults.append(f"{section.name}/{fault}")
            else:
                files.append(f"{section.name}/{name}")
    if log is not None and log.is_file():
        copy_durably(log, target / LOG_NAME)
        files.append(LOG_NAME)
    return FetchReport(target, tuple(files), complete and not faults, tuple(faults))


def chunk_digest(name: str) -> str | None:
    """Return the digest that an immutable replay chunk carries in its name, or None for any other file.

    >>> chunk_digest("data/models/checkpoints/best.zip") is None
    True
    """
    match = _CHUNK.fullmatch(name)
    return match[1] if match else None


def _manifest(section: Path, faults: list[str]) -> OutputManifest | None:
    try:
        return read_output_manifest(section)
    except SessionFailedError as fault:
        faults.append(f"{section.name}/{OUTPUT_MANIFEST_NAME}: {fault.found}")
        return None


def _whole_files(folder: Path) -> Iterator[str]:
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.is_symlink() and not path.name.startswith("."):
            yield path.relative_to(folder).as_posix()


def _bring(source_root: Path, target_root: Path, name: str, entry: OutputFile | None) -> str | None:
    """Bring one file and return what is wrong with it, if anything."""
    try:
        source, target = confined(source_root, name), confined(target_root, name)
    except StorageError as fault:
        return f"{fault.found}: {fault.what}"
    digest = entry.sha256 if entry else chunk_digest(name)
    with storage_errors(target):
        if digest and target.is_file() and sha256_file(target) == digest:
            return None
        if not source.is_file():
            return f"{name}: missing"
        target.parent.mkdir(parents=True, exist_ok=True)
        if chunk_digest(name):
            target.unlink(missing_ok=True)
            link_or_copy(source, target)
        else:
            copy_durably(source, target)
        if digest and sha256_file(target) != digest:
            target.unlink()
            return f"{name}: content differs from its digest"
    return None
