"""The tables of docs/EXPERIMENTS.md are those of the committed data, and its scenarios exist."""

import math

import pytest

from benchmarks.experiments import tables
from benchmarks.experiments.__main__ import pairs
from benchmarks.experiments.measure import configure, environment_of


def test_tables_are_drawn_from_the_data() -> None:
    text = tables.DOCUMENT.read_text(encoding="utf-8")
    assert tables.drawn(text) == text
    assert all(f"<!-- {name} -->" in text for name in tables.COLUMNS)
    assert tables.drawn(text.replace(tables.markdown("experiments"), "")) == text


@pytest.mark.parametrize("name", ["experiments", "controllers"])
def test_every_row_is_a_measurement_in_a_known_scenario(name: str) -> None:
    rows = tables.read(name)
    assert rows and all(math.isfinite(float(row["delay_s"])) and row["by"] for row in rows)
    for scenario in {row["scenario"] for row in rows}:
        assert environment_of(scenario).steps_per_episode == 120


def test_changes_of_an_experiment_reach_its_configuration() -> None:
    changes = pairs(["gradient_steps=8", "n_envs=16", "policy_kwargs={net_arch: [32]}"])
    config = configure("traffic_light_control", "dqn", 7, 1000, changes, pairs(["observation.segments=5"]))
    assert (config.seed, config.training.n_timesteps, config.training.n_envs) == (7, 1000, 16)
    assert config.training.hyperparameters["gradient_steps"] == 8
    assert config.training.policy_kwargs == {"net_arch": [32]}
    assert config.environment.observation.segments == 5
    assert config.environment.network == environment_of("traffic_light_control").network
