"""Zips of plain Stable-Baselines3: weights without unpickling, companions only where the user trusts them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from stable_baselines3 import DQN, PPO
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.vec_env import VecNormalize

from tests.checkpoints.cases import off_policy, on_policy, venv
from tests.checkpoints.fingerprint import digest
from tests.checkpoints.pickle_watch import refuse_pickles
from validation_ch7.checkpoints import CheckpointStore, LearnResult, learn_resumable
from validation_ch7.errors import CheckpointIncompatibleError, CheckpointUntrustedError


def ppo() -> BaseAlgorithm:
    return on_policy(PPO, venv("CartPole-v1"))


def dqn() -> BaseAlgorithm:
    return off_policy(DQN, venv("CartPole-v1"))


def resumed(store: CheckpointStore, model: BaseAlgorithm, **options: Any) -> tuple[LearnResult, str]:
    """Resume without training and return what happened, with the log."""
    lines: list[str] = []
    result = learn_resumable(model, 10_000, store, **({"stop_at": 0, "log": lines.append} | options))
    return result, "\n".join(lines)


def foreign(store: CheckpointStore, model: BaseAlgorithm, steps: int = 200) -> Path:
    model.save(store.path(steps))
    return store.path(steps)


def test_foreign_zip_gives_its_weights_only(ram: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refuse_pickles(monkeypatch.setattr)
    store, old, new = CheckpointStore(ram, "task"), ppo(), ppo()
    store.folder.mkdir(parents=True)
    old.learn(64)
    foreign(store, old)
    result, log = resumed(store, new, stop_at=232)
    assert (result.steps_before, result.exactness, result.resumed_from) == (200, "weights-only", store.path(200))
    assert "no manifest, so weights only" in log


def test_foreign_weights_arrive(ram: Path) -> None:
    store, old, new = CheckpointStore(ram, "task"), ppo(), ppo()
    store.folder.mkdir(parents=True)
    old.learn(64)
    foreign(store, old)
    resumed(store, new)
    assert digest(new.get_parameters()) == digest(old.get_parameters())


def test_foreign_zip_of_another_shape_is_incompatible(ram: Path) -> None:
    store = CheckpointStore(ram, "task")
    store.folder.mkdir(parents=True)
    foreign(store, on_policy(PPO, venv("CartPole-v1"), policy_kwargs={"net_arch": [9]}))
    with pytest.raises(CheckpointIncompatibleError, match=r"checkpoint=\(9, 4\), current=\(8, 4\)"):
        resumed(store, ppo())


def test_foreign_companions_need_trust(ram: Path) -> None:
    store, old = CheckpointStore(ram, "task"), dqn()
    store.folder.mkdir(parents=True)
    old.learn(64)
    foreign(store, old)
    old.save_replay_buffer(store.folder / "task_checkpoint_replay_buffer_200_steps.pkl")
    new = dqn()
    _, log = resumed(store, new)
    assert "task_checkpoint_replay_buffer_200_steps.pkl left unread" in log and new.replay_buffer.size() == 0
    resumed(store, new, trust_foreign=True)
    assert new.replay_buffer.size() == 64


def test_trusted_companion_that_cannot_be_read_is_an_error(ram: Path) -> None:
    store = CheckpointStore(ram, "task")
    store.folder.mkdir(parents=True)
    foreign(store, dqn())
    (store.folder / "task_checkpoint_replay_buffer_200_steps.pkl").write_bytes(b"no pickle")
    with pytest.raises(CheckpointUntrustedError, match="trusted pickle could not be read"):
        resumed(store, dqn(), trust_foreign=True)


@pytest.mark.parametrize("trust", [False, True])
def test_foreign_statistics_of_normalization_need_trust(ram: Path, trust: bool) -> None:
    store = CheckpointStore(ram, "task")
    store.folder.mkdir(parents=True)
    old, new = (VecNormalize(venv("CartPole-v1")) for _ in range(2))
    model = on_policy(PPO, old)
    model.learn(64)
    foreign(store, model)
    old.save(str(store.folder / "task_checkpoint_vecnormalize_200_steps.pkl"))
    _, log = resumed(store, on_policy(PPO, new), trust_foreign=trust)
    assert ("loaded task_checkpoint_vecnormalize_200_steps.pkl, trusted by you" in log) is trust
    assert np.array_equal(new.obs_rms.mean, old.obs_rms.mean) is trust
