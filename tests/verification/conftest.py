import shutil
from pathlib import Path

import gymnasium as gym
import pytest
from stable_baselines3 import DQN

from validation_ch7.checkpoints import CheckpointStore, learn_resumable, save_best
from validation_ch7.checkpoints.backup import back_up
from validation_ch7.journal import Journal, JournalEntry, Phase

MODELS = "validation_ch7/section_x/data/models"


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with two checkpoints that have replay chunks, a best model, a backup and a journal."""
    workspace = tmp_path_factory.mktemp("trained")
    store = CheckpointStore(workspace / MODELS, "task")
    model = DQN("MlpPolicy", gym.make("CartPole-v1"), policy_kwargs={"net_arch": [4]}, learning_starts=8, seed=1)
    learn_resumable(model, 32, store, save_freq=16)
    save_best(store, model, {"mean_reward": 9.5})
    newest = store.entries()[0].manifest
    assert newest is not None
    back_up(store, "before-restore")
    store.write_metadata(newest)
    entry = JournalEntry(session_id="s1", section="section_x", scenario="task", backend="local", created="2026-01-01")
    Journal(workspace / "validation_output" / "sessions").record(entry.model_copy(update={"phase": Phase.CLOSED}))
    return workspace


@pytest.fixture
def workspace(trained: Path, tmp_path: Path) -> Path:
    """A copy of the trained workspace, to be damaged."""
    return Path(shutil.copytree(trained, tmp_path / "workspace"))


@pytest.fixture
def models(workspace: Path) -> Path:
    return workspace / MODELS
