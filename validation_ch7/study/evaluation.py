"""One evaluation task, run: one loop for controllers, agents and the oracle, all seeds in one batch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from validation_ch7.config import SectionConfig
from validation_ch7.control import Controller, LookAhead, tune
from validation_ch7.environment.episodes import EpisodeBatch
from validation_ch7.environment_config import EnvironmentConfig
from validation_ch7.errors import ValidationError
from validation_ch7.study.agents import load_agent
from validation_ch7.study.emissions import emission_measures
from validation_ch7.study.records import EvaluationRecord, Trace
from validation_ch7.study.tasks import EvaluationTask
from validation_ch7.traffic import MEASURES

_QUEUE = MEASURES.index("queue_mean_veh")


class Recording:
    """Episodes of one policy on some demand seeds, advanced together.

    Args:
        environment: the environment; everybody names phases here, whatever the agent's actions mean.
        seeds: the demand of a seed is that of the first episode of an environment made with it.
        trace: whether occupancy and signal of the first road are kept for the first seed.
    """

    def __init__(self, environment: EnvironmentConfig, seeds: tuple[int, ...], trace: bool) -> None:
        signal = environment.signal.model_copy(update={"action": "phase"})
        self.environment = environment.model_copy(update={"signal": signal})
        self.batch = EpisodeBatch(self.environment, [np.random.default_rng(seed) for seed in seeds])
        self.trace = trace
        self.queues: list[float] = []
        self.occupancy: list[list[float]] = []
        self.green: list[bool] = []

    def play(self, controller: Controller) -> None:
        """Let the controller decide from the start to the horizon."""
        simulator = self.batch.simulator
        self.batch.begin(range(simulator.size))
        for _ in range(self.environment.steps_per_episode):
            self.batch.step(controller.decide(simulator))
            self.queues.append(float(simulator.measures[:, _QUEUE].sum(axis=1).mean()))
            if self.trace:
                self._look()

    def _look(self) -> None:
        simulator = self.batch.simulator
        first, last, _, _ = simulator.layout.tables.links[0]
        phase, target, _ = simulator.signal[0, 0]
        self.occupancy.append([round(float(cell), 3) for cell in simulator.x[0, :2, first:last].sum(axis=0)])
        self.green.append(bool(phase == target and simulator.layout.tables.green[phase, 0]))

    def episodes(self) -> list[dict[str, float]]:
        """Return the measures of each seed."""
        found = self.batch.statistics(range(self.batch.simulator.size))
        return [episode | emission_measures(episode, self.environment.traffic) for episode in found]


def run_evaluation(task: EvaluationTask) -> EvaluationRecord:
    """Return what became of a task: its episodes, or why there are none. The same task gives the same bits."""
    described: dict[str, Any] = {"task": task.id, "task_sha256": task.digest}
    try:
        environment = EnvironmentConfig.model_validate(task.environment)
        controller, facts = prepare(task, environment)
        recording = Recording(environment, task.seeds, task.trace)
        recording.play(controller)
    except ValidationError as fault:
        return EvaluationRecord(**described, status="failed", reason=_one_line(fault))
    except Exception as fault:  # noqa: BLE001  one task must not take the others along; its reason is recorded
        return EvaluationRecord(**described, status="failed", reason=f"{type(fault).__name__}: {fault}"[:500])
    cell = environment.network.cell_length_m
    trace = Trace(occupancy=recording.occupancy, green=recording.green, cell_length_m=cell) if task.trace else None
    episodes = [{"demand_seed": seed, **row} for seed, row in zip(task.seeds, recording.episodes(), strict=True)]
    return EvaluationRecord(
        **described, **facts, status="ok", episodes=episodes, queue_veh=recording.queues, trace=trace
    )


def prepare(task: EvaluationTask, environment: EnvironmentConfig) -> tuple[Controller, dict[str, Any]]:
    """Return who decides, and what is to be recorded about it.

    Raises:
        ValidationError: the agent cannot be loaded, or the controller not be made.
    """
    if task.kind == "agent":
        config = SectionConfig.from_plain(task.config, task.id)
        agent, digest = load_agent(config, Path(task.store))
        return agent, {"checkpoint": digest, "steps": config.training.n_timesteps}
    if task.kind == "oracle":
        return LookAhead(environment, task.depth), {}
    tuned = tune(task.policy, EnvironmentConfig.model_validate(task.tuning_environment), task.tuning_seeds)
    return tuned.make(), {"parameters": dict(tuned.parameters), "tried": tuned.tried}


def _one_line(fault: ValidationError) -> str:
    parts = [fault.what, f"Found: {fault.found}." if fault.found else "", f"At: {fault.where}" if fault.where else ""]
    return " ".join(" ".join(part.split()) for part in parts if part)
