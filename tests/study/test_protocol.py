"""What a protocol refuses, and what tasks it gives."""

import pytest
from pydantic import ValidationError as PydanticError

from tests.study.tiny import ENVIRONMENT, SCENARIO, protocol, section, wide_environment
from validation_ch7.environment_config import EnvironmentConfig
from validation_ch7.errors import ConfigurationError
from validation_ch7.study.protocol import HELD_OUT, DemandCase, EvaluationProtocol, check_held_out
from validation_ch7.study.tasks import EvaluationTask, TrainedAgent, evaluation_tasks
from validation_ch7.traffic import base_flows, build_layout
from validation_ch7.traffic.demand import phase_ratios, shape
from validation_ch7.training.seeds import HELD_OUT as WIDTH


def agents(tmp_path, *seeds, algorithm="ppo"):
    return [TrainedAgent(algorithm, SCENARIO, seed, section(seed=seed), tmp_path, tmp_path) for seed in seeds]


def test_default_is_the_full_protocol_on_seeds_that_training_never_draws():
    full = EvaluationProtocol()
    assert (full.seeds.count, full.full_training_seeds, full.oracle.depth) == (100, 10, 10)
    assert not full.reductions(range(10))
    check_held_out(full, HELD_OUT, WIDTH)
    environments = {name: case.environment(ENVIRONMENT).demand for name, case in full.cases.items()}
    assert [demand.degree_of_saturation for demand in environments.values()][:2] == [0.95, 1.05]
    assert len({demand.model_dump_json() for demand in environments.values()}) == 4


def test_peak_runs_from_the_saturation_that_it_names_whatever_the_scenario():
    one_lane = EnvironmentConfig(network={"lanes_east_west": 1})
    for scenario in (EnvironmentConfig(), one_lane):
        config = EvaluationProtocol().cases["peak"].environment(scenario)
        layout = build_layout(config)
        need = sum(phase_ratios(config, layout, base_flows(config, layout)))
        assert need / (1 - 8 / 90) == pytest.approx(0.65)
        assert shape(config).max() == pytest.approx(1.6, rel=0.01)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"controllers": ("webster", "magic")}, "there is no magic"),
        ({"controllers": ("lookahead",)}, "belongs under 'oracle'"),
        ({"controllers": ("webster", "webster")}, "named twice"),
        ({"tuning_seeds": {"first": HELD_OUT + 2, "count": 2}}, "tuned on the demand that judges them"),
        ({"oracle": {"seeds": 4}}, "oracle.seeds"),
        ({"grid": {"seeds": 4}}, "grid.seeds"),
        ({"cases": {}}, "at least 1"),
    ],
)
def test_protocol_that_does_not_fit_together_is_refused(changes, message):
    with pytest.raises(PydanticError, match=message):
        protocol(**changes)


def test_demand_on_which_an_agent_may_have_trained_is_refused():
    with pytest.raises(ConfigurationError, match="may have trained on"):
        check_held_out(protocol(seeds={"first": HELD_OUT + WIDTH - 1, "count": 3}), HELD_OUT, WIDTH)


def test_unknown_demand_key_names_the_case():
    with pytest.raises(ConfigurationError, match=r"evaluation\.cases\.odd[\s\S]*demand\.colour"):
        cases = {"odd": DemandCase(title="odd", demand={"colour": 1})}
        evaluation_tasks(protocol(cases=cases), {SCENARIO: ENVIRONMENT}, [])


def test_everybody_has_the_same_demand_seeds_in_a_case(tmp_path):
    tasks = evaluation_tasks(protocol(), {SCENARIO: ENVIRONMENT}, agents(tmp_path, 1, 2))
    assert len({task.id for task in tasks}) == len(tasks) == (2 + 2) * 3 + 2
    for case, grid in (("near", 1), ("more", 1), ("near", 2)):
        group = [task for task in tasks if (task.case, task.grid, task.kind == "oracle") == (case, grid, False)]
        assert len({task.seeds for task in group}) == len({str(task.environment) for task in group}) == 1
    oracle = [task.seeds for task in tasks if task.kind == "oracle"]
    assert sum(oracle, ()) == protocol().seeds.values


def test_controllers_are_tuned_on_the_demand_of_the_case_but_on_other_seeds_and_on_the_same_grid(tmp_path):
    tasks = evaluation_tasks(protocol(), {SCENARIO: ENVIRONMENT}, [])
    for task in (task for task in tasks if task.kind == "controller"):
        assert not set(task.tuning_seeds) & set(task.seeds)
        assert task.tuning_environment["demand"] == task.environment["demand"]
        assert task.tuning_environment["network"]["cell_length_m"] == 10.0
    assert {task.environment["network"]["cell_length_m"] for task in tasks} == {10.0, 5.0}


def test_tasks_are_plain_data_with_a_digest_that_follows_what_is_asked(tmp_path):
    first, *_, last = evaluation_tasks(protocol(oracle=None, grid=None), {SCENARIO: ENVIRONMENT}, agents(tmp_path, 1))
    assert EvaluationTask.model_validate_json(last.model_dump_json()) == last
    assert last.model_copy(update={"store": "elsewhere"}).digest == last.digest
    assert last.model_copy(update={"seeds": (1,)}).digest != last.digest
    assert [task.trace for task in (first, last)] == [True, False]


def test_there_is_no_oracle_for_several_intersections():
    tasks = evaluation_tasks(protocol(), {"arterial": wide_environment()}, [])
    assert {task.kind for task in tasks} == {"controller"}


def test_reduced_study_says_in_what():
    assert protocol().reductions([1, 2]) == (
        "2 training seeds instead of the 10 of the full protocol",
        "3 held-out demand seeds instead of the 100 of the full protocol",
    )
