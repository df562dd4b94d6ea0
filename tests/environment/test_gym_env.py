"""The Gymnasium environment passes the checkers and has the dynamics of the SB3 one."""

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from stable_baselines3.common.env_checker import check_env as check_env_sb3

from validation_ch7.environment import TrafficEnv, make_vec_env
from validation_ch7.environment.pictures import GREEN, RED
from validation_ch7.environment_config import EnvironmentConfig, Network, Signal
from validation_ch7.errors import ConfigurationError

SHORT = EnvironmentConfig(horizon_s=60)


@pytest.mark.parametrize("name", ["Intersection", "Arterial", "Grid"])
@pytest.mark.filterwarnings("error::UserWarning")
def test_registered_environments_pass_both_checkers(name: str) -> None:
    env = gymnasium.make(f"Traffic/{name}-v0", render_mode="rgb_array")
    check_env(env.unwrapped)
    check_env_sb3(env.unwrapped)


def test_gymnasium_and_sb3_have_the_same_dynamics() -> None:
    single, rows = TrafficEnv(SHORT), make_vec_env(SHORT, [7])
    assert np.array_equal(single.reset(seed=7)[0], rows.reset()[0])
    for step in range(12):
        observation, reward, terminated, truncated, info = single.step(step // 4 % 2)
        observations, rewards, dones, infos = rows.step(np.array([step // 4 % 2]))
        assert not terminated and truncated == dones[0] == (step == 11)
        assert np.float32(reward) == rewards[0]
        expected = infos[0]["terminal_observation"] if truncated else observations[0]
        assert np.array_equal(observation, expected)
    assert info["traffic"] == infos[0]["traffic"]


def test_state_round_trip_is_exact_past_a_reset() -> None:
    first, second = TrafficEnv(SHORT), TrafficEnv(SHORT)
    first.reset(seed=1)
    first.step(1)
    second.reset(seed=99)
    second.set_state(first.get_state())
    for env in (first, second):
        env.step(0)
        env.reset()
    assert np.array_equal(first.batch.simulator.arrivals, second.batch.simulator.arrivals)
    assert np.array_equal(first.step(1)[0], second.step(1)[0])


def test_switch_action_goes_to_the_next_phase_and_back() -> None:
    env = TrafficEnv(EnvironmentConfig(signal=Signal(action="switch", min_green_s=0)))
    env.reset(seed=0)
    targets = [env.step(action) and int(env.batch.simulator.signal[0, 0, 1]) for action in (0, 1, 0, 1, 0)]
    assert targets == [0, 1, 1, 0, 0]


def test_minimum_green_holds_and_maximum_green_ends_a_phase() -> None:
    env = TrafficEnv(EnvironmentConfig(signal=Signal(min_green_s=15, max_green_s=30)))
    env.reset(seed=0)
    seen = [env.step(1) and int(env.batch.simulator.signal[0, 0, 1]) for _ in range(11)]
    assert seen == [0] * 3 + [1] * 6 + [0] * 2


def test_step_after_the_horizon_is_refused() -> None:
    env = TrafficEnv(EnvironmentConfig(horizon_s=5))
    env.reset(seed=0)
    env.step(0)
    with pytest.raises(ConfigurationError, match="call reset"):
        env.step(0)


def test_clone_goes_its_own_way_from_the_same_state() -> None:
    env = TrafficEnv(SHORT)
    env.reset(seed=1)
    env.step(0)
    copy = env.clone()
    first, second = env.step(1)[0], copy.step(1)[0]
    assert np.array_equal(first, second)
    copy.step(0)
    assert env.batch.simulator.clock[0] == 2 and copy.batch.simulator.clock[0] == 3
    assert np.array_equal(env.reset()[0], copy.reset()[0])
    assert np.array_equal(env.batch.simulator.arrivals, copy.batch.simulator.arrivals)


def test_picture_shows_lights_and_queues() -> None:
    env = TrafficEnv(EnvironmentConfig(network=Network(entry_length_m=200)), render_mode="rgb_array")
    env.reset(seed=0)
    empty = env.render()
    assert empty is not None and empty.shape == (55, 55, 3) and empty.dtype == np.uint8
    stop = {"north": (22, 24), "east": (24, 32)}
    assert tuple(empty[stop["north"]]) == GREEN and tuple(empty[stop["east"]]) == RED
    for _ in range(20):
        env.step(0)
    jammed = env.render()
    assert jammed is not None and jammed[24, 33, 0] == 255 and jammed[24, 33, 1] < 100
    assert tuple(empty[24, 33]) == (70, 70, 70)


def test_time_space_diagram_grows_with_time() -> None:
    env = TrafficEnv(EnvironmentConfig(horizon_s=60), render_mode="time_space")
    env.reset(seed=0)
    for _ in range(4):
        env.step(1)
    picture = env.render()
    assert picture is not None and picture.shape == (100, 12, 3)
    assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 10


def test_unknown_render_mode_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="render mode"):
        TrafficEnv(render_mode="human")


def test_an_impossible_state_is_refused_and_the_old_one_stays() -> None:
    env = TrafficEnv()
    env.reset(seed=0)
    before, wrong = env.get_state(), env.get_state()
    wrong["simulator"]["x"][0, 0, 5] = -0.1
    with pytest.raises(ConfigurationError, match=r"occupancies \[-\]"):
        env.set_state(wrong)
    assert all(np.array_equal(value, env.get_state()["simulator"][name]) for name, value in before["simulator"].items())
