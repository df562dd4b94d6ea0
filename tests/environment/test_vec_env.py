"""The SB3 vector environment: exact state, independent rows, same-step reset, truthful infos."""

from typing import Any

import numpy as np
import pytest
from stable_baselines3.common.monitor import Monitor

from validation_ch7.environment import TrafficVecEnv, make_vec_env
from validation_ch7.environment_config import EnvironmentConfig, Network, Signal, Solver
from validation_ch7.errors import ConfigurationError

SHORT = EnvironmentConfig(horizon_s=60, signal=Signal(min_green_s=5))
PAIR = SHORT.model_copy(update={"network": Network(columns=2, entry_length_m=200, spacing_m=200)})


def play(env: TrafficVecEnv, steps: int, seed: int = 0) -> list[Any]:
    generator = np.random.default_rng(seed)
    crossings = env.batch.simulator.layout.intersections
    actions = generator.integers(0, 2, (steps, env.num_envs, crossings))
    return [env.step(action.squeeze(-1) if crossings == 1 else action) for action in actions]


def assert_same(first: Any, second: Any) -> None:
    if isinstance(first, dict):
        assert first.keys() == second.keys()
        for key in first:
            assert_same(first[key], second[key])
    elif isinstance(first, list | tuple):
        assert len(first) == len(second)
        for one, other in zip(first, second, strict=True):
            assert_same(one, other)
    else:
        assert np.array_equal(first, second) and type(first) is type(second)


def is_plain(value: Any) -> bool:
    if isinstance(value, dict):
        return all(isinstance(key, str) and is_plain(item) for key, item in value.items())
    if isinstance(value, list):
        return all(is_plain(item) for item in value)
    return value.dtype != object if isinstance(value, np.ndarray) else isinstance(value, int | float | str | bool)


@pytest.mark.parametrize("config", [SHORT, PAIR], ids=["intersection", "arterial"])
def test_state_round_trip_is_exact_across_episodes(config: EnvironmentConfig) -> None:
    env = make_vec_env(config, [3, 4])
    env.reset()
    play(env, 17)
    state, seen = env.get_state(), env.batch.observe()
    after = play(env, 40, seed=1)
    fresh = make_vec_env(config, [0, 0])
    fresh.set_state(state)
    assert np.array_equal(fresh.batch.observe(), seen)
    assert_same(after, play(fresh, 40, seed=1))
    assert_same(env.get_state(), fresh.get_state())


def test_state_is_plain_data_and_a_copy() -> None:
    env = make_vec_env(SHORT, [3, 4])
    env.reset()
    state = env.get_state()
    assert is_plain(state)
    before = state["simulator"]["x"].copy()
    play(env, 5)
    assert np.array_equal(state["simulator"]["x"], before)


@pytest.mark.parametrize("solver", [Solver(), Solver(order=2), Solver(precision="float32")], ids=str)
def test_rows_of_a_batch_equal_the_same_environments_alone(solver: Solver) -> None:
    config = SHORT.model_copy(update={"solver": solver})
    batch, rows = make_vec_env(config, range(64)), (0, 37, 63)
    alone = {row: make_vec_env(config, [row]) for row in rows}
    first = batch.reset()
    assert all(np.array_equal(first[row], env.reset()[0]) for row, env in alone.items())
    generator = np.random.default_rng(0)
    for _ in range(30):
        actions = generator.integers(0, 2, 64)
        many = batch.step(actions)
        for row, env in alone.items():
            one = env.step(actions[row : row + 1])
            assert_same([part[row] for part in many], [part[0] for part in one])
    for row, env in alone.items():
        whole, single = batch.get_state()["simulator"], env.get_state()["simulator"]
        assert all(np.array_equal(whole[name][row], single[name][0]) for name in whole)


