"""Training one chain, wherever this runs: bring what is known, run sessions until the target, leave the result.

Every executor calls :func:`run_chain`. It may be killed at any moment and called again, here or on another
machine: the manager attaches to a session that goes on, and the training tree says how far the chain has come.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from validation_ch7.checkpoints.archive import read_archive
from validation_ch7.checkpoints.state_digest import state_digest
from validation_ch7.checkpoints.store import CheckpointStore
from validation_ch7.errors import InterruptedRunError, ValidationError, WorkspaceLockedError
from validation_ch7.files import commit_bytes, make_folder, sha256_bytes
from validation_ch7.notify import Notifier
from validation_ch7.remote.backend import Backend
from validation_ch7.section_run import SectionRun, goes_on
from validation_ch7.sharing import export_store
from validation_ch7.study.chain import ChainResult, ChainStatus, ChainTask
from validation_ch7.study.stores import Say, bring_store, chain_log, location_of
from validation_kaggle_manager import ValidationKaggleManager

_STALLED = 3
"""Sessions in a row without a step, after which a chain is given up."""
_LOCK_TRIES = 30
_LOCK_PAUSE_S = 2.0
_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


def run_chain(
    task: ChainTask, *, backend: Backend | None = None, sleep: Callable[[float], None] = time.sleep
) -> ChainResult:
    """Train a chain to its target, or as far as it goes, and return what came of it.

    A foreseeable fault is part of the result; anything else is raised, for the executor to try again.

    Args:
        backend: where the sessions run; default: what the task names.
        sleep: waits so long [s].
    """
    say = chain_log(Path(task.workspace))
    for attempt in range(_LOCK_TRIES):
        try:
            return _attempt(task, backend, say)
        except WorkspaceLockedError as fault:  # of a process that was killed with its machine, or is about to end
            if attempt == _LOCK_TRIES - 1:
                return _without_end(task, fault)
            sleep(_LOCK_PAUSE_S)
        except ValidationError as fault:
            say(str(fault))
            return _without_end(task, fault)
    raise AssertionError("unreachable")


def title_of(task: ChainTask) -> str:
    """Return a title that no other chain has: a service keeps one bundle for each, under a name that is cut off."""
    digest = sha256_bytes(f"{task.study}/{task.chain_id}".encode())[:8]
    return f"study {digest} {task.algorithm} {task.seed}"


def session_environment(task: ChainTask) -> dict[str, str]:
    """Return the environment of the chain's sessions: code in one place, one thread for one operation."""
    make_folder(Path(task.code))
    return {**os.environ, **dict.fromkeys(_THREADS, "1"), "VALIDATION_CODE_ROOT": task.code}


def _attempt(task: ChainTask, backend: Backend | None, say: Say) -> ChainResult:
    store = bring_store(task, say)
    runs = [] if (store.newest_steps() or 0) >= task.target_steps else _sessions(task, backend, store, say)
    store.forget()
    if (store.newest_steps() or 0) >= task.target_steps:
        return _finished(task, store, len(runs))
    last = runs[-1]
    status = ChainStatus.INTERRUPTED if last.exit_code in (75, 130) else ChainStatus.FAILED
    error = last.error or ("interrupted" if status is ChainStatus.INTERRUPTED else "its sessions bring no further step")
    return ChainResult(
        task.chain_id, status, last.steps_after, None, last.exactness, len(runs), error, last.exit_code or 4
    )


def _sessions(task: ChainTask, backend: Backend | None, store: CheckpointStore, say: Say) -> list[SectionRun]:
    place, runs = location_of(task), list[SectionRun]()
    config = Path(task.workspace) / "section.yml"
    commit_bytes(config, task.section_yaml.encode("utf-8"))
    manager = ValidationKaggleManager(
        task.workspace,
        backend or task.backend,
        say=say,
        environ=session_environment(task),
        notifier=Notifier(),
        title=title_of(task),
    )
    while not runs or (goes_on(runs, store.newest_steps() or 0) and not stalled(runs)):
        run = manager.run_validation_section(task.section, config=config, wait=True, **task.overrides().model_dump())
        runs.append(run)
        if place is not None and store.newest_steps():
            export_store(store, place)
    return runs


def stalled(runs: Sequence[SectionRun]) -> bool:
    """Decide whether the last sessions have brought nothing, whatever they said of themselves."""
    last = runs[-_STALLED:]
    return len(last) == _STALLED and all(run.steps_after <= run.steps_before for run in last)


def _finished(task: ChainTask, store: CheckpointStore, sessions: int) -> ChainResult:
    """Return the result of a chain that has reached its target; its final checkpoint is verified."""
    path = store.paths()[0]
    manifest = store.verify(path)
    return ChainResult(
        chain_id=task.chain_id,
        status=ChainStatus.DONE,
        steps=manifest.steps,
        digest=state_digest(read_archive(path)),
        exactness=str(manifest.exactness),
        sessions=sessions,
    )


def _without_end(task: ChainTask, fault: ValidationError) -> ChainResult:
    interrupted = isinstance(fault, InterruptedRunError)
    return ChainResult(
        chain_id=task.chain_id,
        status=ChainStatus.INTERRUPTED if interrupted else ChainStatus.FAILED,
        steps=task.store().newest_steps() or 0,
        error=str(fault),
        exit_code=fault.exit_code,
    )
