"""The real training loop, killed before any change to the disk or refused by it, and started again."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

import pytest
import torch as th
from stable_baselines3 import DQN
from stable_baselines3.common.logger import Logger

from tests.checkpoints.cases import off_policy, venv
from tests.checkpoints.disk import NEVER, copied, crashes, full_disk
from tests.checkpoints.fingerprint import digest
from validation_ch7.checkpoints import CheckpointStore, find_latest_checkpoint, learn_resumable
from validation_ch7.checkpoints.archive import read_archive
from validation_ch7.checkpoints.replay import row_arrays
from validation_ch7.errors import StorageError

EVERY = [pytest.param(1, marks=pytest.mark.slow), 13]
"""Every single change, or one in so many."""
BEGIN, END = 24, 48


def trained(root: Path, end: int) -> str:
    """Train to ``end`` steps with a save every 12, noting each once it is reported; return a digest of the end."""

    def note(line: str) -> None:
        if found := re.search(r"saved task_checkpoint_(\d+)_steps", line):
            descriptor = os.open(root / "committed", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
            os.write(descriptor, f"{found[1]}\n".encode())
            os.close(descriptor)

    th.set_num_threads(1)
    model = off_policy(DQN, venv("CartPole-v1"), learning_starts=8, buffer_size=30)
    model.set_logger(Logger(None, []))  # SB3's own would make a folder, which a full disk refuses to SB3, not to us
    learn_resumable(model, end, CheckpointStore(root, "task"), save_freq=12, asynchronous=False, log=note)
    buffer = model.replay_buffer
    return digest([model.get_parameters(), model.num_timesteps, model._n_updates, buffer.pos, row_arrays(buffer)])


def learning(root: Path) -> None:
    """Resume, save, rotate, reach the target."""
    trained(root, END)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("template")
    trained(root, BEGIN)
    return root


def assert_nothing_is_lost_and_the_end_is_the_same(root: Path, whole: str) -> None:
    reported = [int(line) for line in (root / "committed").read_text().split()]
    newest = find_latest_checkpoint(root)
    assert newest is not None and read_archive(newest).manifest.steps >= max(reported)
    assert trained(root, END) == whole
    store = CheckpointStore(root, "task")
    assert [store.verify(path).steps for path in store.paths()][:2] == [48, 36]


@pytest.mark.parametrize("every", EVERY)
def test_killed_learning_ends_where_an_undisturbed_one_ends(template: Path, ram: Path, every: int) -> None:
    whole, survived = trained(copied(template, ram / "undisturbed"), END), 0
    for root in crashes(template, ram, learning, every):
        assert_nothing_is_lost_and_the_end_is_the_same(root, whole)
        survived += 1
    assert survived >= 40 // every


@pytest.mark.parametrize("every", EVERY)
def test_refused_learning_ends_where_an_undisturbed_one_ends(template: Path, ram: Path, every: int) -> None:
    with full_disk(NEVER).watching() as disk:
        whole = trained(copied(template, ram / "undisturbed"), END)
    refused = 0
    for k in range(2, disk.count + 1, every):
        root = copied(template, ram / str(k))
        refused += is_refused(root, k)
        assert_nothing_is_lost_and_the_end_is_the_same(root, whole)
        shutil.rmtree(root)
    assert refused >= 20 // every


def is_refused(root: Path, k: int) -> bool:
    """Learn on a disk that is full at the k-th change, and return whether that was an obstacle."""
    with full_disk(k).watching():
        try:
            learning(root)
        except StorageError as error:
            assert "No space left" in str(error)
            return True
    return False  # a folder that is there already needs no space
