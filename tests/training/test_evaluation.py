import random

import numpy as np
import pytest
import torch as th
from stable_baselines3.common.logger import Logger

from tests.training.worlds import gym_factory, section_config
from validation_ch7.environment_config import EnvironmentConfig
from validation_ch7.training.algorithms import build_training
from validation_ch7.training.evaluation import EvaluationCallback, EvaluationResult, evaluate

CART = gym_factory("CartPole-v1")


def held_out(*seeds):
    return lambda: CART(EnvironmentConfig(), seeds)


@pytest.fixture
def model():
    model = build_training(section_config(normalize={}), CART)
    model.set_logger(Logger(None, []))
    model.learn(64)
    return model


def global_states():
    numpy_state = np.random.get_state()
    return random.getstate(), numpy_state[1].tolist(), numpy_state[2:], th.get_rng_state().tolist()


def test_evaluation_leaves_every_global_generator_as_it_was(model):
    def drawing_env():
        random.random(), np.random.rand(), th.rand(1)
        return held_out(1, 2)()

    before = global_states()
    evaluate(model, drawing_env)
    assert global_states() == before


def test_evaluation_leaves_training_statistics_and_training_env_alone(model):
    normalizer = model.get_vec_normalize_env()
    before = normalizer.obs_rms.mean.copy(), normalizer.obs_rms.count, model._last_obs.copy()
    evaluate(model, held_out(1, 2))
    after = normalizer.obs_rms.mean, normalizer.obs_rms.count, model._last_obs
    assert all(np.array_equal(old, new) for old, new in zip(before, after, strict=True))


def test_training_with_evaluations_equals_training_without():
    weights = []
    for judged in (False, True):
        model = build_training(section_config(normalize={}), CART)
        model.set_logger(Logger(None, []))
        model.learn(256, EvaluationCallback(lambda m: evaluate(m, held_out(1, 2)), 64) if judged else None)
        weights.append(th.cat([p.flatten() for p in model.policy.parameters()]))
    assert th.equal(*weights)


def test_evaluation_is_deterministic_and_counts_first_episodes_only(model):
    first, second = (evaluate(model, held_out(1, 2, 3)) for _ in range(2))
    assert first == second
    assert len(first.rewards) == 3
    assert first.traffic["mean_delay_s"] == first.mean_reward  # CartPole pays 1 for each step of one episode


def test_evaluation_sees_observations_through_the_frozen_statistics(model):
    plain = evaluate(model, held_out(*range(10)))
    model.get_vec_normalize_env().obs_rms.mean += 100.0
    assert evaluate(model, held_out(*range(10))).rewards != plain.rewards


@pytest.mark.parametrize("policy", ["MlpLstmPolicy"])
def test_recurrent_policy_keeps_its_memory_during_evaluation(policy):
    model = build_training(section_config("ppo_lstm", {"n_steps": 8}, policy=policy, policy_kwargs={}), CART)
    assert evaluate(model, held_out(1, 2)) == evaluate(model, held_out(1, 2))


def scripted(rewards):
    queue = iter(rewards)
    return lambda model: EvaluationResult((next(queue),), {})


class Clockwork:
    """A model as far as an evaluation callback looks at it."""

    num_timesteps = 0
    logger = Logger(None, [])


def drive(callback, steps, log=None):
    model = Clockwork()
    callback.init_callback(model)
    for count in steps:
        model.num_timesteps = count
        callback.on_rollout_start()
    return [(entry["step"], entry["mean_reward"]) for entry in callback.history]


def test_evaluates_once_after_each_multiple_and_not_at_zero():
    callback = EvaluationCallback(scripted(range(9)), 100)
    assert drive(callback, range(0, 400, 64)) == [(128, 0), (256, 1), (320, 2)]


def test_cutting_into_sessions_changes_neither_history_nor_best():
    rewards = [3.0, 9.0, 5.0]
    whole_best, cut_best = [], []
    whole = EvaluationCallback(scripted(rewards), 100, lambda m, metrics, steps: whole_best.append(steps))
    drive(whole, range(0, 400, 64))
    script = scripted(rewards)
    first = EvaluationCallback(script, 100, lambda m, metrics, steps: cut_best.append(steps))
    drive(first, range(0, 257, 64))
    second = EvaluationCallback(script, 100, lambda m, metrics, steps: cut_best.append(steps))
    second.set_state(first.get_state())
    drive(second, range(320, 400, 64))
    assert (second.history, second.best, cut_best) == (whole.history, whole.best, whole_best)
    assert whole_best == [128, 256]


def test_frequency_is_configuration_and_survives_no_restore():
    second = EvaluationCallback(scripted([1.0]), 500)
    second.set_state(EvaluationCallback(scripted([]), 100).get_state())
    assert drive(second, [128, 256]) == []


def test_metrics_reach_the_logger():
    class Recorder(Logger):
        dumped = ()

        def dump(self, step=0):
            self.dumped = (step, dict(self.name_to_value))

    model = Clockwork()
    model.logger = Recorder(None, [])
    callback = EvaluationCallback(lambda m: EvaluationResult((1.0, 2.0), {"mean_delay_s": 4.0}), 10)
    callback.init_callback(model)
    model.num_timesteps = 16
    callback.on_rollout_start()
    assert model.logger.dumped[0] == 16
    assert model.logger.dumped[1]["eval/mean_reward"] == 1.5
    assert model.logger.dumped[1]["eval/mean_delay_s"] == 4.0
