"""The whole promise in one call: resume if there is something to resume, train, save, rotate, stop at the limit."""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.callbacks import BaseCallback, CallbackList, ConvertCallback

from validation_ch7.checkpoints.backup import rewind
from validation_ch7.checkpoints.backup_limit import limit_backups
from validation_ch7.checkpoints.compatibility import describe_model
from validation_ch7.checkpoints.compression import require_zstandard
from validation_ch7.checkpoints.loop import Deadline, Limits, SessionCallback, StopSession, grade
from validation_ch7.checkpoints.resume import restore_loop
from validation_ch7.checkpoints.retention import Retention
from validation_ch7.checkpoints.saver import Clock, Lineage, Saver, SaveSettings, software_versions, worst
from validation_ch7.checkpoints.select import Log, Resumed, check_parent, resume_from, resume_newest
from validation_ch7.checkpoints.store import CheckpointStore
from validation_ch7.errors import ConfigurationError
from validation_ch7.session import Exactness, SummaryStatus

_LOGGER = logging.getLogger("validation_ch7.checkpoints")


@dataclass(frozen=True)
class LearnResult:
    """What one call of :func:`learn_resumable` did.

    Attributes:
        done: whether the target is reached; False means that another call goes on.
        saves: checkpoints written.
        blocked_s: time that training waited for saves [s].
        lost: why the resume, or a checkpoint, is not exact.
    """

    steps_before: int
    steps_after: int
    target_steps: int
    status: SummaryStatus
    exactness: Exactness
    resumed_from: Path | None
    digest: str | None
    done: bool
    saves: int
    blocked_s: float
    lost: tuple[str, ...]
    warnings: tuple[str, ...]


def learn_resumable(
    model: BaseAlgorithm,
    total_timesteps: int,
    store: CheckpointStore,
    save_freq: int = 10_000,
    max_keep: int = 2,
    session_timesteps: int | None = None,
    deadline: Deadline | None = None,
    callback: BaseCallback | list[BaseCallback] | None = None,
    *,
    stop_at: int | None = None,
    should_stop: Callable[[], bool] | None = None,
    save_interval_s: float = 300.0,
    retention: Retention | None = None,
    asynchronous: bool = True,
    compress_replay: bool = False,
    session_id: str | None = None,
    resume: str | Path | None = None,
    expected_parent: str | None = None,
    trust_foreign: bool = False,
    environment: Mapping[str, Any] | None = None,
    metrics: Callable[[], Mapping[str, float]] | None = None,
    log: Log = _LOGGER.info,
    clock: Clock = time.monotonic,
    **learn_arguments: Any,
) -> LearnResult:
    """Train ``model`` to ``total_timesteps``, cumulative over any number of calls, processes and crashes.

    The model must be built the same way each time; its weights, optimizers, counters, random generators,
    environments and replay buffer then come from the newest usable checkpoint of ``store``.

    Args:
        model: any SB3 model with its environment.
        total_timesteps: target of the whole chain; the horizon of schedules.
        store: where checkpoints live; held exclusively during the call.
        save_freq: environment steps between two saves.
        max_keep: newest checkpoints kept, at least 2; ignored where ``retention`` is given.
        session_timesteps: steps of this call at most, or None.
        deadline: moment by which the call must have saved and returned, or None.
        callback: callbacks as for ``learn()``; their plain-data state is part of the checkpoint.
        stop_at: like ``session_timesteps``, but cumulative.
        should_stop: asked at every rollout; True saves and returns with status ``interrupted``.
        save_interval_s: longest wall time between two saves [s].
        retention: which checkpoints stay.
        asynchronous: whether a thread writes while training goes on.
        compress_replay: whether replay chunks are compressed (zstd) where that pays; for images.
        session_id: name of this call in manifests.
        resume: a checkpoint to load in place of the newest; later ones are backed up and removed.
        expected_parent: digest that must be resumed; anything else is refused.
        trust_foreign: whether pickles beside a foreign zip may be read.
        environment: facts of the environment that the compatibility report compares.
        metrics: gives evaluation results for the manifest.
        log: receives one line at a time.
        clock: seconds that never go back.
        **learn_arguments: passed to ``model.learn()``, for instance ``log_interval`` or ``progress_bar``.

    Raises:
        CheckpointError: checkpoints exist and none can be used, or the named one cannot.
        WorkspaceLockedError: another process holds the store.
        StorageError: the disk refused; what was committed before is intact.
        ConfigurationError: an argument cannot be used.
    """
    _check(model, total_timesteps, save_freq)
    if compress_replay:
        require_zstandard("compress_replay")
    kept = retention or Retention(max_keep=max_keep)
    settings = SaveSettings(save_freq, save_interval_s, kept, asynchronous, compress_replay)
    with store.exclusive(f"training {store.prefix}"):
        found = _resume(store, model, resume, log, environment, trust_foreign)
        if resume is not None:  # later checkpoints became a backup
            limit_backups(store, kept.backup_bytes)
        check_parent(found, expected_parent, store.folder)
        before = model.num_timesteps
        ends = [stop_at, before + session_timesteps if session_timesteps is not None else None]
        end = min((item for item in ends if item is not None), default=None)
        if before >= total_timesteps or (end is not None and before >= end):
            _settle(model, found, callback)
            return _nothing_to_do(found, before, total_timesteps)
        lineage = _lineage(found, session_id or uuid.uuid4().hex[:12])
        saver = Saver(store, model, settings, lineage, environment, metrics, clock, log)
        session = SessionCallback(
            as_callback(callback), saver, Limits(end, deadline, should_stop), found.state if found else None, clock
        )
        status = _learn(model, total_timesteps, session, saver, learn_arguments)
        return _result(model, found, saver, session, status, before, total_timesteps)


