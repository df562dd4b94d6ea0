"""Compressed replay chunks: smaller where it pays, the same transitions, and no bomb."""

import numpy as np
import pytest
from stable_baselines3 import DQN

from validation_ch7.checkpoints import CheckpointStore, learn_resumable
from validation_ch7.checkpoints.backup import back_up, restore_backup
from validation_ch7.checkpoints.compression import compressed, decompressed
from validation_ch7.checkpoints.naming import chunk_files
from validation_ch7.errors import CheckpointCorruptError


def dqn():
    policy = {"net_arch": [8]}
    return DQN(
        "MlpPolicy", "MountainCar-v0", buffer_size=600, learning_starts=20, seed=1, policy_kwargs=policy, device="cpu"
    )


def test_compressed_chunks_are_smaller_and_bring_the_same_run(tmp_path):
    plain, packed = CheckpointStore(tmp_path / "a", "x"), CheckpointStore(tmp_path / "b", "x")
    for store, compress in ((plain, False), (packed, True)):
        for limit in (300, 300):
            model = dqn()
            learn_resumable(model, 600, store, save_freq=200, session_timesteps=limit, compress_replay=compress)
    sizes = [sum(path.stat().st_size for path in chunk_files(store.chunks)) for store in (plain, packed)]
    assert sizes[1] < 0.9 * sizes[0]
    assert {path.name[64:] for path in chunk_files(packed.chunks)} == {".npz.zst"}
    weights = [store.read(store.paths()[0]).members["policy.pth"] for store in (plain, packed)]
    assert weights[0] == weights[1]


def test_compressed_chunks_are_backed_up_verified_and_collected_like_others(tmp_path):
    store = CheckpointStore(tmp_path, "x")
    learn_resumable(dqn(), 300, store, save_freq=100, compress_replay=True)
    backup = back_up(store, "test")
    learn_resumable(dqn(), 600, store, save_freq=100, compress_replay=True)
    restore_backup(store, backup.path.name)
    assert store.verify(store.paths()[0]).steps == 300
    named = {digest for entry in store.entries() for digest in entry.manifest.chunk_digests}
    assert {path.name[:64] for path in chunk_files(store.chunks)} == named


def test_noise_is_stored_as_it_is():
    assert compressed(np.random.default_rng(0).bytes(10_000)) is None


@pytest.mark.parametrize("size", [9_999, 10_001, 0])
def test_a_chunk_that_would_unpack_to_another_size_is_refused_before_it_is_unpacked(size):
    with pytest.raises(CheckpointCorruptError, match="cannot be decompressed"):
        decompressed(compressed(bytes(10_000)), size, "chunk")


def test_a_damaged_frame_is_refused():
    packed = bytearray(compressed(bytes(10_000)))
    packed[-3] ^= 255
    with pytest.raises(CheckpointCorruptError, match="cannot be decompressed"):
        decompressed(bytes(packed), 10_000, "chunk")
