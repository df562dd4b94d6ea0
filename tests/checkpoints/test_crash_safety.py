"""A process that dies at any change to the disk loses nothing that it reported as committed."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from stable_baselines3 import DQN
from stable_baselines3.common.callbacks import BaseCallback

from tests.checkpoints.cases import off_policy, venv
from tests.checkpoints.disk import Work, changes, copied, crashes, full_disk
from tests.checkpoints.little import LittleRun, chunks_named, chunks_present, readable, store_at
from validation_ch7.checkpoints import CheckpointStore, Retention, find_latest_checkpoint, learn_resumable
from validation_ch7.checkpoints.admission import admit
from validation_ch7.checkpoints.archive import read_archive
from validation_ch7.checkpoints.backup import archive_all, back_up, list_backups, restore_backup, rewind
from validation_ch7.errors import StorageError


def prepared(root: Path) -> Path:
    """Make a store with checkpoints at 5, 10, 15 and 20 steps, a best model, and a backup of the first two."""
    store = store_at(root)
    with store.exclusive("test"):
        run = LittleRun(store, max_keep=9)
        run.save()
        run.save()
        back_up(store, "earlier")
        run.save()
        run.save()
        run.save_best(1.0)
    return root


def saving(root: Path) -> None:
    """Commit two checkpoints with rotation, noting each in a file once it is durable."""
    store = store_at(root)
    with store.exclusive("test"):
        run = LittleRun(store, resume=True)
        for _ in range(2):
            run.save()
            note = os.open(root / "committed", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
            os.write(note, f"{run.steps}\n".encode())
            os.close(note)


def backing_up(root: Path) -> None:
    back_up(store_at(root), "test")


def restoring(root: Path) -> None:
    store = store_at(root)
    restore_backup(store, list_backups(store)[-1].path.name)


def archiving(root: Path) -> None:
    archive_all(store_at(root), "fresh")


def rewinding(root: Path) -> None:
    rewind(store_at(root), 10)


def quarantining(root: Path) -> None:
    store = store_at(root)
    store.quarantine(store.path(20), "for a test")


def rotating_backups(root: Path) -> None:
    back_up(store_at(root), "test", keep=1)


def admitting(root: Path) -> None:
    store = store_at(root)
    admit(store, store_at(root / "results"), Retention(max_keep=9), log=lambda _line: None)


def committing_best(root: Path) -> None:
    LittleRun(store_at(root), resume=True).save_best(2.0)


EVERY = [pytest.param(1, marks=pytest.mark.slow), 7]
"""Every single change, or one in so many."""
ALL = [
    saving,
    backing_up,
    restoring,
    archiving,
    rewinding,
    quarantining,
    rotating_backups,
    committing_best,
]


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return prepared(tmp_path_factory.mktemp("template"))


@pytest.fixture(scope="module")
def downloaded(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the same store with the results of the session after it beside it: 25 and 30 steps, another best."""
    root = copied(template, tmp_path_factory.mktemp("downloaded") / "tree")
    shutil.copytree(root / "checkpoints", root / "results" / "checkpoints")
    session = LittleRun(store_at(root / "results"), max_keep=9, resume=True)
    session.save()
    session.save()
    session.save_best(2.0)
    return root


def next_start(root: Path) -> CheckpointStore:
    """Open the store as the next process does, and check that it is clean."""
    store = store_at(root)
    with store.exclusive("next start"):
        assert not list(root.rglob(".partial-*"))
        assert chunks_present(store) == chunks_named(store)
    return store


def anywhere(store: CheckpointStore) -> set[int]:
    """Return the steps of every verified checkpoint in the store and in its backups."""
    stores = [store, *(store_at(backup.path) for backup in list_backups(store))]
    return {steps for item in stores for steps in readable(item)}


def test_killed_save_loses_nothing_committed_and_the_run_goes_on(template: Path, ram: Path) -> None:
    for root in crashes(template, ram, saving):
        committed = (root / "committed").read_text().split() if (root / "committed").exists() else ["20"]
        newest = find_latest_checkpoint(store_at(root))
        assert newest is not None and readable(store_at(root))[0] >= int(committed[-1])
        assert len(readable(next_start(root))) >= 2
        saving(root)
        assert len(readable(next_start(root))) == 2


def test_killed_backup_leaves_the_store_and_whole_backups(template: Path, ram: Path) -> None:
    for root in crashes(template, ram, backing_up):
        store = next_start(root)
        assert readable(store) == [20, 15, 10, 5]
        assert {tuple(readable(store_at(item.path))) for item in list_backups(store)} <= {(10, 5), (20, 15, 10, 5)}


def test_killed_restore_leaves_a_checkpoint_and_can_be_repeated(template: Path, ram: Path) -> None:
    for root in crashes(template, ram, restoring):
        assert readable(next_start(root))[0] in (20, 15, 10)
        assert anywhere(store_at(root)) == {5, 10, 15, 20}
        restoring(root)
        assert readable(next_start(root)) == [10, 5]


