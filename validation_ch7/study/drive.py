"""The driver of a study: what is left to do is found on the disk, done by an executor, and written down as it comes."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from validation_ch7.checkpoints.lock import exclusive
from validation_ch7.errors import ConfigurationError
from validation_ch7.files import make_folder
from validation_ch7.study.chain import ChainRecord, ChainResult, ChainStatus, ChainTask, chain_tasks, read_chain
from validation_ch7.study.executor import Executor, Lost
from validation_ch7.study.judge import Judgement, examine, judge_study
from validation_ch7.study.layout import StudyFolder
from validation_ch7.study.record import write_study
from validation_ch7.study.rehearsal import Rehearse, rehearse_chains
from validation_ch7.study.spec import StudySpec
from validation_ch7.study.stores import bring_store, chain_log
from validation_ch7.study.train import run_chain
from validation_ch7.training.rehearsal import rehearse
from validation_ch7.training.signals import StopRequest, stop_requests

EXIT_DONE, EXIT_FAILED, EXIT_INTERRUPTED, EXIT_CTRL_C = 0, 4, 75, 130
Say = Callable[[str], None]
Train = Callable[[ChainTask], ChainResult]


@dataclass(frozen=True)
class StudyRun:
    """What one run of a study did."""

    name: str
    folder: str
    small: bool
    chains: tuple[ChainRecord, ...]
    trained: tuple[str, ...]
    """Chains that this run has worked on."""
    judgement: Judgement | None
    """How far the evaluations have come; None where nothing was evaluated."""
    status: str
    exit_code: int
    error: str | None = None

    @property
    def success(self) -> bool:
        """Whether nothing is left to do."""
        return self.exit_code == EXIT_DONE

    def as_json(self) -> dict[str, Any]:
        """Return what ``--json`` prints."""
        facts: dict[str, Any] = {
            "success": self.success,
            "status": self.status,
            "study": self.name,
            "folder": self.folder,
        }
        chains = [record.model_dump(mode="json", exclude={"format", "version"}) for record in self.chains]
        judged = asdict(self.judgement) if self.judgement else None
        facts |= {"evaluations": judged}
        return {**facts, "small": self.small, "trained": list(self.trained), "error": self.error, "chains": chains}


def run_study(
    spec: StudySpec,
    workspace: Path,
    section: Path,
    executor: Executor,
    say: Say,
    *,
    judges: Executor | None = None,
    train: Train = run_chain,
    rehearsal: Rehearse = rehearse,
) -> StudyRun:
    """Train every chain of a study that is not done yet, then judge what is trained.

    Args:
        section: the section's file.
        executor: who carries it out; it is not closed here.
        say: receives one line of text at a time.
        judges: who carries out the evaluations; without them nothing is evaluated.
        train: trains one chain.
        rehearsal: takes a configuration through a session of a few steps, before any training.

    Raises:
        ConfigurationError: the study names what the section's file does not know, or chains that are there were
            trained with another configuration.
        SanityError: there is no point in training a scenario, or an algorithm cannot be trained in it.
        WorkspaceLockedError: another driver works on this study.
    """
    folder = StudyFolder.of(workspace, spec.name)
    tasks = chain_tasks(spec, folder, section)
    examination = examine(spec, tasks, section)  # before any training: it may be refused
    make_folder(folder.chains)
    with exclusive(folder.root, f"driver of study {spec.name}"), stop_requests() as stop:
        records = {task.chain_id: _record(task, folder) for task in tasks}
        write_study(folder, spec, tuple(records), executor.name)
        waiting = [task for task in tasks if not _is_done(records[task.chain_id], task)]
        say(_announced(spec, len(tasks), len(waiting), executor.name))
        rehearse_chains([task for task in waiting if records[task.chain_id].steps == 0], say, rehearsal)
        for record in _trained(executor, train, waiting, records, stop, say):
            record.write(folder)
            records[record.chain_id] = record
        judgement = None
        if judges is not None and not stop():
            _bring_all(tasks, records)
            judgement = judge_study(examination.tasks, tasks, records, folder, judges, stop, say)
        return _concluded(spec, folder, tuple(records.values()), waiting, judgement, stop)


def _record(task: ChainTask, folder: StudyFolder) -> ChainRecord:
    """Return what is known of a chain; one that was begun under another configuration is not gone on with."""
    known = read_chain(folder, task.chain_id)
    if known is not None and known.config_sha256 != task.config_sha256:
        raise ConfigurationError(
            "A chain of this study was begun with another configuration; one study has one.",
            where=folder.workspace(task.chain_id),
            expected=f"configuration {known.config_sha256[:12]}, target {known.target_steps:,}",
            found=f"configuration {task.config_sha256[:12]}, target {task.target_steps:,}",
            remedy="give the study another name, or move this chain's folder and record away",
        )
    record = known or ChainRecord.of(task)
    record.write(folder)
    return record


def _bring_all(tasks: Sequence[ChainTask], records: Mapping[str, ChainRecord]) -> None:
    """Bring the stores that were trained elsewhere: what is judged is what lies here."""
    for task in tasks:
        if task.location is not None and records[task.chain_id].status is ChainStatus.DONE:
            bring_store(task, chain_log(Path(task.workspace)))


def _is_done(record: ChainRecord, task: ChainTask) -> bool:
    there = task.location is not None or (task.store().newest_steps() or 0) >= task.target_steps
    return record.status is ChainStatus.DONE and there


def _announced(spec: StudySpec, count: int, waiting: int, executor: str) -> str:
    small = f"; a reduced study: {', '.join(spec.reductions)}" if spec.small else ""
    return f"[STUDY] {spec.name}: {count} chain(s), {count - waiting} done, {waiting} to go; {executor}{small}"


def _trained(
    executor: Executor,
    train: Train,
    waiting: Sequence[ChainTask],
    records: Mapping[str, ChainRecord],
    stop: StopRequest,
    say: Say,
) -> Iterator[ChainRecord]:
    """Train the chains that wait and return the record of each as it comes."""
    done = len(records) - len(waiting)

    def started(task: ChainTask) -> None:
        say(f"[STUDY] {task.chain_id}: to step {task.target_steps:,}; log: {task.workspace}")

    for task, outcome in executor.each(train, waiting, started, stop):
        record = records[task.chain_id].after(_result(task, outcome))
        done += record.status is ChainStatus.DONE
        say(_told(record, done, len(records)))
        yield record


def _result(task: ChainTask, outcome: ChainResult | Lost) -> ChainResult:
    if isinstance(outcome, ChainResult):
        return outcome
    steps = task.store().newest_steps() or 0
    return ChainResult(task.chain_id, ChainStatus.FAILED, steps, error=outcome.reason, exit_code=EXIT_FAILED)


def _told(record: ChainRecord, done: int, count: int) -> str:
    mark = "✓" if record.status is ChainStatus.DONE else "✗"
    tail = f"digest {record.digest[:12]}" if record.digest else str(record.error).split("\n")[0]
    return f"[STUDY] {mark} {record.chain_id}: {record.status} at step {record.steps:,}, {tail} ({done} of {count})"


def _concluded(
    spec: StudySpec,
    folder: StudyFolder,
    chains: tuple[ChainRecord, ...],
    worked: Sequence[ChainTask],
    judgement: Judgement | None,
    stop: StopRequest,
) -> StudyRun:
    status, code, error = _ending(chains, judgement, stop)
    return StudyRun(
        name=spec.name,
        folder=str(folder.root),
        small=spec.small,
        chains=chains,
        trained=tuple(task.chain_id for task in worked),
        judgement=judgement,
        status=status,
        exit_code=code,
        error=error,
    )


def _ending(
    chains: Sequence[ChainRecord], judgement: Judgement | None, stop: StopRequest
) -> tuple[str, int, str | None]:
    """Decide how a run of a study has ended: a failure weighs more than an interruption."""
    failed = [record for record in chains if record.status is ChainStatus.FAILED]
    left = [record for record in chains if record.status is not ChainStatus.DONE]
    if stop():
        code = EXIT_CTRL_C if stop.received is signal.SIGINT else EXIT_INTERRUPTED
        return "interrupted", code, f"stopped with {len(left)} chain(s) left"
    if failed:
        return "failed", failed[0].exit_code or EXIT_FAILED, f"{failed[0].chain_id}: {failed[0].error}"
    if left:
        return "interrupted", EXIT_INTERRUPTED, f"{len(left)} chain(s) were interrupted"
    if judgement is not None and judgement.failed:
        task, reason = judgement.failed[0]
        return "failed", EXIT_FAILED, f"{len(judgement.failed)} evaluation(s) failed; {task}: {reason}"
    return "completed", EXIT_DONE, None
