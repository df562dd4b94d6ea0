"""Where copies of stores lie: the one interface that export and import know, and what its answers mean."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Protocol

from validation_ch7.errors import BackendError, CheckpointNotFoundError


class Place(Protocol):
    """A folder, or something that behaves like one; names are POSIX paths below it.

    Every method may raise :class:`validation_ch7.errors.BackendError`. A file is there whole or not at all. What was
    written may be seen at once; after ``commit`` it is.
    """

    shown: str
    """Its address, as it may be shown."""

    def sizes(self, folder: str) -> dict[str, int]:
        """Return the files below ``folder`` with their sizes; none where there is no such folder."""
        ...

    def create(self, name: str, data: bytes) -> None:
        """Write a file that is named by its content; one that is there already is as good."""
        ...

    def replace(self, name: str, data: bytes) -> None:
        """Write a file, or put it in place of the one that is there."""
        ...

    def blocks(self, name: str) -> Iterator[bytes]:
        """Return the content of a file, block by block.

        Raises:
            CheckpointNotFoundError: there is no such file.
        """
        ...

    def holds(self, name: str, size: int, sha256: str) -> bool:
        """Read a file back and return whether it lies here, byte for byte.

        A place that shows nothing before ``commit`` says whether this is what was sent, and compares in ``commit``.
        """
        digest, found = hashlib.sha256(), 0
        try:
            for block in self.blocks(name):
                digest.update(block)
                found += len(block)
                if found > size:
                    return False
        except CheckpointNotFoundError:
            return False
        return found == size and digest.hexdigest() == sha256

    def commit(self) -> None:
        """Make all that was written visible at once, where a place has held it back."""
        return None


def read_all(place: Place, name: str, most: int) -> bytes | None:
    """Return the content of a small file, or None where there is none.

    Raises:
        BackendError: it is larger than ``most`` bytes, or cannot be read.
    """
    data = bytearray()
    try:
        for block in place.blocks(name):
            data += block
            if len(data) > most:
                raise BackendError(
                    "A file is larger than it can be.", where=f"{place.shown}/{name}", expected=f"at most {most} bytes"
                )
    except CheckpointNotFoundError:
        return None
    return bytes(data)


def missing(place: str, name: str) -> CheckpointNotFoundError:
    """Return the error for a file that is not there."""
    return CheckpointNotFoundError(
        "A file of the shared store is not there.",
        where=f"{place}/{name}",
        remedy="export the store again: what is there already is not sent twice",
    )
