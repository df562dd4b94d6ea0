"""What a study left on the disk, gathered for its report; what was not evaluated yet can be evaluated first."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from validation_ch7.reporting.study.report import StudyEvidence
from validation_ch7.study.chain import chain_tasks
from validation_ch7.study.evaluate import current_record, evaluate_all
from validation_ch7.study.judge import examine
from validation_ch7.study.layout import StudyFolder
from validation_ch7.study.record import read_study
from validation_ch7.study.spec import StudySpec

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
    examination = examine(asked, chain_tasks(asked, folder, section), section)
    tasks = examination.tasks
    if evaluate:
        evaluate_all(folder.evaluation, tasks, log, jobs)
    return StudyEvidence(
        study=asked.name,
        protocol=asked.evaluation,
        scenarios=examination.scenarios,
        agents=examination.agents,
        records=[(task, current_record(folder.evaluation, task, failed=True)) for task in tasks],
        reductions=asked.reductions,
    )
