"""Evidence made of plausible, seeded numbers: whole reports in a second, without simulating or training."""

import zlib

import numpy as np

from tests.study.tiny import ENVIRONMENT, SCENARIO, protocol, section
from validation_ch7.reporting.study.report import StudyEvidence
from validation_ch7.study.records import MEASURE_NAMES, EvaluationRecord, Trace
from validation_ch7.study.tasks import TrainedAgent, evaluation_tasks

DELAYS = {"lookahead": 20.0, "ppo": 22.0, "dqn": 24.0, "max_pressure": 28.0, "webster": 40.0, "fixed_time": 36.0}


def made_record(task, delays):
    generator = np.random.default_rng([zlib.crc32(task.policy.encode()), task.training_seed or 0])
    own = generator.normal(0.0, 0.5)
    episodes = []
    for seed in task.seeds:
        demand = np.random.default_rng(seed).normal(1.0, 0.1)
        episode = {name: float(generator.uniform(1.0, 50.0)) for name in MEASURE_NAMES}
        episode["mean_delay_s"] = float(delays[task.policy] * demand + own + generator.normal(0.0, 0.3))
        episodes.append({"demand_seed": seed, **episode})
    trace = Trace(occupancy=[[0.1, 0.9]] * 20, green=[True, False] * 10, cell_length_m=10.0) if task.trace else None
    return EvaluationRecord(
        task=task.id,
        task_sha256=task.digest,
        status="ok",
        checkpoint="a" * 64 if task.kind == "agent" else None,
        episodes=episodes,
        queue_veh=[float(value) for value in range(20)],
        trace=trace,
    )


def made_agents(root, seeds=(1, 2, 3), algorithms=("ppo", "dqn")):
    return [
        TrainedAgent(algorithm, SCENARIO, seed, section(algorithm, seed), root, root / f"{algorithm}-{seed}")
        for seed in seeds
        for algorithm in algorithms
    ]


def made_evidence(root, delays=None, failed=(), agents=None, **changes):
    """Return evidence; tasks whose id ends in one of ``failed`` have failed."""
    settings = {"controllers": ("fixed_time", "webster", "max_pressure"), "seeds": {"first": 1_000_003, "count": 12}}
    settings |= {"tuning_seeds": {"first": 2_000_000, "count": 2}, "grid": {"seeds": 6}, "oracle": {"seeds": 6}}
    chosen = protocol(**settings | changes)
    agents = made_agents(root) if agents is None else agents
    records = []
    for task in evaluation_tasks(chosen, {SCENARIO: ENVIRONMENT}, agents):
        record = made_record(task, DELAYS | (delays or {}))
        if task.id.endswith(tuple(failed)):
            record = EvaluationRecord(task=task.id, task_sha256=task.digest, status="failed", reason="50 % of a_b & c")
        records.append((task, record))
    reductions = chosen.reductions([agent.seed for agent in agents])
    return StudyEvidence("made_study", chosen, {SCENARIO: ENVIRONMENT}, agents, records, reductions)
