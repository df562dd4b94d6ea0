"""Broken and hostile files: the previous checkpoint is used and the reason said, or one clear error; never zero."""

from __future__ import annotations

import copy
import io
import json
import pickle
import random
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from stable_baselines3 import DQN, PPO
from stable_baselines3.common.base_class import BaseAlgorithm

from tests.checkpoints.cases import off_policy, on_policy, venv
from tests.checkpoints.fingerprint import digest
from tests.checkpoints.hostile import Bomb, flip, members_of, reseal, reseal_chunk, reseal_replay, write_zip
from validation_ch7.checkpoints import CheckpointStore, LearnResult, Retention, learn_resumable
from validation_ch7.checkpoints.compression import compressed
from validation_ch7.errors import (
    CheckpointIncompatibleError,
    CheckpointNotFoundError,
    ValidationError,
)

STEPS = (64, 96)
Spoil = Callable[[Path], object]


def ppo() -> BaseAlgorithm:
    return on_policy(PPO, venv("CartPole-v1"))


def dqn() -> BaseAlgorithm:
    return off_policy(DQN, venv("CartPole-v1"))


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make two stores, each with checkpoints at 64 and at 96 steps."""
    root = tmp_path_factory.mktemp("template")
    for name, build in {"ppo": ppo, "dqn": dqn}.items():
        learn_resumable(build(), 96, CheckpointStore(root / name, "task"), save_freq=64)
    return root


@pytest.fixture
def store(template: Path, ram: Path) -> CheckpointStore:
    shutil.copytree(template / "ppo", ram / "ppo")
    return CheckpointStore(ram / "ppo", "task")


@pytest.fixture
def replayed(template: Path, ram: Path) -> CheckpointStore:
    shutil.copytree(template / "dqn", ram / "dqn")
    return CheckpointStore(ram / "dqn", "task")


def resumed(store: CheckpointStore, model: BaseAlgorithm | None = None, **options: Any) -> tuple[LearnResult, str]:
    """Resume without training and return what happened, with the log."""
    lines: list[str] = []
    arguments = {"stop_at": 0, "log": lines.append} | options
    result = learn_resumable(model or ppo(), 10_000, store, **arguments)
    return result, "\n".join(lines)


def assert_previous_is_used(store: CheckpointStore, model: BaseAlgorithm | None = None) -> str:
    result, log = resumed(store, model)
    assert (result.steps_before, result.resumed_from) == (64, store.path(64))
    assert f"rejected {store.path(96).name}" in log and f"Loading checkpoint {store.path(64).name}" in log
    assert not store.path(96).exists() and list((store.folder / "quarantine").glob("*.reason.txt"))
    return log


def test_whole_checkpoint_is_used(store: CheckpointStore) -> None:
    assert resumed(store)[0].steps_before == 96


def test_cut_at_any_byte_falls_back(store: CheckpointStore, ram: Path) -> None:
    whole = store.path(96).read_bytes()
    for length in sorted({*range(0, len(whole), len(whole) // 60), *range(len(whole) - 25, len(whole)), 1, 2, 3}):
        store.path(96).write_bytes(whole[:length])
        assert_previous_is_used(store)


def test_flipped_bit_is_found_or_harmless(store: CheckpointStore) -> None:
    whole, chance = store.path(96).read_bytes(), random.Random(0)
    model = ppo()
    resumed(store, model)
    expected = digest(model.get_parameters())
    for position in [chance.randrange(len(whole)) for _ in range(60)] + [len(whole) - n for n in range(1, 900, 9)]:
        store.path(96).write_bytes(whole)
        flip(store.path(96), position, 1 << chance.randrange(8))
        model = ppo()
        result, _ = resumed(store, model)
        assert result.steps_before == 64 or (result.exactness == "exact" and digest(model.get_parameters()) == expected)


SPOILS: dict[str, Spoil] = {
    "empty": lambda path: path.write_bytes(b""),
    "text": lambda path: path.write_text("not a zip"),
    "empty zip": lambda path: write_zip(path, {}),
    "zip of nothing known": lambda path: write_zip(path, {"readme.txt": b"hello"}),
    "without manifest": lambda path: write_zip(
        path, {k: v for k, v in members_of(path).items() if "manifest" not in k}
    ),
    "manifest of nonsense": lambda path: write_zip(path, members_of(path) | {"manifest.json": b"\xff{"}),
    "manifest is a list": lambda path: write_zip(path, members_of(path) | {"manifest.json": b"[]"}),
    "manifest too deep": lambda path: write_zip(path, members_of(path) | {"manifest.json": b"[" * 200_000}),
    "member missing": lambda path: write_zip(path, {k: v for k, v in members_of(path).items() if k != "policy.pth"}),
    "member added": lambda path: write_zip(path, members_of(path) | {"../../escape": b"x"}),
    "member swapped": lambda path: write_zip(path, members_of(path) | {"policy.pth": members_of(path)["data"]}),
    "steps of a wrong type": lambda path: reseal(path, {}, steps="many"),
    "digest that lies": lambda path: reseal(path, {}, session_id="other"),
    "state is a list": lambda path: reseal(path, {"training_state.json": b"[]"}),
    "state is text": lambda path: reseal(path, {"training_state.json": b"\xfe\xff"}),
    "state too deep": lambda path: reseal(path, {"training_state.json": b'{"model":' * 90_000}),
    "arrays are text": lambda path: reseal(path, {"training_state.npz": b"PK"}),
    "weights are text": lambda path: reseal(path, {"policy.pth": b"PK"}),
    "weights are empty": lambda path: reseal(path, {"policy.pth": b""}),
    "a folder": lambda path: (path.unlink(), path.mkdir(), (path / "x").touch()),
    "the previous one under this name": lambda path: shutil.copy(path.with_name("task_checkpoint_64_steps.zip"), path),
}


@pytest.mark.parametrize("name", SPOILS)
def test_spoiled_checkpoint_falls_back(store: CheckpointStore, name: str) -> None:
    SPOILS[name](store.path(96))
    assert_previous_is_used(store)


def test_swapped_checkpoints_are_refused_with_both_reasons(store: CheckpointStore, ram: Path) -> None:
    store.path(96).rename(ram / "aside")
    store.path(64).rename(store.path(96))
    (ram / "aside").rename(store.path(64))
    with pytest.raises(CheckpointNotFoundError, match=r"none can be used(.|\n)*the content of task_checkpoint_64"):
        resumed(store)


def test_nothing_usable_is_an_error_and_nothing_is_moved(store: CheckpointStore) -> None:
    for steps in STEPS:
        store.path(steps).write_bytes(b"")
    with pytest.raises(CheckpointNotFoundError, match="training does not start at zero"):
        resumed(store)
    assert [entry.steps for entry in store.entries()] == [96, 64]


def test_named_checkpoint_must_load(store: CheckpointStore) -> None:
    store.path(96).write_bytes(b"")
    with pytest.raises(ValidationError, match="failed its verification"):
        resumed(store, resume=store.path(96))


def test_newer_format_is_an_error_that_says_so(store: CheckpointStore) -> None:
    reseal(store.path(96), {}, version=2)
    with pytest.raises(CheckpointIncompatibleError, match="newer version of this package"):
        resumed(store)
    assert store.path(96).exists()


def test_zip_bomb_is_refused_before_it_unpacks(store: CheckpointStore) -> None:
    zeros = b"\0" * (64 << 20)
    reseal(store.path(96), {"policy.pth": zeros})
    write_zip(store.path(96), members_of(store.path(96)), zipfile.ZIP_DEFLATED)
    assert store.path(96).stat().st_size < 1 << 20
    assert "it would unpack to" in assert_previous_is_used(store)


def test_array_that_claims_much_memory_is_refused(store: CheckpointStore) -> None:
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f8", "fortran_order": False, "shape": (1 << 40,)})
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("a0.npy", header.getvalue() + b"\0" * 8)
    reseal(store.path(96), {"training_state.npz": packed.getvalue()})
    assert "does not hold" in assert_previous_is_used(store)


# Replay chunks


def chunk(store: CheckpointStore) -> Path:
    """Return a chunk that only the newest checkpoint needs."""
    new, old = (entry.manifest.chunk_digests for entry in store.entries() if entry.manifest)
    return store.chunks / f"{min(new - old)}.npz"


CHUNK_SPOILS: dict[str, Spoil] = {
    "missing": lambda path: path.unlink(),
    "cut": lambda path: path.write_bytes(path.read_bytes()[:-1]),
    "empty": lambda path: path.write_bytes(b""),
    "flipped": lambda path: flip(path, 700),
    "foreign": lambda path: path.write_bytes(next(x for x in path.parent.iterdir() if x != path).read_bytes()),
    "a folder": lambda path: (path.unlink(), path.mkdir()),
}


@pytest.mark.parametrize("name", CHUNK_SPOILS)
def test_spoiled_chunk_falls_back(replayed: CheckpointStore, name: str) -> None:
    CHUNK_SPOILS[name](chunk(replayed))
    assert_previous_is_used(replayed, dqn())


@pytest.mark.parametrize("name", [name for name in CHUNK_SPOILS if name != "a folder"])
def test_run_that_went_back_mends_the_spoiled_chunk(replayed: CheckpointStore, name: str) -> None:
    CHUNK_SPOILS[name](chunk(replayed))
    learn_resumable(dqn(), 96, replayed, save_freq=64)
    assert replayed.verify(replayed.path(96)).steps == 96


@pytest.mark.parametrize("sha256", ["../../../etc/passwd", "a" * 63, "A" * 64, ""])
def test_chunk_name_cannot_leave_its_folder(replayed: CheckpointStore, sha256: str) -> None:
    manifest = replayed.entries()[0].manifest
    assert manifest is not None and manifest.replay is not None
    replay = manifest.replay.model_dump()
    replay["chunks"][0]["sha256"] = sha256
    reseal(replayed.path(96), {}, replay=replay)
    assert_previous_is_used(replayed, dqn())


def test_gap_between_chunks_falls_back(replayed: CheckpointStore) -> None:
    manifest = replayed.entries()[0].manifest
    assert manifest is not None and manifest.replay is not None
    reseal_replay(replayed.path(96), chunks=manifest.replay.chunks[1:])
    assert "rows up to" in Path(_reason(replayed)).read_text()


def _reason(store: CheckpointStore) -> Path:
    assert_previous_is_used(store, dqn())
    return next((store.folder / "quarantine").glob("*.reason.txt"))


def test_compressed_chunk_that_unpacks_to_more_than_its_rows_is_refused(replayed: CheckpointStore) -> None:
    zeros = bytes(64 << 20)
    packed = compressed(zeros)
    assert packed is not None
    reseal_chunk(replayed.path(96), replayed.chunks, packed, raw_bytes=len(zeros))
    assert "it would unpack to 67108864 bytes" in assert_previous_is_used(replayed, dqn())


def test_chunk_of_more_rows_than_the_buffer_holds_may_not_unpack_to_them(replayed: CheckpointStore) -> None:
    packed = compressed(bytes(64 << 20))
    assert packed is not None
    reseal_chunk(replayed.path(96), replayed.chunks, packed, raw_bytes=64 << 20)
    forged = replayed.verify(replayed.path(96)).replay
    assert forged is not None
    everything = forged.chunks[-1].model_copy(update={"start": 0, "stop": 10**9})
    reseal_replay(replayed.path(96), added=10**9, chunks=(everything,))
    assert "it would unpack to 67108864 bytes" in assert_previous_is_used(replayed, dqn())


# No code from a checkpoint


def test_planted_pickles_do_not_run(store: CheckpointStore, ram: Path) -> None:
    whole, mark = store.path(96).read_bytes(), ram / "mark"
    poison = pickle.dumps(Bomb(mark))
    for name in members_of(store.path(96)):
        for content in (poison, _zipped("archive/data.pkl", poison), _zipped("a0.npy", _object_array(mark))):
            store.path(96).write_bytes(whole)
            write_zip(store.path(96), members_of(store.path(96)) | {name: content})
            if name != "manifest.json":
                store.path(96).write_bytes(whole)
                reseal(store.path(96), {name: content})
            resumed(store)
    assert not mark.exists()
    pickle.loads(poison)
    assert mark.exists()


def test_planted_pickle_in_a_chunk_does_not_run(replayed: CheckpointStore, ram: Path) -> None:
    reseal_chunk(replayed.path(96), replayed.chunks, _zipped("observations.npy", _object_array(ram / "mark")))
    assert "observations.npy holds Python objects" in assert_previous_is_used(replayed, dqn())
    assert not (ram / "mark").exists()


def _zipped(name: str, data: bytes) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr(name, data)
    return packed.getvalue()


def _object_array(mark: Path) -> bytes:
    stream = io.BytesIO()
    np.save(stream, np.array([Bomb(mark)], dtype=object), allow_pickle=True)
    return stream.getvalue()


JUNK: list[Any] = [None, 3, "x", [], {}, {"$": "same"}, {"$": "object", "class": "os.system", "i": 0, "v": {}}, [[[]]]]


@pytest.mark.parametrize("key", ["model", "env", "sde", "generators", "callbacks", "boundary", "env_complete"])
def test_lying_state_is_refused_or_graded(store: CheckpointStore, key: str) -> None:
    whole = store.path(96).read_bytes()
    state = json.loads(members_of(store.path(96))["training_state.json"])
    for junk in JUNK:
        store.path(96).write_bytes(whole)
        reseal(store.path(96), {"training_state.json": json.dumps({**state, key: junk}).encode()})
        result = learn_resumable(ppo(), 128, store, retention=Retention(max_keep=9))
        assert result.steps_after == 128
        store.path(128).unlink()
        (store.folder / "quarantine").exists() and shutil.rmtree(store.folder / "quarantine")


def test_lying_attributes_are_refused_or_graded(store: CheckpointStore) -> None:
    whole = store.path(96).read_bytes()
    state = json.loads(members_of(store.path(96))["training_state.json"])
    for name in ("_last_obs", "num_timesteps", "_n_updates", "ep_info_buffer", "_last_episode_starts"):
        for junk in JUNK[1:]:
            lie = copy.deepcopy(state)
            lie["model"][name] = junk
            store.path(96).write_bytes(whole)
            reseal(store.path(96), {"training_state.json": json.dumps(lie).encode()})
            assert learn_resumable(ppo(), 128, store).steps_after == 128
            store.path(128).unlink()
