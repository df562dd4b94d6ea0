"""The best model of a store, published on the Hugging Face Hub in the convention of Stable-Baselines3."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from validation_ch7.checkpoints.archive import read_manifest
from validation_ch7.checkpoints.export import MODEL_NAME, NORMALIZE_NAME, export_sb3
from validation_ch7.checkpoints.lookup import locate
from validation_ch7.checkpoints.store import CheckpointStore
from validation_ch7.errors import ConfigurationError
from validation_ch7.masking import masked_text
from validation_ch7.sharing.card import Card
from validation_ch7.sharing.hub_client import Fingerprint, load_hub, require_held, translated

CHECKPOINT_NAME = "checkpoint.zip"
"""The checkpoint as it is, with its manifest, beside the model as plain Stable-Baselines3 wants it."""
_ADDRESS = re.compile(r"(?i:hf)://(?:models/)?([A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95})/?")


class Hub(Protocol):
    """Where models are published."""

    def publish(self, repository: str, files: Mapping[str, bytes], message: str, *, private: bool) -> str:
        """Make all files visible at once, in one commit, compare them, and return the address of the commit."""
        ...

    def names(self, repository: str) -> list[str]:
        """Return the files of a repository."""
        ...

    def read(self, repository: str, name: str) -> bytes:
        """Return the content of one file."""
        ...


@dataclass(frozen=True)
class Published:
    """What was published."""

    repository: str
    address: str
    files: tuple[str, ...]
    steps: int


def is_repository(address: str) -> bool:
    """Return whether the address is one of a whole repository: a model, where a folder in it is a store.

    >>> is_repository("hf://me/traffic"), is_repository("hf://me/traffic/runs"), is_repository("runs")
    (True, False, False)
    """
    return _ADDRESS.fullmatch(address) is not None


def repository_of(address: str) -> str:
    """Return the repository that ``hf://owner/name`` means.

    Raises:
        ConfigurationError: it means none.

    >>> repository_of("hf://me/traffic")
    'me/traffic'
    """
    match = _ADDRESS.fullmatch(address)
    if match is None:
        raise ConfigurationError(
            "This is no model repository.",
            where="TARGET or SOURCE",
            expected="hf://owner/name",
            found=masked_text(address),
        )
    return match[1]


def publish_best(store: CheckpointStore, repository: str, hub: Hub, *, private: bool = True) -> Published:
    """Publish the best model of ``store``, or the newest where none was evaluated.

    Raises:
        CheckpointError: there is none, or it does not verify.
        BackendError: the Hub cannot be used.
    """
    found = locate(store, "best" if store.best_path.is_file() else "latest")
    manifest = read_manifest(found.path)
    with tempfile.TemporaryDirectory() as folder:
        export_sb3(found.path, found.chunks, Path(folder))
        normalize = Path(folder) / NORMALIZE_NAME
        card = Card(repository, manifest, normalize.is_file())
        files = {f"{card.stem}.zip": (Path(folder) / MODEL_NAME).read_bytes()}
        if manifest.replay is None:  # else it would name chunks that do not go with it
            files[CHECKPOINT_NAME] = found.path.read_bytes()
        files |= {"config.json": card.config(), "results.json": card.results(), "README.md": card.readme()}
        if card.normalized:
            files["vec_normalize.pkl"] = normalize.read_bytes()
    message = f"{card.stem} after {manifest.steps} steps"
    address = hub.publish(repository, files, message, private=private)
    return Published(repository, address, tuple(files), manifest.steps)


class HuggingFace:
    """The Hub itself; the token is found where its own tools keep it (``HF_TOKEN``, or ``hf auth login``).

    Raises:
        ConfigurationError: huggingface_hub is not installed.
    """

    def __init__(self) -> None:
        self._library: Any = load_hub()

    def publish(self, repository: str, files: Mapping[str, bytes], message: str, *, private: bool) -> str:
        """Make all files visible at once, in one commit, compare them, and return the address of the commit."""
        api = self._library.HfApi()
        operations = [self._library.CommitOperationAdd(name, data) for name, data in files.items()]
        with translated(f"hf://{repository}"):
            api.create_repo(repository, private=private, exist_ok=True)
            done = api.create_commit(repository, operations, commit_message=message)
            there = {entry.path: entry for entry in api.get_paths_info(repository, list(files), revision=done.oid)}
        sent = {name: Fingerprint.of(data) for name, data in files.items()}
        require_held(f"hf://{repository}", sent, there, "the same command")
        return str(done.commit_url)

    def names(self, repository: str) -> list[str]:
        """Return the files of a repository."""
        with translated(f"hf://{repository}"):
            return [str(name) for name in self._library.HfApi().list_repo_files(repository)]

    def read(self, repository: str, name: str) -> bytes:
        """Return the content of one file."""
        with translated(f"hf://{repository}"), tempfile.TemporaryDirectory() as folder:
            return Path(self._library.HfApi().hf_hub_download(repository, name, local_dir=folder)).read_bytes()
