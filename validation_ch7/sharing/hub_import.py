"""A model of the Hugging Face Hub, brought into a store: whole where it was published from here, else its weights.

No pickle is fetched: normalisation statistics come as plain data with a checkpoint of ours, or not at all.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from validation_ch7.checkpoints.admission import admit
from validation_ch7.checkpoints.archive import read_archive
from validation_ch7.checkpoints.backup import Backup, back_up
from validation_ch7.checkpoints.backup_limit import limit_backups
from validation_ch7.checkpoints.foreign import foreign_steps
from validation_ch7.checkpoints.manifest import Compatibility
from validation_ch7.checkpoints.retention import Retention
from validation_ch7.checkpoints.store import CheckpointStore
from validation_ch7.errors import CheckpointNotFoundError, ConfigurationError
from validation_ch7.files import commit_bytes, make_folder
from validation_ch7.session import Exactness
from validation_ch7.sharing.hub import CHECKPOINT_NAME, Hub

Log = Callable[[str], None]


@dataclass(frozen=True)
class Fetched:
    """A model of the Hub on this machine.

    Attributes:
        name: the file of the repository that it is.
        prefix: of the store that it comes from; None for a model that was published otherwise.
    """

    repository: str
    name: str
    data: bytes
    prefix: str | None


@dataclass(frozen=True)
class Brought:
    """What became of it here.

    Attributes:
        misfits: why it does not fit the present configuration; then nothing was changed.
    """

    steps: int
    exactness: Exactness
    restored: tuple[str, ...]
    backup: Backup | None
    misfits: tuple[str, ...] = ()


def fetch_model(repository: str, hub: Hub) -> Fetched:
    """Return the model of a repository.

    Raises:
        CheckpointNotFoundError: it holds none, or several.
        BackendError: the Hub cannot be used.
    """
    names = hub.names(repository)
    if CHECKPOINT_NAME in names:
        data = hub.read(repository, CHECKPOINT_NAME)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / CHECKPOINT_NAME
            path.write_bytes(data)
            return Fetched(repository, CHECKPOINT_NAME, data, read_archive(path).manifest.scenario)
    models = [name for name in names if name.endswith(".zip")]
    if len(models) != 1:
        raise CheckpointNotFoundError(
            "The repository does not hold one model.",
            where=f"hf://{repository}",
            expected=f"{CHECKPOINT_NAME}, or one zip of Stable-Baselines3",
            found=", ".join(models[:8]) or "no zip",
            remedy="name the repository of a single model",
        )
    return Fetched(repository, models[0], hub.read(repository, models[0]), None)


def bring_model(
    store: CheckpointStore,
    fetched: Fetched,
    log: Log,
    *,
    current: Compatibility | None = None,
    backup_bytes: int | None = None,
) -> Brought:
    """Put a model into the store as a checkpoint, after a backup; nothing here is replaced.

    Args:
        current: facts of the present configuration; a model that does not fit stays outside.
        backup_bytes: room that backups may take [bytes], or None.

    Raises:
        CheckpointError: it is damaged.
        ConfigurationError: a checkpoint of these steps is here already.
        WorkspaceLockedError: a run works on the tree.
    """
    retention = Retention(max_keep=max(2, len(store.paths()) + 1), backup_bytes=backup_bytes)
    with store.exclusive(f"import of {fetched.repository}"), tempfile.TemporaryDirectory() as folder:
        source = CheckpointStore(Path(folder), store.prefix)
        make_folder(source.folder)
        if fetched.prefix is None:
            return _bring_weights(store, source, fetched, log, retention)
        path = source.folder / CHECKPOINT_NAME
        path.write_bytes(fetched.data)
        manifest = read_archive(path).manifest
        _require_free(store, manifest.steps)
        path.rename(source.path(manifest.steps))
        admission = admit(store, source, retention, log, current)
        return Brought(manifest.steps, manifest.exactness, admission.restored, admission.backup, admission.misfits)


def _bring_weights(
    store: CheckpointStore, source: CheckpointStore, fetched: Fetched, log: Log, retention: Retention
) -> Brought:
    path = source.folder / Path(fetched.name).name
    path.write_bytes(fetched.data)
    steps = foreign_steps(path, store.prefix)
    _require_free(store, steps)
    backup = back_up(store, "before-restore")
    limit_backups(store, retention.backup_bytes)
    make_folder(store.folder)
    commit_bytes(store.path(steps), fetched.data)
    store.forget()
    log(f"{fetched.name} has no manifest: its weights can be resumed, normalisation statistics and buffers cannot")
    return Brought(steps, Exactness.WEIGHTS_ONLY, (store.path(steps).name,), backup)


def _require_free(store: CheckpointStore, steps: int) -> None:
    if store.path(steps).exists():
        raise ConfigurationError(
            "A checkpoint of these steps is here already; nothing was changed.",
            where=store.path(steps),
            expected="no such file",
            found=f"a checkpoint of {steps:,} steps",
            remedy="bring it into a store of its own: add --store DIR",
        )
