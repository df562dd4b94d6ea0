"""Judging what a study has trained: its evaluations, carried out by an executor, each on disk when it is done."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from validation_ch7.config import Overrides, load_section
from validation_ch7.environment_config import EnvironmentConfig
from validation_ch7.session import logs_tree
from validation_ch7.study.chain import ChainRecord, ChainStatus, ChainTask
from validation_ch7.study.evaluate import current_record
from validation_ch7.study.evaluation import run_evaluation
from validation_ch7.study.executor import Executor, Lost, Stop
from validation_ch7.study.layout import StudyFolder
from validation_ch7.study.protocol import check_held_out
from validation_ch7.study.records import EvaluationRecord, write_record
from validation_ch7.study.spec import StudySpec
from validation_ch7.study.stores import bring_store, chain_log
from validation_ch7.study.tasks import EvaluationTask, TrainedAgent, evaluation_tasks
from validation_ch7.training.seeds import HELD_OUT

Say = Callable[[str], None]


@dataclass(frozen=True)
class Judgement:
    """How far the evaluations of a study have come."""

    count: int
    done: int
    failed: tuple[tuple[str, str], ...] = ()
    """Evaluations that failed, with the reason."""

    @property
    def complete(self) -> bool:
        """Whether nothing is left to evaluate."""
        return self.done == self.count


@dataclass(frozen=True)
class Examination:
    """Who is judged, where, and by which evaluations."""

    scenarios: Mapping[str, EnvironmentConfig]
    agents: Sequence[TrainedAgent]
    tasks: Sequence[EvaluationTask]


@dataclass(frozen=True)
class Work:
    """One evaluation, and the chain whose agent it judges, for a machine that may not have it yet."""

    task: EvaluationTask
    chain: ChainTask | None


def trained_agent(task: ChainTask) -> TrainedAgent:
    """Return a chain as its evaluation sees it: as its sessions were told, whatever section.yml says by now."""
    told = Path(task.workspace) / "section.yml"
    begun = replace(task, section_yaml=told.read_text(encoding="utf-8")) if told.is_file() else task
    logs = logs_tree(Path(task.workspace) / "validation_ch7" / task.section, task.scenario)
    return TrainedAgent(task.algorithm, task.scenario, task.seed, begun.config(), task.store().root, logs)


def examine(spec: StudySpec, chains: Sequence[ChainTask], section: Path) -> Examination:
    """Return what a study is to be judged by, agents that are not trained yet included.

    Raises:
        ConfigurationError: it would judge on demand that an agent may have trained on.
    """
    agents = [trained_agent(task) for task in chains]
    for agent in agents:
        check_held_out(spec.evaluation, agent.config.evaluation.seed, HELD_OUT)
    scenarios = _scenarios(spec, section, agents)
    return Examination(scenarios, agents, evaluation_tasks(spec.evaluation, scenarios, agents))


def judge_study(
    tasks: Sequence[EvaluationTask],
    chains: Sequence[ChainTask],
    records: Mapping[str, ChainRecord],
    folder: StudyFolder,
    executor: Executor,
    stop: Stop,
    say: Say,
) -> Judgement:
    """Carry out every evaluation that can be carried out and is not done, and return how far they have come."""
    trained = {(task.algorithm, task.scenario, task.seed): task for task in chains}
    works = [Work(task, trained.get((task.policy, task.scenario, task.training_seed or 0))) for task in tasks]
    works = [work if work.task.kind == "agent" else Work(work.task, None) for work in works]
    ready = [work for work in works if work.chain is None or _is_trained(records[work.chain.chain_id])]
    waiting = [work for work in ready if current_record(folder.evaluation, work.task) is None]
    done, failed = len(ready) - len(waiting), list[tuple[str, str]]()
    say(f"[STUDY] {len(tasks)} evaluation(s), {done} done, {len(waiting)} to go")
    for work, outcome in executor.each(evaluate, waiting, lambda work: None, stop):
        record = outcome if isinstance(outcome, EvaluationRecord) else _lost(work.task, outcome)
        write_record(folder.evaluation, work.task, record)
        if record.status == "ok":
            done += 1
        else:
            failed.append((work.task.id, record.reason))
            say(f"[STUDY] ✗ evaluation {work.task.id}: {record.reason}")
        if record.status == "ok" and done % max(1, len(tasks) // 20) == 0:
            say(f"[STUDY] {done} of {len(tasks)} evaluations")
    return Judgement(len(tasks), done, tuple(failed))


def evaluate(work: Work) -> EvaluationRecord:
    """Carry out one evaluation, after bringing the store of its agent to this machine where it lies elsewhere."""
    if work.chain is not None and work.chain.location is not None:
        bring_store(work.chain, chain_log(Path(work.chain.workspace)))
    return run_evaluation(work.task)


def _is_trained(record: ChainRecord) -> bool:
    return record.status is ChainStatus.DONE


def _lost(task: EvaluationTask, lost: Lost) -> EvaluationRecord:
    return EvaluationRecord(task=task.id, task_sha256=task.digest, status="failed", reason=lost.reason)


def _scenarios(spec: StudySpec, section: Path, agents: Sequence[TrainedAgent]) -> dict[str, EnvironmentConfig]:
    trained = {agent.scenario: agent.config.environment for agent in reversed(agents)}
    return {
        name: trained.get(name) or load_section(section, Overrides(scenario=name)).environment
        for name in spec.scenarios
    }
