"""Exactness is stated, never assumed: what cannot be captured is named, and everything else is still restored."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from stable_baselines3 import DQN, PPO
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.vec_env import SubprocVecEnv, VecNormalize

from tests.checkpoints.cases import CtypesEnv, off_policy, on_policy, venv
from validation_ch7.checkpoints import CheckpointStore, LearnResult, ResumableEnv, learn_resumable


def learn(model: BaseAlgorithm, root: Path, steps: int | None = None, total: int = 192, **options: Any) -> LearnResult:
    return learn_resumable(model, total, CheckpointStore(root, "task"), session_timesteps=steps, **options)


def test_hidden_environment_state_is_graded_and_named(tmp_path: Path) -> None:
    result = learn(on_policy(PPO, venv(CtypesEnv)), tmp_path, 64)
    assert result.exactness == "statistical"
    assert result.lost == ("env.envs[0].env._position (ctypes.c_double)",)


def test_environment_whose_state_lives_in_c_restarts_and_training_goes_on(tmp_path: Path) -> None:
    learn(on_policy(PPO, venv(CtypesEnv)), tmp_path, 64)
    result = learn(on_policy(PPO, venv(CtypesEnv)), tmp_path)
    assert (result.exactness, result.steps_before, result.steps_after) == ("statistical", 64, 192)
    assert "env.envs[0].env._position (ctypes.c_double)" in result.lost


def test_restarted_environments_do_not_repeat_the_first_episodes(tmp_path: Path) -> None:
    learn(on_policy(PPO, venv(CtypesEnv)), tmp_path, 64)
    first, second = _first_observation(venv(CtypesEnv), tmp_path / "new"), _first_observation(venv(CtypesEnv), tmp_path)
    assert first != second


def _first_observation(env: Any, root: Path) -> float:
    seen = Observations()
    learn(on_policy(PPO, env), root, 32, callback=seen)
    return seen.first


class Observations(BaseCallback):
    """Keeps the observation that the session began with."""

    first = 0.0

    def get_state(self) -> None:
        """There is nothing to keep."""

    def set_state(self, state: None) -> None:
        """There is nothing to put back."""

    def _on_step(self) -> bool:
        self.first = self.first or float(self.locals["obs_tensor"][0, 0])
        return True


def test_statistical_stays_statistical_in_later_sessions(tmp_path: Path) -> None:
    learn(on_policy(PPO, venv("CartPole-v1", 2)), tmp_path, 64)
    assert learn(on_policy(PPO, venv("CartPole-v1", 1)), tmp_path, 32).exactness == "statistical"
    assert learn(on_policy(PPO, venv("CartPole-v1", 1)), tmp_path, 32).exactness == "statistical"


def test_changed_number_of_environments_keeps_the_statistics_of_normalization(tmp_path: Path) -> None:
    first = VecNormalize(venv("Pendulum-v1", 2))
    learn(on_policy(PPO, first), tmp_path, 64, total=640)
    second = VecNormalize(venv("Pendulum-v1", 3))
    result = learn(on_policy(PPO, second, n_steps=4, batch_size=4), tmp_path, 12, total=640)
    assert result.exactness == "statistical" and result.resumed_from is not None
    assert second.obs_rms.count == pytest.approx(first.obs_rms.count + 12)


def test_changed_number_of_environments_is_reported(tmp_path: Path) -> None:
    learn(on_policy(PPO, venv("CartPole-v1", 2)), tmp_path, 64)
    result = learn(on_policy(PPO, venv("CartPole-v1", 1)), tmp_path)
    assert "Number of environments: checkpoint=2, current=1" in result.warnings
    assert any("2 environments in the checkpoint, 1 now" in item for item in result.lost)


def test_replay_buffer_of_another_size_is_named(tmp_path: Path) -> None:
    learn(off_policy(DQN, venv("CartPole-v1")), tmp_path, 64)
    result = learn(off_policy(DQN, venv("CartPole-v1"), buffer_size=99), tmp_path)
    assert result.exactness == "statistical"
    assert any("150 rows of 1 in the checkpoint, 99 of 1 now" in item for item in result.lost)


def test_workers_without_state_are_graded(tmp_path: Path) -> None:
    env = SubprocVecEnv([lambda: gym.make("CartPole-v1")], start_method="fork")
    result = learn(on_policy(PPO, env), tmp_path, 32)
    env.close()
    assert result.exactness == "statistical" and "wrap them in ResumableEnv" in result.lost[0]


def test_hidden_state_inside_a_worker_is_graded(tmp_path: Path) -> None:
    env = SubprocVecEnv([lambda: ResumableEnv(CtypesEnv())], start_method="fork")
    result = learn(on_policy(PPO, env), tmp_path, 32)
    env.close()
    assert result.exactness == "statistical" and "_position (ctypes.c_double)" in result.lost[0]


def test_uncapturable_callback_is_named_and_training_stays_exact(tmp_path: Path) -> None:
    callback = _Holding(memoryview(b"hidden"))
    result = learn(on_policy(PPO, venv("CartPole-v1")), tmp_path, 64, callback=callback)
    assert result.exactness == "exact"
    assert result.lost == ("callback user.held (builtins.memoryview)",)


class _Holding(BaseCallback):
    def __init__(self, held: Any) -> None:
        super().__init__()
        self.held = held

    def _on_step(self) -> bool:
        return True


def test_callback_that_holds_the_model_does_not_copy_it(tmp_path: Path) -> None:
    model = off_policy(DQN, venv("CartPole-v1"), buffer_size=100_000)
    callback = _Holding([model, model.replay_buffer, model.policy])
    result = learn(model, tmp_path, 64, callback=callback)
    assert result.exactness == "exact" and result.resumed_from is None
    assert CheckpointStore(tmp_path, "task").paths()[0].stat().st_size < 200_000


def test_run_stopped_before_its_first_step_resumes_exactly(tmp_path: Path) -> None:
    stopped = learn(on_policy(PPO, venv("CartPole-v1")), tmp_path, should_stop=lambda: True)
    result = learn(on_policy(PPO, venv("CartPole-v1")), tmp_path)
    assert (stopped.steps_after, stopped.status) == (0, "interrupted")
    assert (result.steps_before, result.steps_after, result.exactness) == (0, 192, "exact")


def test_replay_buffer_filled_before_training_is_kept(tmp_path: Path) -> None:
    model = off_policy(DQN, venv("CartPole-v1"))
    _fill(model, 37)
    learn(model, tmp_path, 32)
    resumed = off_policy(DQN, venv("CartPole-v1"))
    result = learn(resumed, tmp_path, 33)
    assert result.exactness == "exact" and resumed.replay_buffer.size() == 37 + 32 + 36
    assert np.array_equal(resumed.replay_buffer.observations[:69], model.replay_buffer.observations[:69])


def _fill(model: Any, rows: int) -> None:
    for row in range(rows):
        observation = np.full((1, 4), row, dtype=np.float32)
        model.replay_buffer.add(observation, observation, np.zeros((1, 1)), np.zeros(1), np.zeros(1), [{}])


def test_grade_is_written_into_the_manifest(tmp_path: Path) -> None:
    learn(on_policy(PPO, venv(CtypesEnv)), tmp_path, 32)
    manifest = CheckpointStore(tmp_path, "task").entries()[0].manifest
    assert manifest is not None and manifest.exactness == "statistical"
    assert manifest.lost == ("env.envs[0].env._position (ctypes.c_double)",)