def _check(model: BaseAlgorithm, total_timesteps: int, save_freq: int) -> None:
    faults = {"total_timesteps": total_timesteps, "save_freq": save_freq}
    for name, value in faults.items():
        if value < 1:
            raise ConfigurationError(
                "A number of steps must be positive.", where=name, expected="1 or more", found=value
            )
    if model.env is None:
        raise ConfigurationError(
            "The model has no environment.", where="model", remedy="give it one: model.set_env(env), or PPO(..., env)"
        )


def _resume(
    store: CheckpointStore,
    model: BaseAlgorithm,
    resume: str | Path | None,
    log: Log,
    environment: Mapping[str, Any] | None,
    trust_foreign: bool,
) -> Resumed | None:
    current, software = describe_model(model, environment), software_versions(model.device)
    if resume is None:
        return resume_newest(store, model, current, log, software=software, trust_foreign=trust_foreign)
    found = resume_from(store, Path(resume), model, current, log, software=software, trust_foreign=trust_foreign)
    if (backup := rewind(store, found.steps)) is not None:
        log(f"[CHECKPOINT] Later checkpoints were moved to {backup.path}")
    return found


def _lineage(found: Resumed | None, session_id: str) -> Lineage:
    if found is None:
        return Lineage(session_id)
    if found.manifest is None:
        return Lineage(session_id, None, Exactness.WEIGHTS_ONLY, (f"resumed from the weights of {found.path.name}",))
    return Lineage(session_id, found.manifest, found.manifest.exactness, found.manifest.lost)


def as_callback(callback: BaseCallback | list[BaseCallback] | None) -> BaseCallback:
    """Return callbacks as one, as SB3 does."""
    if isinstance(callback, list):
        return CallbackList(callback)
    return callback if isinstance(callback, BaseCallback) else ConvertCallback(callback or (lambda *_: True))


def _learn(
    model: BaseAlgorithm, total: int, session: SessionCallback, saver: Saver, arguments: dict[str, Any]
) -> SummaryStatus:
    before = model.num_timesteps
    status = SummaryStatus.COMPLETED
    try:
        model.learn(total - before, callback=session, reset_num_timesteps=before == 0, **arguments)
    except StopSession as stop:
        status = stop.status
    finally:
        saver.close()
    return status


def _settle(model: BaseAlgorithm, found: Resumed | None, callback: BaseCallback | list[BaseCallback] | None) -> None:
    # learn() will not run, but whoever evaluates the model needs the statistics of VecNormalize.
    if found is None or found.state is None or model.env is None:
        return
    child = as_callback(callback)
    child.init_callback(model)
    model.env.reset()
    restore_loop(model, found.state, {"user": child})


def _nothing_to_do(found: Resumed | None, steps: int, target: int) -> LearnResult:
    manifest = found.manifest if found else None
    return LearnResult(
        steps_before=steps,
        steps_after=steps,
        target_steps=target,
        status=SummaryStatus.ALREADY_COMPLETE,
        exactness=manifest.exactness if manifest else Exactness.WEIGHTS_ONLY,
        resumed_from=found.path if found else None,
        digest=manifest.digest if manifest else None,
        done=steps >= target,
        saves=0,
        blocked_s=0.0,
        lost=manifest.lost if manifest else (),
        warnings=tuple(str(item) for item in found.compatibility.warnings) if found else (),
    )


def _result(
    model: BaseAlgorithm,
    found: Resumed | None,
    saver: Saver,
    session: SessionCallback,
    status: SummaryStatus,
    before: int,
    target: int,
) -> LearnResult:
    last = saver.last
    lost = tuple(found.state.lost) if found and found.state else ()
    return LearnResult(
        steps_before=before,
        steps_after=model.num_timesteps,
        target_steps=target,
        status=status,
        exactness=worst(last.exactness if last else Exactness.EXACT, grade(lost)),
        resumed_from=found.path if found else None,
        digest=last.digest if last else None,
        done=model.num_timesteps >= target or session.stopped_by_child,
        saves=saver.saves,
        blocked_s=saver.blocked_s,
        lost=tuple(dict.fromkeys((*lost, *(last.lost if last else ())))),
        warnings=tuple(str(item) for item in found.compatibility.warnings) if found else (),
    )
