"""Evaluations for real: the simulator, trained checkpoints, files that come one by one."""

import json

import numpy as np
import pytest

from tests.study.tiny import ENVIRONMENT, NETWORK, SCENARIO, STEPS, protocol, section, train
from validation_ch7.checkpoints import CheckpointStore
from validation_ch7.control import Greedy, make_controller, simulate, tune
from validation_ch7.control.tuning import ranges_m
from validation_ch7.environment import make_vec_env
from validation_ch7.environment_config import EnvironmentConfig
from validation_ch7.study.agents import load_agent
from validation_ch7.study.emissions import CO2_G_ML, IDLE_ML_S, MOTORBIKE_SHARE, emission_measures
from validation_ch7.study.evaluate import evaluate_all
from validation_ch7.study.evaluation import run_evaluation
from validation_ch7.study.records import MEASURE_NAMES, metric_rows, metrics_csv, read_record, record_path
from validation_ch7.study.tasks import evaluation_tasks
from validation_ch7.training.evaluation import evaluate

SEEDS = protocol().seeds.values


def tasks_of(*agents, environment=ENVIRONMENT, **changes):
    changes = {"grid": None, "oracle": None, **changes}
    found = evaluation_tasks(protocol(**changes), {SCENARIO: environment}, agents)
    return {task.id.removeprefix(f"{SCENARIO}.near.grid1."): task for task in found if task.case == "near"}


@pytest.fixture(scope="module")
def agent(tmp_path_factory):
    return train(tmp_path_factory.mktemp("ppo"), section(normalize={"norm_reward": False}))


def test_controller_gets_the_numbers_of_the_control_room():
    found = run_evaluation(tasks_of()["webster"])
    expected = simulate(ENVIRONMENT, make_controller("webster", ENVIRONMENT), SEEDS)
    assert [episode["demand_seed"] for episode in found.episodes] == list(SEEDS)
    for episode, other in zip(found.episodes, expected, strict=True):
        assert {name: episode[name] for name in other} == other
    assert run_evaluation(tasks_of()["webster"]) == found


def test_agent_judged_beside_controllers_is_the_agent_that_training_knows(agent):
    from validation_ch7.checkpoints import learn_resumable
    from validation_ch7.training.algorithms import build_training

    found = run_evaluation(tasks_of(agent)["ppo.seed1"])
    assert (found.status, found.steps) == ("ok", STEPS)
    model = build_training(agent.config)
    store = CheckpointStore(agent.store, SCENARIO)
    learn_resumable(model, STEPS, store, environment=agent.config.environment_facts())  # restores, and trains nothing
    known = evaluate(model, lambda: make_vec_env(ENVIRONMENT, SEEDS))
    assert np.mean([episode["mean_delay_s"] for episode in found.episodes]) == known.traffic["mean_delay_s"]


def test_actions_that_switch_are_the_same_policy_in_other_words(tmp_path):
    environment = ENVIRONMENT.model_copy(
        update={"signal": ENVIRONMENT.signal.model_copy(update={"action": "switch", "min_green_s": 5.0})}
    )
    trained = train(tmp_path, section("dqn", environment=environment))
    found = run_evaluation(tasks_of(trained, environment=environment)["dqn.seed1"])
    controller, _ = load_agent(trained.config, tmp_path)
    known = evaluate(controller._model, lambda: make_vec_env(environment, SEEDS))
    assert np.mean([episode["mean_delay_s"] for episode in found.episodes]) == known.traffic["mean_delay_s"]


def test_oracle_beats_the_controllers_on_the_same_seeds():
    found = evaluation_tasks(
        protocol(oracle={"depth": 6, "seeds": 3, "seeds_per_task": 3}), {SCENARIO: ENVIRONMENT}, []
    )
    delays = {}
    for task in found:
        if task.case == "near" and task.grid == 1:
            delays[task.policy] = np.mean([episode["mean_delay_s"] for episode in run_evaluation(task).episodes])
    assert min(delays, key=delays.get) == "lookahead"


def test_unfinished_chain_fails_with_the_reason_and_is_not_replaced_by_an_older_checkpoint(tmp_path):
    found = run_evaluation(tasks_of(train(tmp_path, section(), steps=32))["ppo.seed1"])
    assert (found.status, found.episodes) == ("failed", [])
    assert "not come to its end" in found.reason and "32 steps" in found.reason


