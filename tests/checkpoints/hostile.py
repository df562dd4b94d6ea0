"""Ways to spoil a checkpoint, from a cut cable to an author who computes every digest anew."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

from validation_ch7.checkpoints.archive import describe_members, read_archive
from validation_ch7.checkpoints.manifest import MANIFEST_NAME, Manifest
from validation_ch7.checkpoints.naming import CHUNK_SUFFIX, COMPRESSED_SUFFIX
from validation_ch7.files import sha256_bytes


class Bomb:
    """A pickle that leaves a mark when it is loaded."""

    def __init__(self, mark: Path) -> None:
        self._mark = mark

    def __reduce__(self) -> Any:
        return Path.touch, (self._mark,)


def flip(path: Path, byte: int, bits: int = 1) -> None:
    """Flip some bits of one byte."""
    data = bytearray(path.read_bytes())
    data[byte] ^= bits
    path.write_bytes(bytes(data))


def reseal(path: Path, members: dict[str, bytes], **manifest: Any) -> None:
    """Replace members and facts and compute every digest anew, as a hostile author would."""
    archive = read_archive(path)
    everything = {**archive.members, **members}
    fields = archive.manifest.model_dump() | {"members": describe_members(everything)} | manifest
    sealed = Manifest.model_construct(**fields)
    text = json.dumps(Manifest(**fields).sealed().model_dump(mode="json")) if not manifest else _forced(sealed)
    write_zip(path, {**everything, MANIFEST_NAME: text.encode()})


def reseal_replay(path: Path, **replay: Any) -> None:
    """Replace facts of the replay buffer and compute every digest anew."""
    manifest = read_archive(path).manifest
    assert manifest.replay is not None
    changed = manifest.model_copy(update={"replay": manifest.replay.model_copy(update=replay)}).sealed()
    write_zip(path, members_of(path) | {MANIFEST_NAME: changed.model_dump_json().encode()})


def reseal_chunk(path: Path, chunks: Path, data: bytes, raw_bytes: int | None = None) -> None:
    """Put ``data`` in place of the newest chunk, under its true name, and compute every digest anew."""
    manifest = read_archive(path).manifest
    assert manifest.replay is not None
    digest = sha256_bytes(data)
    (chunks / f"{digest}{CHUNK_SUFFIX if raw_bytes is None else COMPRESSED_SUFFIX}").write_bytes(data)
    facts = {"sha256": digest, "bytes": len(data), "raw_bytes": raw_bytes}
    *others, newest = manifest.replay.chunks
    reseal_replay(path, chunks=(*others, newest.model_copy(update=facts)))


def _forced(manifest: Manifest) -> str:
    content = manifest.model_dump(mode="json", warnings=False) | {"digest": ""}
    return json.dumps(content | {"digest": "0" * 64})


def write_zip(path: Path, members: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> None:
    """Write a zip of these members."""
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, data in members.items():
            archive.writestr(name, data)


def members_of(path: Path) -> dict[str, bytes]:
    """Return every member of a zip."""
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}
