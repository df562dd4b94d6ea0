"""Every classical controller gets its best parameters, searched on demand of its own."""

import pytest

from validation_ch7.control import Actuated, mean_delay_s, tune
from validation_ch7.control.tuning import arguments, find_family
from validation_ch7.environment_config import EnvironmentConfig, Network, Signal
from validation_ch7.errors import ConfigurationError
from validation_ch7.traffic import Simulator

SMALL = EnvironmentConfig(
    horizon_s=60,
    network=Network(entry_length_m=100, cell_length_m=25),
    signal=Signal(phases=(("north", "south"), ("east", "west"), ())),
)
SEEDS = range(2)


@pytest.mark.parametrize("name", ["fixed_time", "sotl", "max_pressure", "greedy", "webster"])
def test_tuned_controller_is_no_worse_than_any_start(name: str) -> None:
    tuned = tune(name, SMALL, SEEDS)
    assert tuned.delay_s == pytest.approx(mean_delay_s(SMALL, tuned.make(), SEEDS))
    family = find_family(name, SMALL)
    assert tuned.tried >= len(family.starts)
    for start in family.starts[:3]:
        assert tuned.delay_s <= mean_delay_s(SMALL, family.build(**arguments(start, SMALL)), SEEDS) + 1e-9


def test_actuated_has_a_greatest_green_for_each_phase() -> None:
    assert len(tune("actuated", SMALL, SEEDS).parameters["max_green_s"]) == 3


def test_plans_end_where_decisions_end_and_skip_phases_that_serve_nobody() -> None:
    greens = tune("fixed_time", SMALL, SEEDS).parameters["green_s"]
    assert greens[2] == 0.0
    assert all((green + 4.0) % SMALL.decision_s == 0.0 for green in greens[:2])


def test_several_lights_have_an_offset() -> None:
    arterial = SMALL.model_copy(update={"network": Network(columns=2, entry_length_m=100, spacing_m=100)})
    assert "offset_s" in find_family("fixed_time", arterial).axes
    assert "offset_s" not in find_family("fixed_time", SMALL).axes


def test_each_phase_ends_at_its_own_greatest_green() -> None:
    simulator, controller = Simulator(SMALL, 2), Actuated(max_green_s=(30.0, 20.0, 0.0))
    simulator.x[:, 1, :] = 0.5  # everybody waits, so nothing but the greatest green ends a phase
    simulator.signal[:, 0, 2] = round(25 / simulator.layout.time_step_s)
    simulator.signal[1, 0, :2] = 1
    assert controller.decide(simulator).tolist() == [[0], [0]]


def test_unknown_controller_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="no such controller"):
        tune("police", SMALL, SEEDS)
