"""A rehearsal takes a configuration through a whole session, to its tables, before hours are spent on it."""

import pytest

from tests.training.worlds import section_config
from validation_ch7.config import Overrides, load_section, section_file
from validation_ch7.errors import SanityError
from validation_ch7.training.rehearsal import rehearse, shortened

SECTION = section_file("section_7_6_rl_performance")


@pytest.mark.parametrize(
    ("scenario", "algorithm"),
    [("traffic_light_control", "ppo"), ("traffic_light_control", "dqn"), ("arterial", "ppo")],
)
def test_pain_22_every_scenario_goes_the_whole_way_to_the_tables(tmp_path, scenario, algorithm):
    config = load_section(SECTION, Overrides(scenario=scenario, algorithm=algorithm))
    assert rehearse(config, tmp_path)["mean_delay_s"] > 0.0


def test_pain_22_algorithm_that_cannot_take_the_actions_is_found_at_once(tmp_path):
    config = load_section(SECTION, Overrides(scenario="arterial", algorithm="dqn"))
    with pytest.raises(SanityError, match="rehearsal") as refused:
        rehearse(config, tmp_path)
    assert "DQN cannot take the actions" in refused.value.found and "--algorithm ppo" in refused.value.found


def test_rehearsal_changes_nothing_but_lengths():
    config = load_section(SECTION, Overrides(algorithm="ppo"))
    small = shortened(config)
    assert small.training.hyperparameters["n_steps"] * config.training.n_envs >= 1024
    restored = small.training.hyperparameters | {"n_steps": config.training.hyperparameters["n_steps"]}
    assert restored == config.training.hyperparameters
    assert small.environment == config.environment


def test_wrong_hyperparameter_is_found_before_training(tmp_path):
    config = section_config("ppo", {"n_steps": 1, "batch_size": 2}, n_envs=1)
    with pytest.raises(SanityError, match="rehearsal"):
        rehearse(config, tmp_path)
