"""What a study left on the disk, gathered for its report; what was not evaluated yet can be evaluated first."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from validation_ch7.config import Overrides, load_section
from validation_ch7.environment_config import EnvironmentConfig
from validation_ch7.reporting.study.report import StudyEvidence
from validation_ch7.session import logs_tree
from validation_ch7.study.chain import ChainTask, chain_tasks
from validation_ch7.study.evaluate import current_record, evaluate_all
from validation_ch7.study.layout import StudyFolder
from validation_ch7.study.protocol import check_held_out
from validation_ch7.study.record import read_study
from validation_ch7.study.spec import StudySpec
from validation_ch7.study.tasks import TrainedAgent, evaluation_tasks
from validation_ch7.training.seeds import HELD_OUT

Log = Callable[[str], None]


def collect(
    spec: StudySpec, workspace: Path, section: Path, log: Log, jobs: int = 1, evaluate: bool = True
) -> StudyEvidence:
    """Return everything that the report of a study is made of.

    Args:
        spec: the study as its file says it; its training seeds are those that were run last.
        workspace: where data and results live.
        section: the section's file, for chains that were never begun.
        log: takes a line for each evaluation.
        jobs: processes that evaluate.
        evaluate: whether to evaluate what is not evaluated yet.

    Raises:
        ConfigurationError: the protocol judges on demand that training may draw, or names what does not exist.
        StorageError: the disk refused.
    """
    folder = StudyFolder.of(workspace, spec.name)
    known = read_study(folder)
    asked = spec if known is None else known.spec.model_copy(update={"evaluation": spec.evaluation})
    chains = [_as_begun(task) for task in chain_tasks(asked, folder, section)]
    agents = [trained_agent(task) for task in chains]
    for agent in agents:
        check_held_out(asked.evaluation, agent.config.evaluation.seed, HELD_OUT)
    scenarios = _scenarios(asked, section, agents)
    tasks = evaluation_tasks(asked.evaluation, scenarios, agents)
    if evaluate:
        evaluate_all(folder.evaluation, tasks, log, jobs)
    return StudyEvidence(
        study=asked.name,
        protocol=asked.evaluation,
        scenarios=scenarios,
        agents=agents,
        records=[(task, current_record(folder.evaluation, task, failed=True)) for task in tasks],
        reductions=asked.evaluation.reductions(asked.training_seeds),
    )


def _as_begun(task: ChainTask) -> ChainTask:
    """Return the chain with the section's file as its sessions were told it."""
    told = Path(task.workspace) / "section.yml"
    return replace(task, section_yaml=told.read_text(encoding="utf-8")) if told.is_file() else task


def trained_agent(task: ChainTask) -> TrainedAgent:
    """Return a chain as its evaluation sees it."""
    base = Path(task.workspace) / "validation_ch7" / task.section
    return TrainedAgent(
        algorithm=task.algorithm,
        scenario=task.scenario,
        seed=task.seed,
        config=task.config(),
        store=task.store().root,
        logs=logs_tree(base, task.scenario),
    )


def _scenarios(spec: StudySpec, section: Path, agents: Sequence[TrainedAgent]) -> dict[str, EnvironmentConfig]:
    trained = {agent.scenario: agent.config.environment for agent in reversed(agents)}
    return {
        name: trained.get(name) or load_section(section, Overrides(scenario=name)).environment
        for name in spec.scenarios
    }