@pytest.mark.parametrize("work", [archiving, rewinding, quarantining, rotating_backups])
def test_killed_removal_loses_nothing(template: Path, ram: Path, work: Work) -> None:
    for root in crashes(template, ram, work):
        store = next_start(root)
        moved = {20} if (store.folder / "quarantine" / store.path(20).name).exists() else set()
        assert anywhere(store) | moved == {5, 10, 15, 20}


def test_killed_archive_that_is_repeated_is_one_archive(template: Path, ram: Path) -> None:
    for root in crashes(template, ram, archiving):
        archiving(root)
        store = next_start(root)
        archives = [readable(store_at(item.path)) for item in list_backups(store) if item.reason == "fresh"]
        assert (readable(store), archives) == ([], [[20, 15, 10, 5]])


@pytest.mark.parametrize("every", EVERY)
def test_killed_admission_loses_nothing_and_can_be_repeated(downloaded: Path, ram: Path, every: int) -> None:
    for root in crashes(downloaded, ram, admitting, every):
        store = next_start(root)
        assert readable(store)[0] in (20, 25, 30) and {5, 10, 15, 20} <= anywhere(store)
        assert best_reward(store) in (1.0, 2.0)
        admitting(root)
        assert readable(next_start(root)) == [30, 25, 20, 15, 10, 5] and best_reward(store) == 2.0


def test_killed_exchange_of_the_best_model_leaves_one_of_them_whole(template: Path, ram: Path) -> None:
    found = [best_reward(next_start(root)) for root in crashes(template, ram, committing_best)]
    assert set(found) == {1.0, 2.0}


def best_reward(store: CheckpointStore) -> float:
    """Return the reward of the best model, every byte of which is verified."""
    return read_archive(store.best_path).manifest.metrics["mean_reward"]


def _refusal(root: Path, work: Work, at: int) -> StorageError | None:
    with full_disk(at).watching():
        try:
            work(root)
        except StorageError as error:
            return error
    return None


@pytest.mark.parametrize("work", ALL)
def test_full_disk_is_reported_and_loses_nothing(template: Path, ram: Path, work: Work) -> None:
    assert_full_disk_loses_nothing(template, ram, work, 1)


@pytest.mark.parametrize("every", EVERY)
def test_full_disk_refuses_an_admission_that_loses_nothing(downloaded: Path, ram: Path, every: int) -> None:
    assert_full_disk_loses_nothing(downloaded, ram, admitting, every)


def assert_full_disk_loses_nothing(template: Path, ram: Path, work: Work, every: int) -> None:
    whole = copied(template, ram / "whole")
    count = changes(lambda: work(whole))
    refused = 0
    for k in range(1, count + 1, every):
        root = copied(template, ram / str(k))
        refusal = _refusal(root, work, k)
        refused += refusal is not None
        assert refusal is None or "No space left" in str(refusal)
        assert readable(next_start(root)) or work is archiving
        assert {5, 10, 15, 20} <= anywhere(next_start(root)) or work in (saving, quarantining)
        shutil.rmtree(root)
    assert refused > (2 if work is committing_best else 3)


class FillingDisk(BaseCallback):
    """Lets the disk be full from some step on, and waits where the save has been refused that follows."""

    def __init__(self, steps: int, at: int, saved_at: int) -> None:
        super().__init__()
        self._steps, self._disk, self._saved_at = steps, full_disk(at), saved_at

    def get_state(self) -> None:
        """There is nothing to keep."""

    def set_state(self, state: None) -> None:
        """There is nothing to put back."""

    def _on_step(self) -> bool:
        if self.num_timesteps == self._steps:
            self._watch = self._disk.watching()
            self._watch.__enter__()
        if self.num_timesteps == self._saved_at + 1:
            self.locals["callback"]._saver._writer._idle.wait()  # the thread; what it raised is not looked at here
        return True

    def recover(self) -> None:
        self._watch.__exit__(None, None, None)


@pytest.mark.parametrize("asynchronous", [True, False])
@pytest.mark.parametrize("at", [1, 2, 3, 4, 5, 9, 14])
def test_full_disk_stops_training_and_keeps_the_previous_checkpoint(ram: Path, at: int, asynchronous: bool) -> None:
    store, disk = CheckpointStore(ram, "task"), FillingDisk(70, at, saved_at=124)
    learn_resumable(off_policy(DQN, venv("CartPole-v1")), 400, store, session_timesteps=64)
    model = off_policy(DQN, venv("CartPole-v1"))
    with pytest.raises(StorageError, match="No space left"):
        learn_resumable(model, 400, store, save_freq=60, callback=disk, asynchronous=asynchronous)
    disk.recover()
    assert model.num_timesteps in ((125, 126) if asynchronous else (124,))
    assert store.verify(store.paths()[0]).steps == 64
