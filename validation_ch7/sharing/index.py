"""What a shared store holds: one document, written after everything that it names.

::

    <place>/
        objects/ab/abcd…           every file, named by the SHA-256 of its content; never changed
        <prefix>.index.json        names the objects that make up the store; replaced as a whole, last

A reader that finds an index finds everything that it names. Each index is kept as an object too and names the
one before it, so an export never makes an earlier one unreachable.
"""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from validation_ch7.checkpoints import naming
from validation_ch7.errors import CheckpointCorruptError, CheckpointNotFoundError, ConfigurationError
from validation_ch7.files import json_bytes, sha256_bytes
from validation_ch7.schema import MAX_DOCUMENT_BYTES, Document, parse_document
from validation_ch7.session import Digest
from validation_ch7.sharing.place import Place, read_all

OBJECTS = "objects"
SUFFIX = ".index.json"
_REMEDY = "do not use this copy: it is damaged, or somebody made it up; nothing was changed here"


class SharedFile(Document):
    """One file of a store, as it lies at a place."""

    bytes: Annotated[int, Field(ge=0)]
    sha256: Digest


class StoreIndex(Document):
    """The files of a store by their names in it."""

    format: Literal["validation-ch7-store"] = "validation-ch7-store"
    version: Literal[1] = 1
    prefix: str
    created: str
    """UTC, ISO 8601."""
    previous: Digest | None = None
    """Digest of the index that this one has replaced."""
    files: dict[str, SharedFile]

    @model_validator(mode="after")
    def _only_names_of_a_store(self) -> Self:
        for name, entry in self.files.items():
            if not belongs(name, entry.sha256, self.prefix):
                raise ValueError(f"{name!r} is no file of a store with the prefix {self.prefix!r}")
        return self

    @property
    def steps(self) -> int:
        """Steps of its newest checkpoint; 0 without one."""
        found = (naming.checkpoint_steps(name.split("/")[-1], self.prefix) for name in self.files)
        return max((steps for steps in found if steps is not None), default=0)

    def as_bytes(self) -> bytes:
        """Return the document as it is written."""
        return json_bytes(self.model_dump(mode="json"))


def belongs(name: str, digest: str, prefix: str) -> bool:
    """Return whether ``name`` is a name that a file of a store can have; everything else is refused.

    >>> belongs("checkpoints/a_checkpoint_5_steps.zip", "0" * 64, "a"), belongs("checkpoints/../../x.zip", "", "a")
    (True, False)
    """
    folder, _, file = name.rpartition("/")
    if folder == naming.CHECKPOINTS:
        return naming.checkpoint_steps(file, prefix) is not None
    if folder == f"{naming.CHECKPOINTS}/{naming.REPLAY}":
        return naming.chunk_digest(file) == digest
    return name == f"{naming.BEST}/{naming.BEST_NAME}"


def object_name(digest: str) -> str:
    """Return where the object with this digest lies.

    >>> object_name("ab" * 32)[:12]
    'objects/ab/a'
    """
    return f"{OBJECTS}/{digest[:2]}/{digest}"


def index_name(prefix: str) -> str:
    """Return where the index of a store lies."""
    return naming.valid_prefix(prefix) + SUFFIX


def parse_index(data: bytes, where: str) -> StoreIndex:
    """Return the index in ``data``.

    Raises:
        CheckpointCorruptError: it is malformed, or names what no store holds.
    """
    try:
        value: Any = json.loads(data.decode("utf-8"))
    except (ValueError, RecursionError) as fault:
        raise CheckpointCorruptError(
            "The index of a shared store cannot be read.", where=where, found=str(fault), remedy=_REMEDY
        ) from None
    return parse_document(StoreIndex, value, where, CheckpointCorruptError, _REMEDY)


def prefixes(place: Place) -> list[str]:
    """Return the prefixes of the stores that lie at ``place``."""
    names = [name for name in place.sizes("") if "/" not in name and name.endswith(SUFFIX)]
    return sorted(name.removesuffix(SUFFIX) for name in names)


def only_prefix(place: Place) -> str:
    """Return the prefix of the one store that lies at ``place``.

    Raises:
        CheckpointNotFoundError: there is none.
        ConfigurationError: there are several.
    """
    found = prefixes(place)
    if len(found) == 1:
        return naming.valid_prefix(found[0])
    if not found:
        raise _absent(place, "any prefix")
    raise ConfigurationError(
        "Several stores lie there.",
        where=place.shown,
        expected=f"--prefix NAME, one of: {', '.join(found)}",
        found="no --prefix",
        remedy="add --prefix NAME",
    )


def read_index(place: Place, prefix: str, version: str | None = None) -> StoreIndex:
    """Return the index of a store.

    Args:
        version: digest of an earlier index; default: the present one.

    Raises:
        CheckpointNotFoundError: there is no such store, or no such version.
        CheckpointCorruptError: it is malformed, or not what its digest says.
    """
    name = object_name(version) if version else index_name(prefix)
    data = read_all(place, name, MAX_DOCUMENT_BYTES)
    if data is None:
        raise _absent(place, prefix)
    index = parse_index(data, f"{place.shown}/{name}")
    if index.prefix != prefix or (version and sha256_bytes(data) != version):
        raise CheckpointCorruptError(
            "The index of a shared store is not the one that its name states.",
            where=f"{place.shown}/{name}",
            expected=prefix,
            found=index.prefix,
            remedy=_REMEDY,
        )
    return index


def _absent(place: Place, prefix: str) -> CheckpointNotFoundError:
    return CheckpointNotFoundError(
        "No store lies there.",
        where=place.shown,
        expected=f"an index of {prefix}",
        found=", ".join(prefixes(place)) or "none",
        remedy="send one there with: python -m validation_ch7 export TARGET",
    )
