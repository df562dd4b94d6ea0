"""A chain's store on this machine, the place where its copies lie, and its log."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from validation_ch7.checkpoints.manifest import utc_now
from validation_ch7.checkpoints.store import CheckpointStore
from validation_ch7.errors import CheckpointNotFoundError
from validation_ch7.files import make_folder, storage_errors
from validation_ch7.sharing import import_store, open_place
from validation_ch7.sharing.place import Place
from validation_ch7.study.chain import ChainTask
from validation_ch7.study.layout import CHAIN_LOG
from validation_ch7.training.facts import current_facts

Say = Callable[[str], None]


def chain_log(workspace: Path) -> Say:
    """Return a function that appends lines to the log of a chain."""
    path = make_folder(workspace) / CHAIN_LOG

    def say(text: str) -> None:
        with storage_errors(path), path.open("a", encoding="utf-8") as stream:
            stream.write(f"{utc_now()} {text}\n")

    return say


def bring_store(task: ChainTask, say: Say) -> CheckpointStore:
    """Return the chain's store on this machine, after fetching what lies at its location and is further.

    Raises:
        ValidationError: the location cannot be read.
    """
    store, place = task.store(), location_of(task)
    if place is not None and (store.newest_steps() or 0) < task.target_steps:
        try:
            import_store(store, place, say, current=current_facts(task.config()))
        except CheckpointNotFoundError:
            say(f"Nothing lies at {place.shown} yet")
    return store


def location_of(task: ChainTask) -> Place | None:
    """Return the place where copies of the chain's store lie, or None."""
    if task.location is None:
        return None
    return open_place("/".join([task.location.rstrip("/"), task.study, task.chain_id]))
