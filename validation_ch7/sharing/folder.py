"""A folder of this machine, or of a disk or share that is mounted here."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from validation_ch7.files import PARTIAL_PREFIX, commit_bytes, confined, make_folder, storage_error, storage_errors
from validation_ch7.sharing.place import Place, missing

_BLOCK = 1 << 20


class Folder(Place):
    """A place on a file system; every file is committed durably.

    Args:
        root: need not exist; it is created by the first file.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.shown = str(root)

    def sizes(self, folder: str) -> dict[str, int]:
        """Return the files below ``folder`` with their sizes."""
        base = confined(self.root, folder) if folder else self.root
        with storage_errors(base):
            found = [path for path in base.rglob("*") if path.is_file() and not path.name.startswith(PARTIAL_PREFIX)]
            return {path.relative_to(self.root).as_posix(): path.stat().st_size for path in found}

    def create(self, name: str, data: bytes) -> None:
        """Write a file that is named by its content; one that is there already is as good."""
        if not confined(self.root, name).exists():
            self.replace(name, data)

    def replace(self, name: str, data: bytes) -> None:
        """Write a file, or put it in place of the one that is there."""
        path = confined(self.root, name)
        make_folder(path.parent)
        commit_bytes(path, data)

    def blocks(self, name: str) -> Iterator[bytes]:
        """Return the content of a file, block by block."""
        path = confined(self.root, name)
        try:
            with path.open("rb") as stream:
                while block := stream.read(_BLOCK):
                    yield block
        except (FileNotFoundError, NotADirectoryError):
            raise missing(self.shown, name) from None
        except OSError as fault:
            raise storage_error(path, fault) from fault