def test_corrupt_final_checkpoint_fails_and_is_left_where_it_is(tmp_path):
    trained = train(tmp_path, section())
    path = CheckpointStore(tmp_path, SCENARIO).paths()[0]
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 255
    path.write_bytes(bytes(data))
    assert run_evaluation(tasks_of(trained)["ppo.seed1"]).status == "failed"
    assert path.read_bytes() == bytes(data)


def test_tuning_takes_the_least_delay_of_all_candidates():
    tuned = tune("greedy", ENVIRONMENT, SEEDS)
    assert tuned.tried == len(ranges_m(ENVIRONMENT)) > 2
    delay = np.mean([row["mean_delay_s"] for row in simulate(ENVIRONMENT, tuned.make(), SEEDS)])

    others = [simulate(ENVIRONMENT, Greedy(range_m), SEEDS) for range_m in ranges_m(ENVIRONMENT)]
    assert all(delay <= np.mean([row["mean_delay_s"] for row in rows]) for rows in others)


def test_finished_evaluations_are_not_done_again_and_failed_ones_are(tmp_path, agent):
    tasks, calls = list(tasks_of(agent).values()), []

    def once(task):
        calls.append(task.policy)
        record = run_evaluation(task)
        failed = {"status": "failed", "reason": "no", "episodes": []}
        return record.model_copy(update=failed) if calls.count("webster") == 1 and task.policy == "webster" else record

    evaluate_all(tmp_path, tasks, lambda line: None, run=once)
    records = evaluate_all(tmp_path, tasks, lambda line: None, run=once)
    assert calls == ["webster", "max_pressure", "ppo", "webster"]
    assert [record.status for _, record in records] == ["ok"] * 3
    changed = [tasks[1].model_copy(update={"seeds": tasks[1].seeds[:2]})]
    assert read_record(tmp_path, changed[0]) is None


def test_torn_record_is_evaluated_again(tmp_path):
    task = tasks_of()["webster"]
    evaluate_all(tmp_path, [task], lambda line: None)
    path = record_path(tmp_path, task)
    path.write_bytes(path.read_bytes()[:100])
    ((_, record),) = evaluate_all(tmp_path, [task], lambda line: None)
    assert record.status == "ok" and json.loads(path.read_text("utf-8"))["status"] == "ok"


def test_record_of_an_older_checkpoint_is_evaluated_again(tmp_path, agent):
    task = tasks_of(agent)["ppo.seed1"]
    ((_, first),) = evaluate_all(tmp_path, [task], lambda line: None)
    path = record_path(tmp_path, task)
    path.write_text(first.model_copy(update={"checkpoint": "0" * 64}).model_dump_json(), encoding="utf-8")
    ((_, second),) = evaluate_all(tmp_path, [task], lambda line: None)
    assert second == first


def test_table_has_a_row_for_each_episode_and_for_each_task_without_any(tmp_path):
    tasks = list(tasks_of(train(tmp_path, section(), steps=32)).values())
    records = [(tasks[0], run_evaluation(tasks[0])), (tasks[1], None), (tasks[2], run_evaluation(tasks[2]))]
    rows = metric_rows(records)
    assert [row["status"] for row in rows] == ["ok"] * 3 + ["missing", "failed"]
    text = metrics_csv(rows).decode().splitlines()
    assert len(text) == 6 and text[0].endswith(",".join(MEASURE_NAMES))
    assert float(text[1].split(",")[text[0].split(",").index("mean_delay_s")]) == rows[0]["mean_delay_s"]


def test_emission_proxy_adds_up_by_hand():
    mix = EnvironmentConfig(network=NETWORK).traffic
    stopped = {"travel_time_s": 10.0, "mean_delay_s": 10.0, "stops_per_veh": 0.0, "arrived_veh": 2.0}
    episode = {f"{key}{suffix}": value for key, value in stopped.items() for suffix in ("_motorbike", "_car")}
    found = emission_measures(episode | {"arrived_veh": 4.0}, mix)
    assert found["co2_proxy_g_car"] == pytest.approx(10.0 * IDLE_ML_S * CO2_G_ML)
    assert found["co2_proxy_g"] == pytest.approx(found["co2_proxy_g_car"] * (1 + MOTORBIKE_SHARE) / 2)
    more = emission_measures(episode | {"arrived_veh": 4.0, "stops_per_veh_car": 1.0}, mix)
    assert more["co2_proxy_g_car"] - found["co2_proxy_g_car"] == pytest.approx(CO2_G_ML * 0.09 * 1.2 * 13.9**2 / 2)
