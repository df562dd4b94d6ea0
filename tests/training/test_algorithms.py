import numpy as np
import pytest
import torch as th
from stable_baselines3 import PPO
from torch import nn

from tests.training.worlds import gym_factory, section_config
from validation_ch7.errors import ConfigurationError
from validation_ch7.training.algorithms import ALGORITHMS, build_training, choose_device, find_algorithm
from validation_ch7.training.seeds import HELD_OUT, held_out_seeds, training_seeds

CART, PENDULUM = gym_factory("CartPole-v1"), gym_factory("Pendulum-v1")


@pytest.mark.parametrize("name", ["ppo", "a2c", "dqn", "qrdqn", "trpo", "ppo_lstm"])
def test_algorithm_for_discrete_actions_is_built_by_name(name):
    policy = "MlpLstmPolicy" if name == "ppo_lstm" else "MlpPolicy"
    sizes = {"buffer_size": 100} if name in ("dqn", "qrdqn") else {"n_steps": 8}
    sizes |= {"batch_size": 16} if name in ("ppo", "trpo") else {}
    config = section_config(name, sizes, policy=policy, policy_kwargs={})
    model = build_training(config, CART)
    assert type(model).__name__ == ALGORITHMS[name].class_name
    assert model.n_envs == 2


@pytest.mark.parametrize("name", ["sac", "td3", "ddpg", "tqc"])
def test_algorithm_for_continuous_actions_is_built_with_noise(name):
    config = section_config(name, {"buffer_size": 100}, noise_type="normal", noise_std=0.3)
    model = build_training(config, PENDULUM)
    assert type(model).__name__ == ALGORITHMS[name].class_name
    assert model.action_noise._sigma[0] == 0.3


def test_zoo_spelling_of_numbers_schedules_and_policy_is_understood():
    config = section_config(
        hyperparameters={"learning_rate": "lin_3e-4", "clip_range": "lin_0.2", "gamma": "9e-1", "clip_range_vf": None},
        policy_kwargs="dict(net_arch=dict(pi=[16], vf=[8]), activation_fn=nn.ReLU, ortho_init=False)",
        normalize={"clip_obs": 5.0},
    )
    model = build_training(config, CART)
    assert model.lr_schedule(0.5) == pytest.approx(1.5e-4)
    assert model.clip_range(0.5) == pytest.approx(0.1)
    assert (model.gamma, model.policy.activation_fn) == (0.9, nn.ReLU)
    assert model.policy.net_arch == {"pi": [16], "vf": [8]}
    assert (model.get_vec_normalize_env().gamma, model.get_vec_normalize_env().clip_obs) == (0.9, 5.0)


def test_saved_model_opens_in_plain_sb3(tmp_path):
    build_training(section_config(hyperparameters={"learning_rate": "lin_3e-4"}), CART).save(tmp_path / "m.zip")
    assert PPO.load(tmp_path / "m.zip").lr_schedule(1.0) == 3e-4


def test_train_freq_may_count_episodes():
    config = section_config("dqn", {"train_freq": [2, "episode"], "buffer_size": 100}, n_envs=1)
    assert build_training(config, CART).train_freq.frequency == 2


