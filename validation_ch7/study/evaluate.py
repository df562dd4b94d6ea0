"""All evaluations of a study, one after the other or in several processes; what is done is not done again."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

from validation_ch7.checkpoints import CheckpointStore
from validation_ch7.study.evaluation import run_evaluation
from validation_ch7.study.records import EvaluationRecord, read_record, write_record
from validation_ch7.study.tasks import EvaluationTask

Log = Callable[[str], None]


def evaluate_all(
    folder: Path,
    tasks: Sequence[EvaluationTask],
    log: Log,
    workers: int = 1,
    run: Callable[[EvaluationTask], EvaluationRecord] = run_evaluation,
) -> list[tuple[EvaluationTask, EvaluationRecord]]:
    """Return every task with its record; each record is on disk as soon as it is known.

    A record of this very task, with this very checkpoint, is taken as it is. A failed one is tried again.

    Args:
        folder: where the records lie.
        tasks: what to evaluate.
        log: takes a line for each task.
        workers: processes; results do not depend on it.
        run: evaluates one task.

    Raises:
        StorageError: the disk refused.
    """
    known = {task.id: current_record(folder, task) for task in tasks}
    open_tasks = [task for task in tasks if known[task.id] is None]
    if done := len(tasks) - len(open_tasks):
        log(f"[EVALUATION] {done} of {len(tasks)} tasks are done already")
    for number, (task, found) in enumerate(_run(open_tasks, workers, run), start=1):
        write_record(folder, task, found)
        known[task.id] = found
        outcome = "ok" if found.status == "ok" else f"failed: {found.reason}"
        log(f"[EVALUATION] {number}/{len(open_tasks)} {task.id}: {outcome}")
    return [(task, record) for task in tasks if (record := known[task.id]) is not None]


def _run(
    tasks: Sequence[EvaluationTask], workers: int, run: Callable[[EvaluationTask], EvaluationRecord]
) -> Iterator[tuple[EvaluationTask, EvaluationRecord]]:
    if workers <= 1 or len(tasks) <= 1:
        yield from ((task, run(task)) for task in tasks)
        return
    context = multiprocessing.get_context("spawn")  # the same on every system; torch and fork do not agree
    with ProcessPoolExecutor(min(workers, len(tasks)), context) as pool:
        waiting = {pool.submit(run, task): task for task in tasks}
        try:
            for future in as_completed(waiting):
                yield waiting[future], future.result()
        finally:
            for future in waiting:
                future.cancel()


def current_record(folder: Path, task: EvaluationTask, failed: bool = False) -> EvaluationRecord | None:
    """Return the record of a task if it is good and, for an agent, of the checkpoint that its store holds now.

    Args:
        folder: where the records lie.
        task: the task.
        failed: whether a record that says why there is nothing counts, too.
    """
    record = read_record(folder, task)
    if record is None or record.status != "ok":
        return record if failed else None
    if task.kind != "agent":
        return record
    newest = next(iter(CheckpointStore(task.store, task.scenario).entries()), None)
    return record if newest is not None and newest.digest == record.checkpoint else None
