"""What may not be read is passed over with its reason, or is one clear error; never a start at zero."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from stable_baselines3 import DQN
from stable_baselines3.common.base_class import BaseAlgorithm

from tests.checkpoints.cases import off_policy, venv
from validation_ch7.checkpoints import CheckpointStore, LearnResult, find_latest_checkpoint, learn_resumable
from validation_ch7.errors import StorageError, ValidationError

pytestmark = pytest.mark.skipif(not hasattr(os, "seteuid"), reason="Windows has other permissions")
NOBODY = 65534


def dqn() -> BaseAlgorithm:
    return off_policy(DQN, venv("CartPole-v1"))


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a store with checkpoints at 64 and at 96 steps, and resume from it once: nothing is imported later."""
    root = tmp_path_factory.mktemp("template")
    learn_resumable(dqn(), 96, CheckpointStore(root, "task"), save_freq=64)
    learn_resumable(dqn(), 96, CheckpointStore(root, "task"))
    return root


@pytest.fixture
def store(template: Path, ram: Path) -> CheckpointStore:
    """Return a copy that belongs to a user who is not root."""
    shutil.copytree(template, ram, dirs_exist_ok=True)
    if os.geteuid() == 0:
        for path in (ram, *ram.rglob("*")):
            os.chown(path, NOBODY, -1)
    return CheckpointStore(ram, "task")


@contextlib.contextmanager
def ordinary_user() -> Iterator[None]:
    """Be a user whom permissions bind: they do not bind root, and tests often run as root."""
    user = os.geteuid()
    if user != 0:
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(user)


def resumed(store: CheckpointStore) -> tuple[LearnResult, str]:
    lines: list[str] = []
    with ordinary_user():
        result = learn_resumable(dqn(), 10_000, store, stop_at=0, log=lines.append)
    return result, "\n".join(lines)


def newest_chunk(store: CheckpointStore) -> Path:
    manifest = store.verify(store.path(96))
    assert manifest.replay is not None
    return store.chunks / f"{manifest.replay.chunks[-1].sha256}.npz"


@pytest.mark.parametrize("part", ["checkpoint", "chunk"])
def test_forbidden_file_falls_back(store: CheckpointStore, part: str) -> None:
    (store.path(96) if part == "checkpoint" else newest_chunk(store)).chmod(0)
    result, log = resumed(store)
    assert (result.steps_before, result.resumed_from) == (64, store.path(64))
    assert f"rejected {store.path(96).name}: Permission denied" in log


CLOSED, UNREADABLE, READ_ONLY = 0o000, 0o300, 0o500


@pytest.mark.parametrize(
    ("part", "mode", "message"),
    [
        ("root", CLOSED, "Permission denied\n *to do: *give yourself write permission"),
        ("root", READ_ONLY, "Permission denied\n *to do: *give yourself write permission"),
        ("folder", CLOSED, "Permission denied\n *to do: *give yourself write permission"),
        ("folder", UNREADABLE, "Permission denied\n *to do: *give yourself write permission"),
        ("chunks", CLOSED, r"none can be used(.|\n)*96_steps.zip: Permission denied\n *\S*64_steps.zip: Permission"),
    ],
)
def test_forbidden_folder_is_one_clear_error(store: CheckpointStore, part: str, mode: int, message: str) -> None:
    with forbidden(getattr(store, part), mode), pytest.raises(ValidationError, match=message):
        resumed(store)
    assert [store.verify(path).steps for path in store.paths()] == [96, 64]


@pytest.mark.parametrize("part", ["folder", "chunks"])
def test_read_only_folder_can_be_resumed_from(store: CheckpointStore, part: str) -> None:
    with forbidden(getattr(store, part), READ_ONLY):
        assert resumed(store)[0].steps_before == 96


@contextlib.contextmanager
def forbidden(folder: Path, mode: int) -> Iterator[None]:
    """Take permissions from a folder for a while."""
    folder.chmod(mode)
    try:
        yield
    finally:
        folder.chmod(0o700)


def test_unreadable_folder_is_not_an_empty_one(store: CheckpointStore) -> None:
    with forbidden(store.folder, UNREADABLE), ordinary_user(), pytest.raises(StorageError, match="Permission denied"):
        find_latest_checkpoint(store.root)