WRONG = [
    ("ppo", {"learning_rat": 1e-3}, {}, "has no such hyper-parameter", "learning_rat", "did you mean learning_rate"),
    ("ppo", {"buffer_size": 10}, {}, "PPO has no such hyper-parameter", "buffer_size", "n_steps"),
    ("ppo", {"gamma": 5}, {}, "impossible", "ppo.gamma", "at most 1"),
    ("ppo", {"batch_size": "many"}, {}, "impossible", "ppo.batch_size", "whole number"),
    ("ppo", {"n_epochs": 1.5}, {}, "impossible", "ppo.n_epochs", "whole number"),
    ("ppo", {"learning_rate": "lin_x"}, {}, "impossible", "ppo.learning_rate", "lin_3e-4"),
    ("ppo", {"learning_rate": 0}, {}, "impossible", "ppo.learning_rate", "above 0"),
    ("ppo", {"learning_rate": None}, {}, "impossible", "ppo.learning_rate", "above 0"),
    ("ppo", {"ent_coef": "lin_0.1"}, {}, "impossible", "ppo.ent_coef", "number"),
    ("ppo", {"use_sde": "yes"}, {}, "impossible", "ppo.use_sde", "true or false"),
    ("ppo", {"seed": 3}, {}, "not a hyper-parameter", "ppo.seed", "top of the file"),
    ("ppo", {"n_steps": 1, "batch_size": 2}, {"n_envs": 1}, "refused", "ppo", "n_steps"),
    ("ppo", {}, {"policy": "CleverPolicy"}, "no such policy", "CleverPolicy", "MlpPolicy"),
    ("ppo", {}, {"policy_kwargs": {"net_arc": [8]}}, "no such argument", "policy_kwargs.net_arc", "net_arch"),
    ("ppo", {}, {"policy_kwargs": {"net_arch": [0]}}, "architecture", "[0]", "1 or more"),
    ("ppo", {}, {"policy_kwargs": {"activation_fn": "cosine"}}, "activation", "cosine", "leaky_relu"),
    ("ppo", {}, {"policy_kwargs": "dict(net_arch=open('x'))"}, "cannot be read", "open('x')", "literals"),
    ("ppo", {}, {"policy_kwargs": "__import__('os')"}, "cannot be read", "__import__", "literals"),
    ("ppo", {}, {"noise_type": "normal"}, "without action noise", "noise_type", "remove"),
    ("ppo", {}, {"device": "gpu"}, "device", "gpu", "auto"),
    ("sac", {}, {}, "cannot take the actions", "Discrete(2)", "--algorithm ppo"),
    ("dqn", {"train_freq": [1, "episode"]}, {}, "impossible", "episode", "n_envs"),
    ("dqn", {"train_freq": [1, "week"]}, {}, "impossible", "week", "episode"),
    ("alphago", {}, {}, "no such algorithm", "alphago", "ppo_mask"),
]


@pytest.mark.parametrize(("algorithm", "hyperparameters", "changes", "what", "found", "helped"), WRONG)
def test_wrong_configuration_is_one_message_with_key_and_remedy(
    algorithm, hyperparameters, changes, what, found, helped
):
    config = section_config(algorithm, hyperparameters, **changes)
    with pytest.raises(ConfigurationError, match=what) as caught:
        build_training(config, CART)
    text = str(caught.value)
    assert found in text and helped in text and "to do:" in text


def test_mlp_of_ppo_stays_on_the_processor():
    assert choose_device("auto", find_algorithm("PPO"), "MlpPolicy", cuda=True) == "cpu"
    assert choose_device("auto", find_algorithm("ppo"), "CnnPolicy", cuda=True) == "cuda"
    assert choose_device("auto", find_algorithm("sac"), "MlpPolicy", cuda=False) == "cpu"


def test_same_seed_builds_the_same_bits_and_sets_the_threads():
    first, second = (build_training(section_config(seed=7), CART) for _ in range(2))
    other = build_training(section_config(seed=8), CART)
    weights = [th.cat([p.flatten() for p in m.policy.parameters()]) for m in (first, second, other)]
    assert th.equal(weights[0], weights[1]) and not th.equal(weights[0], weights[2])
    assert np.array_equal(first.env.reset(), second.env.reset())
    assert first.action_space.sample() == second.action_space.sample()
    assert th.get_num_threads() == 1


@pytest.mark.parametrize("seed", [0, 42, 1_000_003])
def test_training_never_draws_a_held_out_seed(seed):
    window = training_seeds(seed, 1, 10**9)[0]
    training = training_seeds(seed, 64, held_out=window)
    assert not set(training) & set(range(window, window + HELD_OUT))
    assert not set(training) & set(held_out_seeds(window, 100))
    assert len(set(training)) == 64
