"""A study of seconds: two controllers, three seeds, a short horizon; agents that hardly trained."""

from functools import lru_cache

from validation_ch7.config import SectionConfig
from validation_ch7.environment_config import EnvironmentConfig
from validation_ch7.study.protocol import HELD_OUT, DemandCase, EvaluationProtocol
from validation_ch7.study.tasks import TrainedAgent
from validation_ch7.training.algorithms import build_training

SCENARIO = "traffic_light_control"
NETWORK = {"entry_length_m": 200.0}
ENVIRONMENT = EnvironmentConfig(horizon_s=100.0, network=NETWORK)
STEPS = 64


def protocol(**changes):
    settings = {
        "seeds": {"first": HELD_OUT, "count": 3},
        "tuning_seeds": {"first": HELD_OUT + 100, "count": 2},
        "cases": {"near": DemandCase(title="near"), "more": DemandCase(title="m & m", demand={"spread": 0.5})},
        "controllers": ("webster", "max_pressure"),
        "oracle": {"depth": 2, "seeds": 3, "seeds_per_task": 2},
        "grid": {"factor": 2, "seeds": 2},
        "bootstrap": {"resamples": 100},
    }
    return EvaluationProtocol(**(settings | changes))


def section(algorithm="ppo", seed=1, scenario=SCENARIO, environment=ENVIRONMENT, **training):
    given = {"n_steps": 32, "batch_size": 32} if algorithm == "ppo" else {"learning_starts": 8, "buffer_size": 100}
    return SectionConfig(
        section="section_7_6_rl_performance",
        scenario=scenario,
        default_scenario=SCENARIO,
        seed=seed,
        training={"algorithm": algorithm, "n_timesteps": STEPS, "hyperparameters": given, **training},
        environment=environment,
    )


def train(root, config, steps=STEPS):
    """Train an agent into a store below ``root`` and return it as the study knows it."""
    from validation_ch7.checkpoints import CheckpointStore, learn_resumable

    model = build_training(config)
    store = CheckpointStore(root, config.scenario)
    learn_resumable(model, STEPS, store, stop_at=steps, environment=config.environment_facts(), asynchronous=False)
    model.env.close()
    algorithm = config.training.algorithm
    return TrainedAgent(algorithm, config.scenario, config.seed, config, root, root / "logs")


@lru_cache
def wide_environment():
    return EnvironmentConfig(horizon_s=100.0, network={**NETWORK, "columns": 2, "spacing_m": 100.0})
