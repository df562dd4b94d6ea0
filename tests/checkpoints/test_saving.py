"""What a save leaves on the disk: SB3's own format, the same bytes in both modes, new transitions only."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from stable_baselines3 import DQN, PPO, SAC
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.vec_env import DummyVecEnv

from tests.checkpoints.cases import off_policy, on_policy, venv
from tests.checkpoints.fingerprint import digest
from tests.checkpoints.hostile import members_of
from validation_ch7.checkpoints import (
    CheckpointStore,
    RotatingCheckpointCallback,
    find_latest_checkpoint,
    learn_resumable,
    saver,
)

KINDS: dict[str, tuple[type[Any], Callable[[], BaseAlgorithm]]] = {
    "ppo": (PPO, lambda: on_policy(PPO, venv("CartPole-v1"))),
    "ppo-lambda": (PPO, lambda: on_policy(PPO, venv("CartPole-v1"), learning_rate=lambda _: 1e-3)),
    "dqn": (DQN, lambda: off_policy(DQN, venv("CartPole-v1"))),
    "sac": (SAC, lambda: off_policy(SAC, venv("Pendulum-v1"), train_freq=8)),
}


@pytest.fixture
def store(ram: Path) -> CheckpointStore:
    return CheckpointStore(ram, "task")


@pytest.mark.parametrize("kind", KINDS)
def test_plain_sb3_opens_a_checkpoint_and_predicts_the_same(store: CheckpointStore, kind: str) -> None:
    algorithm, build = KINDS[kind]
    model = build()
    learn_resumable(model, 96, store)
    loaded = algorithm.load(store.paths()[0], device="cpu")
    observation = model.observation_space.sample()
    assert np.array_equal(
        loaded.predict(observation, deterministic=True)[0], model.predict(observation, deterministic=True)[0]
    )
    assert (loaded.num_timesteps, loaded._n_updates) == (96, model._n_updates)
    assert digest(loaded.get_parameters()) == digest(model.get_parameters())


def test_plain_sb3_trains_on_from_a_checkpoint(store: CheckpointStore) -> None:
    learn_resumable(KINDS["ppo"][1](), 96, store)
    loaded = PPO.load(store.paths()[0], env=venv("CartPole-v1"))
    assert loaded.learn(32, reset_num_timesteps=False).num_timesteps == 128


def test_unpicklable_attribute_does_not_spoil_the_zip(store: CheckpointStore) -> None:
    model = KINDS["ppo"][1]()
    with Path(__file__).open() as model.open_file:  # type: ignore[attr-defined]
        learn_resumable(model, 32, store)
    assert PPO.load(store.paths()[0]).num_timesteps == 32


def test_attribute_that_appears_during_training_is_saved(store: CheckpointStore) -> None:
    model = KINDS["ppo"][1]()
    learn_resumable(model, 96, store, save_freq=32, callback=_Naming())
    assert PPO.load(store.paths()[0]).named == ["late"]


class _Naming(BaseCallback):
    def _on_step(self) -> bool:
        self.model.named = ["late"]  # type: ignore[attr-defined]
        return True


@pytest.mark.parametrize("kind", ["ppo", "dqn"])
def test_both_modes_write_the_same_bytes(ram: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time", lambda: 1.0)
    monkeypatch.setattr(time, "time_ns", lambda: 1)
    monkeypatch.setattr(saver, "utc_now", lambda: "2026-01-01T00:00:00Z")
    found = [_files(ram / mode, kind, mode == "async") for mode in ("sync", "async")]
    assert found[0].keys() == found[1].keys() and len(found[0]) >= 3
    assert found[0] == found[1]


def _files(root: Path, kind: str, asynchronous: bool) -> dict[str, bytes]:
    store = CheckpointStore(root, "task")
    learn_resumable(
        KINDS[kind][1](), 96, store, save_freq=32, asynchronous=asynchronous, session_id="s", clock=lambda: 0.0
    )
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_saving_the_same_step_twice_replaces_it(store: CheckpointStore) -> None:
    model = KINDS["ppo"][1]()
    learn_resumable(model, 96, store)
    for _ in range(2):
        model.learn(32, callback=RotatingCheckpointCallback(store), reset_num_timesteps=True)
    assert [store.verify(path).steps for path in store.paths()] == [32]


def test_a_save_writes_only_the_new_transitions(store: CheckpointStore) -> None:
    model = off_policy(DQN, venv("CartPole-v1"), buffer_size=20_000, learning_starts=10_000)
    learn_resumable(model, 1200, store, save_freq=400)
    sizes = sorted(path.stat().st_size for path in store.chunks.iterdir())
    row = 4 * 4 * 2 + 8 + 4 + 4 + 4
    assert len(sizes) == 3 and sizes[-1] < 1.1 * 400 * row + 2000


def test_chunks_of_forgotten_rows_are_removed(store: CheckpointStore) -> None:
    learn_resumable(off_policy(DQN, venv("CartPole-v1")), 600, store, save_freq=40)
    rows = [chunk.stop - chunk.start for chunk in store.entries()[0].manifest.replay.chunks]  # type: ignore[union-attr]
    assert 150 <= sum(rows) <= 150 + max(rows)
    assert len(list(store.chunks.iterdir())) <= len(rows) + 1


def test_members_of_ours_are_no_pickles(store: CheckpointStore) -> None:
    learn_resumable(KINDS["sac"][1](), 96, store)
    names = set(members_of(store.paths()[0]))
    assert {"manifest.json", "training_state.json", "training_state.npz"} <= names
    assert {"data", "policy.pth", "pytorch_variables.pth", "_stable_baselines3_version", "system_info.txt"} <= names


def test_drop_in_callback_rotates_and_its_checkpoints_resume(store: CheckpointStore) -> None:
    model = KINDS["dqn"][1]()
    model.learn(200, callback=RotatingCheckpointCallback(store, save_freq=50))
    assert [entry.steps for entry in store.entries()] == [200, 156]
    result = learn_resumable(KINDS["dqn"][1](), 240, store)
    assert (result.steps_before, result.steps_after, result.exactness) == (200, 240, "exact")


def test_drop_in_callback_moves_the_checkpoints_of_another_run_aside(store: CheckpointStore) -> None:
    KINDS["ppo"][1]().learn(128, callback=RotatingCheckpointCallback(store, save_freq=32))
    KINDS["ppo"][1]().learn(64, callback=RotatingCheckpointCallback(store, save_freq=32))
    assert [entry.steps for entry in store.entries()] == [64, 32]
    assert next(store.backups.glob("*-before-rewind/checkpoints/task_checkpoint_128_steps.zip")).is_file()


def test_error_in_the_environment_keeps_the_last_checkpoint(store: CheckpointStore) -> None:
    model = on_policy(PPO, DummyVecEnv([lambda: _Breaking(gym.make("CartPole-v1"), 100)]))
    with pytest.raises(RuntimeError, match="broken at 100"):
        learn_resumable(model, 500, store, save_freq=32)
    assert find_latest_checkpoint(store) == store.path(96)


class _Breaking(gym.Wrapper[Any, Any, Any, Any]):
    def __init__(self, env: gym.Env[Any, Any], at: int) -> None:
        super().__init__(env)
        self._left, self._at = at, at

    def step(self, action: Any) -> Any:
        self._left -= 1
        if self._left < 0:
            raise RuntimeError(f"broken at {self._at}")
        return super().step(action)


def test_moved_tree_resumes(ram: Path) -> None:
    learn_resumable(KINDS["dqn"][1](), 96, CheckpointStore(ram / "here", "task"))
    (ram / "here").rename(ram / "there")
    result = learn_resumable(KINDS["dqn"][1](), 128, CheckpointStore(ram / "there", "task"))
    assert (result.steps_before, result.exactness) == (96, "exact")


class Break(BaseCallback):
    """Ends training as Ctrl-C does, once."""

    def _on_step(self) -> bool:
        if self.num_timesteps == 70:
            raise KeyboardInterrupt
        return True


def test_a_callback_whose_run_broke_off_can_be_used_again(store: CheckpointStore) -> None:
    model, callback = KINDS["ppo"][1](), RotatingCheckpointCallback(store, save_freq=32)
    with pytest.raises(KeyboardInterrupt):
        model.learn(128, callback=[callback, Break()])
    model.learn(64, callback=callback, reset_num_timesteps=False)
    assert store.newest_steps() == model.num_timesteps


def test_a_foreign_zip_in_the_folder_does_not_keep_old_chunks(store: CheckpointStore) -> None:
    store.folder.mkdir(parents=True)
    KINDS["dqn"][1]().save(store.path(0))
    learn_resumable(KINDS["dqn"][1](), 600, store, save_freq=50)
    named = {digest for entry in store.entries() if entry.manifest for digest in entry.manifest.chunk_digests}
    assert {path.stem for path in store.chunks.iterdir()} == named
