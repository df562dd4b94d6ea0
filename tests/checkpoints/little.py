"""A run without a model: small true checkpoints in a store, in milliseconds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from gymnasium import spaces
from stable_baselines3.common.buffers import ReplayBuffer

from validation_ch7.checkpoints import CheckpointStore, Retention
from validation_ch7.checkpoints.archive import describe_members
from validation_ch7.checkpoints.manifest import Compatibility, Manifest, Replay
from validation_ch7.checkpoints.naming import chunk_digest
from validation_ch7.checkpoints.replay import ReplayRecorder, load_rows, write_chunks
from validation_ch7.session import Exactness

CAPACITY = 12
_FACTS = Compatibility(
    algorithm="DQN", observation_space="Box", action_space="Discrete(2)", policy="DQNPolicy", architecture="[8]",
    activation="ReLU", vec_normalize=False, n_envs=1,
)  # fmt: skip


def store_at(root: Path, prefix: str = "task") -> CheckpointStore:
    """Return the store of the run, as a new process would open it."""
    return CheckpointStore(root, prefix)


def buffer() -> ReplayBuffer:
    """Return an empty replay buffer."""
    return ReplayBuffer(CAPACITY, spaces.Box(-1e9, 1e9, (2,)), spaces.Discrete(2), device="cpu")


class LittleRun:
    """Adds one row a step, numbered, and saves when told.

    Args:
        resume: whether to go on from the newest checkpoint.
    """

    def __init__(self, store: CheckpointStore, max_keep: int = 2, resume: bool = False) -> None:
        self.store, self.retention, self.steps = store, Retention(max_keep=max_keep), 0
        self.buffer, self.recorder, self._last = buffer(), ReplayRecorder(), None
        newest = store.entries()[0] if resume else None
        if newest is not None and newest.manifest is not None and newest.manifest.replay is not None:
            load_rows(store.chunks, newest.manifest.replay, self.buffer)
            self.steps = newest.steps
            self.recorder = ReplayRecorder(newest.manifest.replay, self.steps)

    def save(self, steps: int = 5, reward: float | None = None) -> Path:
        """Go on for some steps and commit a checkpoint."""
        for _ in range(steps):
            self.steps += 1
            row = np.full((1, 2), self.steps, np.float32)
            self.buffer.add(row, row + 1, np.zeros((1, 1)), np.ones(1), np.zeros(1), [{}])
        replay = write_chunks(self.store.chunks, self.recorder.take(self.buffer, self.steps))
        members = {"policy.pth": b"weights of %d" % self.steps, "training_state.json": b"{}"}
        manifest = self._manifest(members, replay, {} if reward is None else {"mean_reward": reward})
        path = self.store.commit(manifest, members, self.retention, None)
        self.recorder.confirm(replay, self.steps)
        return path

    def save_best(self, reward: float) -> None:
        """Make the present model the best one."""
        members = {"policy.pth": b"best weights of %d" % self.steps}
        self.store.commit_best(self._manifest(members, None, {"mean_reward": reward}), members)

    def _manifest(self, members: dict[str, bytes], replay: Replay | None, metrics: dict[str, float]) -> Manifest:
        return Manifest(
            scenario=self.store.prefix, steps=self.steps, session_id="s", created="2026-01-01T00:00:00Z",
            exactness=Exactness.EXACT, compatibility=_FACTS, members=describe_members(members), replay=replay,
            metrics=metrics,
        ).sealed()  # fmt: skip


def readable(store: CheckpointStore) -> list[int]:
    """Return the steps of all checkpoints, each verified and loaded row by row."""
    for path in store.paths():
        manifest = store.verify(path)
        assert manifest.replay is not None
        loaded = buffer()
        load_rows(store.chunks, manifest.replay, loaded)
        rows = sorted(int(row) for row in loaded.observations[: loaded.size(), 0, 0])
        assert rows == list(range(manifest.steps + 1 - loaded.size(), manifest.steps + 1))
    return [entry.steps for entry in store.entries()]


def chunks_named(store: CheckpointStore) -> set[str]:
    """Return the digests of the chunks that some checkpoint needs."""
    return {digest for entry in store.entries() if entry.manifest for digest in entry.manifest.chunk_digests}


def chunks_present(store: CheckpointStore) -> set[str | None]:
    """Return the digests of the chunks that lie on the disk."""
    return {chunk_digest(path.name) for path in store.chunks.iterdir()}
