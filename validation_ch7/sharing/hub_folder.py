"""A folder of a repository on the Hugging Face Hub, as a place for stores.

The Hub shows files by commits. What is written is uploaded at once and kept aside; one commit shows all of it, index
included, and is refused where somebody else has committed since this place was first looked at. Everything is read
from one commit, so that an import never sees half of an export.

The content of a file cannot be asked for before it is committed. What was sent is therefore compared after the commit,
by the sizes and digests that the Hub then tells, and what an export that broke off has uploaded is remembered by
the Hub's large store only: it asks for no bytes that it has. Files that the Hub does not put there, which are texts and
small, stay in memory until the commit.
"""

from __future__ import annotations

import re
import tempfile
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from validation_ch7.errors import ConfigurationError
from validation_ch7.masking import masked_text
from validation_ch7.sharing.hub_client import Fingerprint, load_hub, require_held, translated
from validation_ch7.sharing.place import Place, missing

_BLOCK = 1 << 20
_NAME, _PART = r"[A-Za-z0-9][\w.-]{0,95}", r"[A-Za-z0-9_][\w. -]*"
_ADDRESS = re.compile(
    rf"(?i:hf)://(?:(models|datasets)/)?(?!(?:models|datasets|spaces)/)({_NAME}/{_NAME})/({_PART}(?:/{_PART})*)/?"
)


@dataclass(frozen=True)
class _Commit:
    revision: str | None
    """None where there is no repository."""
    files: Mapping[str, Any]


@dataclass(frozen=True)
class _Staged:
    addition: Any
    fingerprint: Fingerprint


class HubFolder(Place):
    """The place behind ``hf://owner/name/folder``, or ``hf://datasets/owner/name/folder``.

    The client's own progress bars are turned off: transfers here have one for all files.

    Args:
        public: whether everybody can read a repository that has to be created.

    Raises:
        ConfigurationError: the address means no folder, or huggingface_hub is not installed.
    """

    def __init__(self, address: str, *, public: bool = False) -> None:
        match = _ADDRESS.fullmatch(address)
        if match is None:
            raise ConfigurationError(
                "This is no place on the Hub.",
                where="TARGET or SOURCE",
                expected="hf://owner/name/folder for a store, hf://owner/name for its best model",
                found=masked_text(address),
            )
        kind, repository, self._folder = match.groups()
        self.shown = "/".join(["hf:/", *([kind] if kind == "datasets" else []), repository, self._folder])
        self._where = {"repo_id": repository, "repo_type": "dataset" if kind == "datasets" else "model"}
        self._private = not public
        self._library, self._utils = load_hub(), load_hub("utils")
        self._utils.disable_progress_bars()
        self._api = self._library.HfApi()
        self._one_at_a_time = threading.Lock()
        self._seen: _Commit | None = None
        self._staged: dict[str, _Staged] = {}

    def sizes(self, folder: str) -> dict[str, int]:
        """Return the files below ``folder`` with their sizes."""
        below = f"{folder}/" if folder else ""
        return {name: int(entry.size) for name, entry in self._look().files.items() if name.startswith(below)}

    def create(self, name: str, data: bytes) -> None:
        """Upload a file that is named by its content; one that is there already is as good."""
        if name not in self._look(make=True).files and name not in self._staged:
            self.replace(name, data)

    def replace(self, name: str, data: bytes) -> None:
        """Upload a file, to be put in place of the one that is there."""
        self._look(make=True)
        with translated(self.shown):
            addition = self._library.CommitOperationAdd(f"{self._folder}/{name}", data)
            self._api.preupload_lfs_files(additions=[addition], **self._where)  # lets go of the content
        self._staged[name] = _Staged(addition, Fingerprint.of(data))

    def blocks(self, name: str) -> Iterator[bytes]:
        """Return the content of a file, block by block; it lies on this disk meanwhile."""
        commit = self._look()
        if name not in commit.files:
            raise missing(self.shown, name)
        with tempfile.TemporaryDirectory() as folder:
            wanted = {"filename": f"{self._folder}/{name}", "revision": commit.revision, "local_dir": folder}
            with translated(self.shown):
                path = Path(self._api.hf_hub_download(**wanted, **self._where))
            with path.open("rb") as stream:
                while block := stream.read(_BLOCK):
                    yield block

    def holds(self, name: str, size: int, sha256: str) -> bool:
        """Return whether a file lies here, byte for byte; of what is not committed yet, whether this was uploaded."""
        if name in self._staged:
            sent = self._staged[name].fingerprint
            return (sent.size, sent.sha256) == (size, sha256)
        return super().holds(name, size, sha256)

    def commit(self) -> None:
        """Make what was written visible in one commit, then compare it with what the Hub says it holds.

        Raises:
            BackendError: somebody else has committed meanwhile, or the Hub holds something else.
        """
        staged, seen = self._staged, self._look()
        if not staged:
            return
        self._staged, self._seen = {}, None  # whatever becomes of it, what is there is looked at again
        with translated(self.shown):
            done = self._api.create_commit(
                operations=[part.addition for part in staged.values()],
                commit_message=f"{len(staged)} file(s) of a store in {self._folder}",
                parent_commit=seen.revision,
                **self._where,
            )
            self._seen = _Commit(done.oid, self._listed(done.oid))
        sent = {name: part.fingerprint for name, part in staged.items()}
        require_held(self.shown, sent, self._seen.files, "export with --check")

    def _look(self, *, make: bool = False) -> _Commit:
        """Return the commit that everything is read from, and with ``make`` create the repository where it is none."""
        with self._one_at_a_time, translated(self.shown):
            if self._seen is None:
                self._seen = self._newest()
            if make and self._seen.revision is None:
                self._api.create_repo(private=self._private, exist_ok=True, **self._where)
                self._seen = self._newest()
            return self._seen

    def _newest(self) -> _Commit:
        try:
            revision = self._api.repo_info(**self._where).sha
        except self._utils.RepositoryNotFoundError as fault:
            if fault.response.status_code != 404:  # without a token that is accepted, nobody is told what there is
                raise
            return _Commit(None, {})
        return _Commit(revision, self._listed(revision))

    def _listed(self, revision: str | None) -> dict[str, Any]:
        wanted = {"path_in_repo": self._folder, "recursive": True, "revision": revision}
        try:
            tree = list(self._api.list_repo_tree(**wanted, **self._where))
        except self._utils.EntryNotFoundError:
            return {}
        files = [entry for entry in tree if isinstance(entry, load_hub("hf_api").RepoFile)]
        return {entry.path.removeprefix(f"{self._folder}/"): entry for entry in files}
