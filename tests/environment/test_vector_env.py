"""The Gymnasium vector environment keeps the contract of each autoreset mode."""

from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode

from validation_ch7.environment import TrafficEnv, TrafficVectorEnv
from validation_ch7.environment_config import EnvironmentConfig, Signal
from validation_ch7.errors import ConfigurationError

SHORT = EnvironmentConfig(horizon_s=30, signal=Signal(min_green_s=5))
ACTIONS = [np.array([step // 3 % 2, step // 2 % 2]) for step in range(20)]


def run(mode: str, steps: int) -> tuple[TrafficVectorEnv, list[Any]]:
    env = TrafficVectorEnv(2, SHORT, mode)
    env.reset(seed=5)
    return env, [env.step(action) for action in ACTIONS[:steps]]


def test_rows_equal_single_environments() -> None:
    env = TrafficVectorEnv(2, SHORT)
    singles = [TrafficEnv(SHORT) for _ in range(2)]
    first = env.reset(seed=5)[0]
    for row, single in enumerate(singles):
        assert np.array_equal(first[row], single.reset(seed=5 + row)[0])
    for action in ACTIONS[:6]:
        observations, rewards, terminated, truncated, _ = env.step(action)
        for row, single in enumerate(singles):
            observation, reward, _, cut, _ = single.step(action[row])
            assert np.array_equal(observations[row], observation)
            assert rewards[row] == reward and truncated[row] == cut and not terminated[row]


def test_next_step_mode_resets_in_the_step_after_the_end() -> None:
    env, steps = run("NextStep", 8)
    assert steps[5][3].all() and steps[5][4]["_traffic"].all()
    assert steps[5][4]["traffic"]["arrived_veh"].min() > 0
    observation, rewards, _, truncated, infos = steps[6]
    assert not rewards.any() and not truncated.any() and infos == {}
    assert np.all(observation[:, :24] == 0.0)
    assert env.batch.simulator.clock.tolist() == [1, 1]


def test_same_step_mode_gives_the_final_observation() -> None:
    _, next_step = run("NextStep", 6)
    env, steps = run("SameStep", 6)
    infos = steps[5][4]
    assert np.array_equal(np.stack(infos["final_obs"]), next_step[5][0])
    assert infos["_final_obs"].all() and np.all(steps[5][0][:, :24] == 0.0)
    assert infos["final_info"]["traffic"]["arrived_veh"].min() > 0
    assert env.batch.simulator.clock.tolist() == [0, 0]


def test_mask_of_nobody_resets_nothing() -> None:
    env, _ = run("Disabled", 3)
    before = env.batch.observe()
    assert np.array_equal(env.reset(options={"reset_mask": np.zeros(2, np.bool_)})[0], before)
    assert env.batch.simulator.clock.tolist() == [3, 3]


def test_disabled_mode_waits_for_the_reset_mask() -> None:
    env, _ = run("Disabled", 6)
    with pytest.raises(ConfigurationError, match="call reset"):
        env.step(ACTIONS[0])
    kept = env.batch.simulator.x[1].copy()
    env.reset(options={"reset_mask": np.array([True, False])})
    assert env.batch.simulator.clock.tolist() == [0, 6]
    assert np.array_equal(env.batch.simulator.x[1], kept)
    env.reset(options={"reset_mask": np.array([False, True])})
    env.step(ACTIONS[0])


@pytest.mark.parametrize("mode", list(AutoresetMode))
def test_state_round_trip_is_exact_in_every_mode(mode: AutoresetMode) -> None:
    env = TrafficVectorEnv(2, SHORT, mode)
    env.reset(seed=1)
    for action in ACTIONS[:6]:
        env.step(action)
    fresh = TrafficVectorEnv(2, SHORT, mode)
    fresh.set_state(env.get_state())
    for one in (env, fresh):
        if mode is AutoresetMode.DISABLED:
            one.reset()
    for action in ACTIONS[6:]:
        if mode is AutoresetMode.DISABLED and env.batch.simulator.clock[0] == 6:
            break
        for left, right in zip(env.step(action)[:4], fresh.step(action)[:4], strict=True):
            assert np.array_equal(left, right)


def test_returned_arrays_are_never_reused() -> None:
    _, steps = run("SameStep", 3)
    assert not np.array_equal(steps[0][0], steps[2][0])
    assert not np.shares_memory(steps[0][0], steps[1][0]) and not np.shares_memory(steps[0][1], steps[1][1])


def test_make_vec_uses_the_batch() -> None:
    env = gymnasium.make_vec("Traffic/Arterial-v0", num_envs=3, vectorization_mode="vector_entry_point")
    assert isinstance(env, TrafficVectorEnv)
    assert env.metadata["autoreset_mode"] is AutoresetMode.NEXT_STEP
    observation, _ = env.reset(seed=0)
    assert env.observation_space.contains(observation)
    assert env.observation_space.contains(env.step(env.action_space.sample())[0])


@pytest.mark.parametrize("mask", [np.array([True]), np.array([1, 0])])
def test_wrong_mask_is_refused(mask: Any) -> None:
    with pytest.raises(ConfigurationError, match="rows to reset"):
        TrafficVectorEnv(2, SHORT).reset(options={"reset_mask": mask})


def test_reset_after_the_end_leaves_nothing_pending() -> None:
    env, _ = run("NextStep", 6)
    env.reset()
    env.step(ACTIONS[0])
    assert env.batch.simulator.clock.tolist() == [1, 1]
