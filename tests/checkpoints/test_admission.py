"""Results of a session enter the training tree verified, and mend what was damaged there."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.checkpoints.hostile import flip
from tests.checkpoints.little import LittleRun, readable, store_at
from validation_ch7.checkpoints import CheckpointStore, Retention
from validation_ch7.checkpoints.admission import Admission, admit
from validation_ch7.checkpoints.naming import chunk_files


@pytest.fixture
def store(ram: Path) -> CheckpointStore:
    """Return a training tree with one checkpoint, beside which lie the results of the session after it."""
    store = store_at(ram / "tree")
    with store.exclusive("test"):
        LittleRun(store).save()
    shutil.copytree(store.folder, ram / "results" / "checkpoints")
    LittleRun(results(store), resume=True).save()
    return store


def results(store: CheckpointStore) -> CheckpointStore:
    return store_at(store.root.parent / "results")


def admitted(store: CheckpointStore) -> Admission:
    return admit(store, results(store), Retention(), log=lambda _line: None)


def test_results_enter_once(store: CheckpointStore) -> None:
    first, second = admitted(store), admitted(store)
    assert readable(store) == [10, 5]
    assert (first.backup is not None, second.backup) == (True, None)


def test_damaged_chunk_of_the_tree_is_mended_by_the_results_that_share_it(store: CheckpointStore) -> None:
    (shared,) = chunk_files(store.chunks)
    flip(shared, 700)
    admitted(store)
    assert readable(store) == [10, 5]


def test_damaged_chunk_of_the_results_stays_outside(store: CheckpointStore) -> None:
    (fresh,) = {path.name for path in chunk_files(results(store).chunks)} - {p.name for p in chunk_files(store.chunks)}
    flip(results(store).chunks / fresh, 700)
    assert "content differs from its name" in dict(admitted(store).rejected)["task_checkpoint_10_steps.zip"]
    assert readable(store) == [5]
