"""The checks before any long training: each condition is broken once, on otherwise good measurements."""

from dataclasses import replace

import numpy as np
import pytest

from tests.training.sessions import Scene
from tests.training.worlds import section_config
from validation_ch7.environment_config import Demand, EnvironmentConfig, Network, Signal
from validation_ch7.errors import ConfigurationError, SanityError
from validation_ch7.session import SummaryStatus
from validation_ch7.training.sanity import check_environment, find_faults, measure

CONFIG = EnvironmentConfig(horizon_s=200, network=Network(entry_length_m=100, cell_length_m=20))


@pytest.fixture(scope="module")
def good():
    return measure(CONFIG)


def changed(good, policy, **values):
    return find_faults(replace(good, **{policy: replace(getattr(good, policy), **values)}))


def pinned(good):
    observations = good.random.observations.copy()
    observations[:, :, 2] = 1.0
    return observations


def still(good):
    observations = good.random.observations.copy()
    observations[:, :, ~good.counted] = 0.25
    return observations


def test_pain_23_good_measurements_have_no_fault(good):
    assert find_faults(good) == []


@pytest.mark.parametrize(
    ("policy", "values", "reason"),
    [
        ("plan", lambda good: {"rewards": np.zeros_like(good.plan.rewards)}, "the reward never varies: it is 0"),
        ("random", lambda good: {"rewards": np.full_like(good.plan.rewards, -1.0)}, "the reward never varies"),
        ("random", lambda good: {"observations": still(good)}, "the observation of the roads never varies"),
        ("random", lambda good: {"observations": pinned(good)}, "rests at its upper bound in entries [2]"),
        ("random", lambda good: {"observations": good.plan.observations}, "the same trajectory"),
        ("random", lambda good: {"delay_s": good.plan.delay_s}, "the same trajectory"),
        ("all_red", lambda good: {"rewards": good.plan.rewards}, "pays for stopping the traffic"),
        ("plan", lambda good: {"delay_s": np.array([1.0, np.nan])}, "plan: a number is not finite"),
        ("plan", lambda good: {"observations": good.plan.observations + 1.0}, "plan: an observation lies outside"),
        ("plan", lambda good: {"occupancy": (0.0, 6.8)}, "occupancy from 0 to 6.8"),
        ("random", lambda good: {"speed_m_s": (0.0, 50.04)}, "50.04 m/s, free speed 13.9 m/s"),
        ("random", lambda good: {"delay_s": np.array([-1.0, 3.0])}, "random: a mean delay of -1 s"),
        ("all_red", lambda good: {"left_veh": good.all_red.arrived_veh * 0.99}, "all red: 1 % of the vehicles"),
    ],
)
def test_pain_23_each_broken_condition_is_a_fault_with_its_reason(good, policy, values, reason):
    assert any(reason in fault for fault in changed(good, policy, **values(good)))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"demand": Demand(profile="constant", flow_veh_per_h=dict.fromkeys(("north", "south", "east", "west"), 0))},
         "the reward never varies"),
        ({"signal": Signal(phases=(("north", "south", "east", "west"),))}, "actions have no effect"),
    ],
)  # fmt: skip
def test_environment_without_anything_to_learn_is_refused(change, reason):
    with pytest.raises(SanityError, match=reason) as refused:
        check_environment(CONFIG.model_copy(update=change))
    assert refused.value.exit_code == ConfigurationError.exit_code


def test_pain_22_session_stops_before_training_where_the_check_fails(tmp_path):
    def refuse(environment):
        raise SanityError("nothing to learn")

    scene = Scene(tmp_path, check=refuse)
    assert scene.run(config=section_config(evaluation={"freq": 64, "episodes": 2})) == SanityError.exit_code
    assert scene.summary.status is SummaryStatus.FAILED
    assert scene.summary.error == "nothing to learn" and scene.summary.steps_after == 0
