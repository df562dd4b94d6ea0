"""What is to be evaluated, as a list of plain values: who, under which demand, on which seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from validation_ch7.config import SectionConfig
from validation_ch7.environment_config import EnvironmentConfig
from validation_ch7.files import json_bytes, sha256_bytes
from validation_ch7.schema import Document
from validation_ch7.study.protocol import EvaluationProtocol

Kind = Literal["controller", "agent", "oracle"]
ORACLE = "lookahead"


@dataclass(frozen=True)
class TrainedAgent:
    """One chain of the study, as far as its evaluation is concerned.

    Attributes:
        config: how it was trained.
        store: root of its checkpoint store.
        logs: folder of the logs of its sessions.
    """

    algorithm: str
    scenario: str
    seed: int
    config: SectionConfig
    store: Path
    logs: Path


class EvaluationTask(Document):
    """One policy under one demand on some seeds; everything that it needs is in it."""

    id: str
    scenario: str
    case: str
    grid: int = 1
    """Cells are so many times shorter than the scenario's."""
    kind: Kind
    policy: str
    """Name of the controller, or of the algorithm."""
    training_seed: int | None = None
    seeds: tuple[int, ...]
    """Demand seeds."""
    environment: dict[str, Any]
    """The resolved ``EnvironmentConfig``, as plain data."""
    tuning_environment: dict[str, Any] = Field(default_factory=dict)
    """The same on the scenario's own grid, where a controller is tuned."""
    tuning_seeds: tuple[int, ...] = ()
    depth: int = 0
    """Decisions that the oracle looks ahead."""
    trace: bool = False
    """Whether the first seed's time-space diagram is recorded."""
    config: dict[str, Any] = Field(default_factory=dict)
    """The agent's resolved ``SectionConfig``, as plain data."""
    store: str = ""
    """Root of the agent's checkpoint store."""

    @property
    def digest(self) -> str:
        """SHA-256 of what is asked; where the store lies is no part of it."""
        return sha256_bytes(json_bytes(self.model_dump(mode="json", exclude={"store"})))


def evaluation_tasks(
    protocol: EvaluationProtocol, scenarios: Mapping[str, EnvironmentConfig], agents: Sequence[TrainedAgent]
) -> tuple[EvaluationTask, ...]:
    """Return every task of a study, in an order that depends on the arguments alone.

    Args:
        protocol: the protocol.
        scenarios: environments by name.
        agents: what was trained; those of other scenarios are left out.
    """
    tasks: list[EvaluationTask] = []
    for scenario, environment in scenarios.items():
        mine = [agent for agent in agents if agent.scenario == scenario]
        for case in protocol.cases:
            tasks += _compared(protocol, scenario, environment, case, mine)
        if protocol.oracle is not None:
            tasks += _oracle(protocol, scenario, environment)
        if protocol.grid is not None:
            tasks += _compared(protocol, scenario, environment, protocol.reference, mine, protocol.grid.factor)
    return tuple(tasks)


def _compared(
    protocol: EvaluationProtocol,
    scenario: str,
    environment: EnvironmentConfig,
    case: str,
    agents: Sequence[TrainedAgent],
    grid: int = 1,
) -> list[EvaluationTask]:
    coarse = protocol.cases[case].environment(environment, f"evaluation.cases.{case}")
    plain = refined(coarse, grid).model_dump(mode="json")
    count = protocol.grid.seeds if grid > 1 and protocol.grid else protocol.seeds.count
    traced = case == protocol.reference and grid == 1
    shared: dict[str, Any] = {"scenario": scenario, "case": case, "grid": grid, "seeds": protocol.seeds.values[:count]}
    controllers = [
        EvaluationTask(
            id=task_id(scenario, case, grid, name),
            kind="controller",
            policy=name,
            environment=plain,
            tuning_environment=coarse.model_dump(mode="json"),
            tuning_seeds=protocol.tuning_seeds.values,
            trace=traced,
            **shared,
        )
        for name in protocol.controllers
    ]
    first = {agent.algorithm: agent.seed for agent in reversed(agents)}
    trained = [
        EvaluationTask(
            id=task_id(scenario, case, grid, agent.algorithm, f"seed{agent.seed}"),
            kind="agent",
            policy=agent.algorithm,
            training_seed=agent.seed,
            environment=plain,
            trace=traced and first[agent.algorithm] == agent.seed,
            config=agent.config.plain(),
            store=str(agent.store),
            **shared,
        )
        for agent in agents
    ]
    return controllers + trained


def _oracle(protocol: EvaluationProtocol, scenario: str, environment: EnvironmentConfig) -> list[EvaluationTask]:
    assert protocol.oracle is not None
    if environment.network.rows * environment.network.columns > 1:
        return []  # its tree grows with the number of intersections: there is none for arterials
    size, case = protocol.oracle.seeds_per_task, protocol.reference
    seeds = protocol.seeds.values[: protocol.oracle.seeds]
    return [
        EvaluationTask(
            id=task_id(scenario, case, 1, ORACLE, f"part{start // size:03}"),
            scenario=scenario,
            case=case,
            kind="oracle",
            policy=ORACLE,
            seeds=seeds[start : start + size],
            environment=protocol.cases[case].environment(environment).model_dump(mode="json"),
            depth=protocol.oracle.depth,
        )
        for start in range(0, len(seeds), size)
    ]


def task_id(scenario: str, case: str, grid: int, *rest: str) -> str:
    """Return a name that every file system takes.

    >>> task_id("city", "near", 2, "ppo", "seed42")
    'city.near.grid2.ppo.seed42'
    """
    return ".".join([scenario, case, f"grid{grid}", *rest])


def refined(environment: EnvironmentConfig, factor: int) -> EnvironmentConfig:
    """Return the same environment with cells that are ``factor`` times shorter.

    >>> refined(EnvironmentConfig(), 2).network.cell_length_m
    5.0
    """
    cells = {"cell_length_m": environment.network.cell_length_m / factor}
    return environment.model_copy(update={"network": environment.network.model_copy(update=cells)})