def test_results_do_not_depend_on_the_number_of_threads() -> None:
    threaded = SHORT.model_copy(update={"solver": Solver(threads=3)})
    one, three = make_vec_env(SHORT, range(7)), make_vec_env(threaded, range(7))
    assert np.array_equal(one.reset(), three.reset())
    assert_same(play(one, 20), play(three, 20))


def test_horizon_is_a_truncation_with_same_step_reset() -> None:
    env = make_vec_env(SHORT, [0, 1])
    first = env.reset()
    steps = play(env, 24)
    observation, _, done, infos = steps[11]
    assert not any(step[2].any() for step in steps[:11]) and done.all()
    assert np.array_equal(observation, first)
    for info in infos:
        assert info["TimeLimit.truncated"] is True
        assert info["terminal_observation"].sum() > first[0].sum()
        assert info["episode"]["l"] == 12 and info["episode"]["t"] == 60.0
    assert infos[0]["episode"]["r"] == pytest.approx(sum(float(step[1][0]) for step in steps[:12]), rel=1e-6)
    assert steps[23][3][0]["episode"]["t"] == 120.0


def test_statistics_balance_and_cover_both_classes() -> None:
    env = make_vec_env(SHORT, [5])
    env.reset()
    traffic = play(env, 12)[-1][3][0]["traffic"]
    for suffix in ("", "_motorbike", "_car"):
        gone = traffic["throughput_veh" + suffix] + traffic["residual_veh" + suffix]
        assert gone == pytest.approx(traffic["arrived_veh" + suffix], rel=1e-12)
        assert 0 <= traffic["mean_delay_s" + suffix] <= traffic["travel_time_s" + suffix] <= 60
    assert all(isinstance(value, float) for value in traffic.values())


def test_episodes_and_seeds_differ_in_demand() -> None:
    env = make_vec_env(SHORT, [0, 1])
    env.reset()
    first = env.batch.simulator.arrivals.copy()
    env.reset()
    second = env.batch.simulator.arrivals
    assert not np.array_equal(first[0], first[1])
    assert not np.array_equal(first, second)


def test_seed_makes_episodes_repeat() -> None:
    env = make_vec_env(SHORT, [0, 1])
    assert env.seed(8) == [8, 9]
    env.reset()
    other = make_vec_env(SHORT, [8, 9])
    other.reset()
    assert_same(play(env, 20), play(other, 20))


def test_observation_and_reward_vary_and_stay_off_their_bounds() -> None:
    env = make_vec_env(EnvironmentConfig(), [0])
    env.reset()
    steps = play(env, 119)
    road = np.array([step[0][0, :24] for step in steps[20:]])
    rewards = np.array([step[1][0] for step in steps])
    assert road.max() < 1.0 and np.all(road.std(axis=0)[[2, 3, 8, 9]] > 0.005)
    assert rewards.std() > 0.05 and rewards.min() > -20 and rewards.max() < 0


def test_rows_answer_attributes_and_methods() -> None:
    env = make_vec_env(SHORT, [5, 6])
    env.reset()
    env.set_attr("note", "x", indices=[1])
    assert env.get_attr("seed") == [5, 6]
    assert env.get_attr("note", [1]) == ["x"]
    assert env.get_attr("phase") == [[0], [0]]
    assert [stats["arrived_veh"] for stats in env.env_method("statistics")] == [0.0, 0.0]
    assert env.env_is_wrapped(Monitor) == [True, True]


@pytest.mark.parametrize("actions", [[0, 2], [-1, 0], [0.0, float("nan")], [0], [[0, 0]] * 2])
def test_wrong_actions_are_refused(actions: Any) -> None:
    env = make_vec_env(SHORT, [0, 1])
    env.reset()
    with pytest.raises(ConfigurationError, match="action"):
        env.step(np.array(actions))


def test_step_before_reset_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="has not begun"):
        make_vec_env(SHORT, [0]).step(np.array([0]))


def test_state_with_another_number_of_rows_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="2 rows"):
        make_vec_env(SHORT, [0]).set_state(make_vec_env(SHORT, [0, 1]).get_state())
