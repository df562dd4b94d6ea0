"""Rows that a save reads where they lie: not copied, not overwritten, and the same bytes as copies."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest
from gymnasium import spaces
from stable_baselines3 import DQN
from stable_baselines3.common.buffers import ReplayBuffer

from tests.checkpoints.cases import off_policy, venv
from validation_ch7.checkpoints import CheckpointStore, learn_resumable
from validation_ch7.checkpoints.manifest import Replay
from validation_ch7.checkpoints.replay import ReplayRecorder, Ring
from validation_ch7.checkpoints.saver import Lineage, Saver, SaveSettings

CAPACITY = 20


class OwnBuffer(ReplayBuffer):
    """A class of somebody else, who may change what it stored."""


def filled(rows: int, kind: type[ReplayBuffer] = ReplayBuffer) -> ReplayBuffer:
    """Return a buffer to which so many transitions were added."""
    box = spaces.Box(-1.0, 1.0, (1,))
    buffer = kind(CAPACITY, box, box, "cpu", n_envs=1)
    store(buffer, rows)
    return buffer


def store(buffer: ReplayBuffer, rows: int) -> None:
    """Add transitions."""
    for _ in range(rows):
        one = np.full((1, 1), buffer.pos, np.float32)
        buffer.add(one, one, one, one[0], np.zeros(1), [{}])


def test_new_rows_of_a_plain_buffer_are_not_copied() -> None:
    buffer = filled(8)
    ring = ReplayRecorder().take(buffer, 8).ring
    assert all(np.shares_memory(ring.rows(0, 8)[name], getattr(buffer, name)) for name in ring.arrays)


@pytest.mark.parametrize(("rows", "kind"), [(11, ReplayBuffer), (8, OwnBuffer)])
def test_rows_soon_overwritten_and_those_of_foreign_classes_are_copied(rows: int, kind: type[ReplayBuffer]) -> None:
    buffer, recorder = filled(rows, kind), ReplayRecorder()
    ring = recorder.take(buffer, rows).ring
    assert not any(np.shares_memory(array, getattr(buffer, name)) for name, array in ring.arrays.items())
    assert ring.rows(0, rows)["observations"].ravel().tolist() == list(range(rows))
    assert not recorder.endangered(buffer)


def test_a_ring_returns_rows_in_their_order_across_its_end() -> None:
    ring = Ring({"a": np.array([4, 5, 2, 3])}, 0, 4)
    assert ring.rows(2, 6)["a"].tolist() == [2, 3, 4, 5]
    assert ring.copy(3, 5).rows(3, 5)["a"].tolist() == [3, 4]
    assert ring.copy(3, 5).rows(4, 5)["a"].tolist() == [4]
    assert ring.copy(3, 3).rows(3, 3)["a"].tolist() == []


@pytest.mark.parametrize("first", [0, 15, 19])
def test_training_is_stopped_before_it_meets_a_row_of_the_save_in_flight(first: int) -> None:
    buffer = filled(first)
    recorder = ReplayRecorder(Replay(capacity=CAPACITY, added=first, chunks=()), first)
    store(buffer, 5)
    ring = recorder.take(buffer, first + 5).ring
    before = ring.rows(first, first + 5)["observations"].copy()
    for free in range(CAPACITY - 5 - 1):  # one row is kept for the next observation
        assert not recorder.endangered(buffer), free
        store(buffer, 1)
    assert recorder.endangered(buffer)
    assert np.array_equal(ring.rows(first, first + 5)["observations"], before)


def test_a_step_waits_for_the_save_whose_rows_it_would_overwrite(tmp_path: Any) -> None:
    model = off_policy(DQN, venv("CartPole-v1"), buffer_size=CAPACITY, learning_starts=1000)
    saver = Saver(opened(tmp_path), model, SaveSettings(), Lineage("s"))
    model.learn(8)
    release, waited = threading.Event(), []
    write = saver._write
    saver._write = lambda *arguments: (release.wait(), write(*arguments))  # type: ignore[method-assign, func-returns-value]
    saver.save("rollout_start", {})
    waiting = saver._writer.wait
    saver._writer.wait = lambda: (waited.append(model.replay_buffer.pos), release.set(), waiting())  # type: ignore
    for position in range(8, CAPACITY):
        model.replay_buffer.pos = position  # type: ignore[union-attr]
        saver.check()
    assert waited == [CAPACITY - 1]
    saver.close()


def opened(folder: Any) -> CheckpointStore:
    """Return a store whose folders are there."""
    store = CheckpointStore(folder, "task")
    for path in (store.folder, store.chunks):
        path.mkdir(parents=True)
    return store


def test_lent_and_copied_rows_give_the_same_files(tmp_path: Any) -> None:
    digests = []
    for name, kind in (("lent", ReplayBuffer), ("copied", OwnBuffer)):
        store = CheckpointStore(tmp_path / name, "task")
        model = off_policy(DQN, venv("CartPole-v1"), buffer_size=150, learning_starts=50, replay_buffer_class=kind)
        learn_resumable(model, 400, store, save_freq=40)
        manifest = store.entries()[0].manifest
        assert manifest is not None and manifest.replay is not None
        digests.append([chunk.sha256 for chunk in manifest.replay.chunks])
    assert len(digests[0]) > 2 and digests[0] == digests[1]
