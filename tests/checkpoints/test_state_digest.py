"""One digest says whether two trainings are equal: no clock, session or division into chunks counts, any bit does."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch as th

from tests.checkpoints import runs
from validation_ch7.checkpoints import CheckpointStore
from validation_ch7.checkpoints.archive import Archive, describe_members, read_archive
from validation_ch7.checkpoints.arrays import pack_arrays, unpack_arrays
from validation_ch7.checkpoints.manifest import Chunk
from validation_ch7.checkpoints.naming import chunk_path
from validation_ch7.checkpoints.replay import living_rows
from validation_ch7.checkpoints.resume import ARRAYS_NAME, STATE_NAME
from validation_ch7.checkpoints.state_digest import state_digest, state_parts
from validation_ch7.files import sha256_bytes

MONITORED = ["ppo-three-envs", "dqn", "dqn-linear-workers", "sac-normalized", "her"]
MORE = ["td3-ou-noise", "dqn-memory", "dqn-n-step", "recurrent-ppo", "ppo-stateful-env", "ppo-sde-sampled"]


def newest(root: Path) -> Archive:
    return read_archive(CheckpointStore(root, runs.PREFIX).paths()[0])


@pytest.mark.parametrize("name", [*MONITORED, *(pytest.param(name, marks=pytest.mark.slow) for name in MORE)])
def test_run_cut_into_sessions_ends_with_the_digest_of_one_without_a_cut(name: str, tmp_path: Path) -> None:
    runs.one_run(name, tmp_path / "whole")
    runs.sessions(name, tmp_path / "cut", 70, 31)
    whole, cut = newest(tmp_path / "whole"), newest(tmp_path / "cut")
    assert state_parts(whole) == state_parts(cut)
    assert state_digest(whole) == state_digest(cut)
    assert whole.members[STATE_NAME] != cut.members[STATE_NAME]  # the monitors' clocks


def test_killed_run_ends_with_the_digest_of_one_without_a_kill(tmp_path: Path) -> None:
    (tmp_path / "killed").mkdir()
    runs.one_run("dqn", tmp_path / "whole", extra=runs.Fuse(0, 0.0))
    runs.killed("dqn", tmp_path / "killed", seed=3)
    assert state_parts(newest(tmp_path / "whole")) == state_parts(newest(tmp_path / "killed"))


def test_compressed_chunks_have_the_digest_of_plain_ones(tmp_path: Path) -> None:
    for name, compress in (("plain", False), ("packed", True)):
        runs.one_run("dqn", tmp_path / name, compress_replay=compress)
    assert state_parts(newest(tmp_path / "plain")) == state_parts(newest(tmp_path / "packed"))


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Archive:
    root = tmp_path_factory.mktemp("trained")
    runs.one_run("dqn", root)
    return newest(root)


def altered(archive: Archive, name: str, data: bytes) -> Archive:
    members = {**archive.members, name: data}
    return replace(archive, members=members, manifest=with_(archive, members=describe_members(members)))


def with_(archive: Archive, **changes: Any) -> Any:
    return archive.manifest.model_copy(update=changes)


def changed(a: Archive, b: Archive) -> set[str]:
    first, second = state_parts(a), state_parts(b)
    assert state_digest(a) != state_digest(b)
    return {name for name in first.keys() | second.keys() if first.get(name) != second.get(name)}


@pytest.mark.parametrize("name", ["policy.pth", "policy.optimizer.pth"])
def test_one_number_of_the_weights_or_of_the_optimizer_counts(trained: Archive, name: str) -> None:
    state = th.load(io.BytesIO(trained.members[name]), weights_only=True)
    tensors = state if name == "policy.pth" else next(iter(state["state"].values()))
    tensor = next(value for value in tensors.values() if value.ndim)
    tensor.view(-1)[0] = th.nextafter(tensor.view(-1)[0], th.tensor(9.0))
    stream = io.BytesIO()
    th.save(state, stream)
    assert changed(trained, altered(trained, name, stream.getvalue())) == {name}


@pytest.mark.parametrize("name", ["rng_python", "rng_numpy", "rng_torch"])
def test_one_word_of_a_random_generator_counts(trained: Archive, name: str) -> None:
    arrays = {key: array.copy() for key, array in unpack_arrays(trained.members[ARRAYS_NAME], "test").items()}
    arrays[name][-1] ^= 1
    found = changed(trained, altered(trained, ARRAYS_NAME, pack_arrays(arrays)))
    assert found == {f"generators.{name.removeprefix('rng_')}"}


@pytest.mark.parametrize(
    ("old", "new", "part"),
    [
        (b'"_n_updates":', b'"_n_updates":1', "model._n_updates"),
        (b'"episode_returns":{"$":"list","i":', b'"total_steps":7,"episode_returns":{"$":"list","i":', "env"),
        (b'"boundary":"', b'"boundary":"x', "boundary"),
    ],
)
def test_a_counter_and_a_value_of_an_environment_count(trained: Archive, old: bytes, new: bytes, part: str) -> None:
    assert old in trained.members[STATE_NAME]
    text = trained.members[STATE_NAME].replace(b'"total_steps":', b'"was":').replace(old, new, 1)
    before = altered(trained, STATE_NAME, trained.members[STATE_NAME].replace(b'"total_steps":', b'"was":'))
    assert changed(before, altered(trained, STATE_NAME, text)) == {part}


def test_one_number_of_one_replay_row_counts(trained: Archive, tmp_path: Path) -> None:
    assert trained.manifest.replay is not None
    folder = trained.path.parent / "replay"
    *older, last = trained.manifest.replay.chunks
    rows = {
        key: array.copy() for key, array in unpack_arrays(chunk_path(folder, last.sha256).read_bytes(), "t").items()
    }
    rows["rewards"][-1] += 1
    data = pack_arrays(rows)
    chunk = Chunk(sha256=sha256_bytes(data), bytes=len(data), start=last.start, stop=last.stop)
    chunk_path(folder, chunk.sha256).write_bytes(data)
    replay = trained.manifest.replay.model_copy(update={"chunks": (*older, chunk)})
    assert changed(trained, replace(trained, manifest=with_(trained, replay=replay))) == {"replay.rewards"}


def test_rows_alive_are_read_once_and_the_dead_are_not(trained: Archive) -> None:
    replay = trained.manifest.replay
    assert replay is not None and replay.added > replay.capacity
    read = [rows["rewards"] for rows in living_rows(trained.path.parent / "replay", replay)]
    assert len(np.concatenate(read)) == replay.capacity


def test_times_sessions_and_lineage_do_not_count(trained: Archive) -> None:
    other = with_(trained, session_id="other", created="2030-01-01T00:00:00Z", parent="0" * 64, metrics={"fps": 3.0})
    assert state_digest(replace(trained, manifest=other)) == state_digest(trained)
