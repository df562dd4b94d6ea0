"""One session from its plan to its output manifest: the same on a laptop, a Kaggle kernel or a cluster.

What is promised: the summary says no more than what happened, the manifest is the last file to appear, and
both appear after failures too. A foreseeable fault is one message; anything else leaves its traceback in the log.
"""

from __future__ import annotations

import errno
import traceback
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from validation_ch7.errors import ValidationError
from validation_ch7.files import make_folder, storage_error, storage_errors
from validation_ch7.session import (
    LOG_NAME,
    OUTPUT_MANIFEST_NAME,
    SUMMARY_NAME,
    SessionPlan,
    SessionSummary,
    SummaryStatus,
    ending_in_words,
    list_outputs,
    read_plan,
    write_document,
)
from validation_ch7.training.session_log import SessionLog, say
from validation_ch7.training.signals import StopRequest, stop_requests
from validation_ch7.training.surroundings import Surroundings
from validation_ch7.training.training import Training

_UNFORESEEN = 1
_INTERRUPTED = 75
_REFUSALS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM})
EXIT_CODES: Mapping[SummaryStatus, int] = MappingProxyType(
    {
        SummaryStatus.COMPLETED: 0,
        SummaryStatus.STOPPED_AT_DEADLINE: 0,
        SummaryStatus.ALREADY_COMPLETE: 0,
        SummaryStatus.INTERRUPTED: _INTERRUPTED,
    }
)


def run_session(
    plan_path: Path,
    inputs: Path,
    working: Path,
    facts: Mapping[str, str],
    surroundings: Surroundings | None = None,
) -> int:
    """Run the session that the plan describes and return the exit status of its process.

    Args:
        plan_path: the :class:`SessionPlan`.
        inputs: the parent's training tree; empty where the plan names no parent.
        working: the session leaves everything in ``working/<section>``.
        facts: what the caller knows of the machine; it goes into the summary.
        surroundings: clocks, console, environments and checkpoints.
    """
    around = surroundings or Surroundings()
    try:
        plan = read_plan(plan_path)
        folder = make_folder(working / plan.section)
        with stop_requests() as stop:
            return _run(plan, inputs, folder, facts, around, stop)
    except ValidationError as fault:  # no plan, or no disk to write a summary to
        say(f"[TRAINING] {fault}", around.console)
        return fault.exit_code


def _run(
    plan: SessionPlan, inputs: Path, folder: Path, facts: Mapping[str, str], around: Surroundings, stop: StopRequest
) -> int:
    for claim in (OUTPUT_MANIFEST_NAME, SUMMARY_NAME):  # of an earlier attempt in this folder
        with storage_errors(folder / claim):
            (folder / claim).unlink(missing_ok=True)
    with SessionLog(folder / LOG_NAME, around.console) as log:
        started = around.timestamp()
        training = Training(plan, inputs, folder, log, stop, around, started)
        outcome, code = _guarded(training, log)
        summary = outcome.model_copy(
            update={"started": started, "ended": around.timestamp(), "environment": dict(facts) | training.facts()}
        )
        write_document(folder / SUMMARY_NAME, summary)
        words = ending_in_words(summary.status)
        log(f"[TRAINING] {words}: {summary.steps_before:,} → {summary.steps_after:,} steps")
    write_document(folder / OUTPUT_MANIFEST_NAME, list_outputs(folder, plan.session_id))
    return code


def _guarded(training: Training, log: SessionLog) -> tuple[SessionSummary, int]:
    """Run the training and return what happened, whatever happened."""
    try:
        summary = training.run()
    except KeyboardInterrupt:
        log("[TRAINING] interrupted before the state could be saved; the last checkpoint holds")
        interrupted = training.failed("interrupted a second time, before the state could be saved")
        return interrupted.model_copy(update={"status": SummaryStatus.INTERRUPTED}), _INTERRUPTED
    except Exception as fault:  # noqa: BLE001  whatever it was, the session must say that it failed
        log.note(traceback.format_exc())
        known = _foreseen(fault)
        if known is not None:
            log(f"[TRAINING] {known}")
            return training.failed(str(known)), known.exit_code
        text = f"{type(fault).__name__}: {fault}"
        log(f"[TRAINING] The session failed: {text} (the traceback is in {LOG_NAME})")
        return training.failed(text), _UNFORESEEN
    return summary, EXIT_CODES[summary.status]


def _foreseen(fault: Exception) -> ValidationError | None:
    """Return the fault as one of this package's, or None where it is a bug."""
    if isinstance(fault, OSError) and fault.errno in _REFUSALS:  # from a library that writes files itself
        return storage_error(Path(fault.filename or "."), fault)
    return fault if isinstance(fault, ValidationError) else None
