"""What a checkpoint says of itself: the one schema that the writer, the reader and the verifier share.

The manifest lists bytes and SHA-256 of every member of the zip and of every replay chunk that belongs to
it. Its own ``digest`` covers all of that, so it identifies the whole checkpoint: a child names its parent
by it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, Self

from pydantic import Field

from validation_ch7.errors import CheckpointCorruptError, CheckpointIncompatibleError
from validation_ch7.files import sha256_bytes
from validation_ch7.schema import Document, parse_document
from validation_ch7.session import Digest, Exactness, Steps

FORMAT = "validation-ch7-checkpoint"
VERSION = 1
MANIFEST_NAME = "manifest.json"

Size = Annotated[int, Field(ge=0)]
Boundary = Literal["rollout_start", "training_end", "torn"]
"""Where in SB3's loop the state was taken; ``torn`` is between two steps of a rollout."""


class Member(Document):
    """One member of the zip."""

    bytes: Size
    sha256: Digest


class Chunk(Document):
    """One immutable file of consecutive transitions, named by its content."""

    sha256: Digest
    bytes: Size
    start: Steps
    """Index of its first row, counted from the first row ever added."""
    stop: Steps
    """Index after its last row."""
    raw_bytes: Size | None = None
    """Bytes after decompression; None where it is not compressed."""


class Replay(Document):
    """The replay buffer: which chunks, and where its write position stood."""

    capacity: Annotated[int, Field(ge=1)]
    """Rows that the buffer holds; a row is one transition of every environment."""
    added: Steps
    """Rows ever added."""
    chunks: tuple[Chunk, ...] = ()


class Compatibility(Document):
    """What must, or should, agree between a checkpoint and the model that resumes from it."""

    algorithm: str
    observation_space: str
    action_space: str
    policy: str
    architecture: str
    activation: str
    vec_normalize: bool
    n_envs: Annotated[int, Field(ge=1)]
    hyperparameters: dict[str, str] = Field(default_factory=dict)
    environment: dict[str, str] = Field(default_factory=dict)


class Manifest(Document):
    """One checkpoint, described."""

    format: Literal["validation-ch7-checkpoint"] = "validation-ch7-checkpoint"
    version: Annotated[int, Field(ge=1)] = VERSION
    scenario: str
    steps: Steps
    session_id: str
    parent: Digest | None = None
    """Digest of the checkpoint that the session resumed from, or of the one saved before this one."""
    created: str
    """UTC, ISO 8601."""
    boundary: Boundary = "rollout_start"
    exactness: Exactness
    lost: tuple[str, ...] = ()
    """Why it is not exact: what could not be captured."""
    compatibility: Compatibility
    software: dict[str, str] = Field(default_factory=dict)
    metrics: dict[str, float] = Field(default_factory=dict)
    members: dict[str, Member]
    replay: Replay | None = None
    digest: str = ""

    def sealed(self) -> Self:
        """Return the manifest with its digest filled in."""
        return self.model_copy(update={"digest": content_digest(self.model_dump(mode="json"))})

    @property
    def chunk_digests(self) -> frozenset[str]:
        """Names of the chunks that belong to this checkpoint."""
        return frozenset(self.chunk_bytes)

    @property
    def member_bytes(self) -> int:
        """Bytes of the members."""
        return sum(member.bytes for member in self.members.values())

    @property
    def chunk_bytes(self) -> dict[str, int]:
        """Bytes of every chunk that belongs to this checkpoint, by name."""
        return {chunk.sha256: chunk.bytes for chunk in self.replay.chunks} if self.replay else {}


def content_digest(manifest: Mapping[str, Any]) -> str:
    """Return the SHA-256 over everything that a manifest says but ``digest`` itself.

    It is taken over the words of the file and not over the schema, which later versions may extend.
    """
    content = {key: value for key, value in manifest.items() if key != "digest"}
    return sha256_bytes(json.dumps(content, sort_keys=True, separators=(",", ":")).encode())


def parse_manifest(data: bytes, where: object) -> Manifest:
    """Return the manifest in ``data``.

    Raises:
        CheckpointIncompatibleError: a newer version of this package wrote it.
        CheckpointCorruptError: it is malformed, or its digest does not match.
    """
    value = _json(data, where)
    version = value.get("version") if isinstance(value, Mapping) else None
    if isinstance(version, int) and version > VERSION:
        raise CheckpointIncompatibleError(
            "The checkpoint was written by a newer version of this package.",
            where=where,
            expected=f"format version {VERSION} or older",
            found=version,
            remedy="upgrade this package: python -m pip install --upgrade validation-ch7",
        )
    manifest = parse_document(
        Manifest, value, where, CheckpointCorruptError, remedy="the previous checkpoint is used where there is one"
    )
    found = content_digest(value)
    if manifest.digest != found:
        raise CheckpointCorruptError(
            "The manifest of a checkpoint was altered.",
            where=where,
            expected=f"digest {manifest.digest[:12]}…",
            found=f"{found[:12]}…",
            remedy="the previous checkpoint is used where there is one",
        )
    return manifest


def _json(data: bytes, where: object) -> Any:
    try:
        return json.loads(data.decode("utf-8"))
    except (ValueError, RecursionError) as fault:
        raise CheckpointCorruptError(
            "The manifest of a checkpoint cannot be read.",
            where=where,
            expected="UTF-8 JSON",
            found=str(fault),
            remedy="the previous checkpoint is used where there is one",
        ) from None


def utc_now() -> str:
    """Return the present time in UTC, to the second, as ISO 8601."""
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
