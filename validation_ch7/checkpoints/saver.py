"""Saving while training goes on: the loop pays for a snapshot, a thread writes it.

One save is in flight at a time, so snapshots never pile up in memory; an error of the thread surfaces in the
training loop at the next step. The synchronous mode runs the same code in the loop and gives the same bytes.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from platform import python_version
from typing import Any

import gymnasium
import numpy as np
import stable_baselines3
import torch as th
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.callbacks import BaseCallback

from validation_ch7.checkpoints.archive import describe_members
from validation_ch7.checkpoints.compatibility import describe_model
from validation_ch7.checkpoints.manifest import Boundary, Manifest, utc_now
from validation_ch7.checkpoints.replay import ReplayRecorder, write_chunks
from validation_ch7.checkpoints.resume import device_name, state_members
from validation_ch7.checkpoints.retention import Retention
from validation_ch7.checkpoints.sb3_members import Sb3Members
from validation_ch7.checkpoints.snapshot import Snapshot, saved_attributes, take_snapshot
from validation_ch7.checkpoints.store import CheckpointStore
from validation_ch7.checkpoints.tensors import TensorCopier
from validation_ch7.session import Exactness

Clock = Callable[[], float]
_LOGGER = logging.getLogger("validation_ch7.checkpoints")
_GRADES = (Exactness.EXACT, Exactness.STATISTICAL, Exactness.WEIGHTS_ONLY)


Job = Callable[[], None]


class Writer:
    """Runs one job at a time, in a thread of its own or at once.

    The thread lives as long as the writer: starting one for each save would cost more than a snapshot does.
    When the writer is forgotten or the interpreter ends, the job in flight is still finished.
    """

    def __init__(self, asynchronous: bool) -> None:
        self._asynchronous = asynchronous
        self._idle = threading.Event()
        self._idle.set()
        self._errors: list[BaseException] = []
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        if asynchronous:
            work = (self._jobs, self._idle, self._errors)
            thread = threading.Thread(target=_work, args=work, name="checkpoint-writer", daemon=True)
            thread.start()
            weakref.finalize(self, _end, self._jobs, thread)

    @property
    def busy(self) -> bool:
        """Whether a job is in flight."""
        return not self._idle.is_set()

    def submit(self, job: Job) -> None:
        """Start ``job`` after the one before it has ended.

        Raises:
            BaseException: whatever the one before it raised.
        """
        self.wait()
        if not self._asynchronous:
            job()
            return
        self._idle.clear()
        self._jobs.put(job)

    def check(self) -> None:
        """Raise what the last job raised, if it has ended."""
        if self._errors:
            self.wait()

    def wait(self) -> None:
        """Wait for the job in flight and raise what it raised."""
        self._idle.wait()
        if self._errors:
            raise self._errors.pop()


def _work(jobs: queue.SimpleQueue[Job | None], idle: threading.Event, errors: list[BaseException]) -> None:
    while (job := jobs.get()) is not None:
        try:
            job()
        except BaseException as error:  # noqa: BLE001  handed to the training loop, which raises it
            errors.append(error)
        del job  # it holds the saver, and with it the writer
        idle.set()


def _end(jobs: queue.SimpleQueue[Job | None], thread: threading.Thread) -> None:
    jobs.put(None)
    if thread is not threading.current_thread():
        thread.join()


@dataclass(frozen=True)
class SaveSettings:
    """When to save and what to keep."""

    save_freq: int = 10_000
    """Environment steps between two saves."""
    save_interval_s: float = 300.0
    """Longest wall time between two saves [s]."""
    retention: Retention = field(default_factory=Retention)
    asynchronous: bool = True
    compress_replay: bool = False
    """Whether replay chunks are compressed where that pays."""


@dataclass(frozen=True)
class Lineage:
    """Where a run comes from."""

    session_id: str
    parent: Manifest | None = None
    exactness: Exactness = Exactness.EXACT
    lost: tuple[str, ...] = ()


class Saver:
    """Decides when a checkpoint is due and commits it.

    Args:
        store: where checkpoints go; held by the caller for the whole run.
        model: the model that is trained.
        settings: when to save and what to keep.
        lineage: what this run resumed from.
        environment: facts of the environment that compatibility compares.
        metrics: gives the latest evaluation results, or nothing.
        clock: seconds that never go back.
        log: receives one line for each checkpoint that is durable.
    """

    def __init__(
        self,
        store: CheckpointStore,
        model: BaseAlgorithm,
        settings: SaveSettings,
        lineage: Lineage,
        environment: Mapping[str, Any] | None = None,
        metrics: Callable[[], Mapping[str, float]] | None = None,
        clock: Clock = time.monotonic,
        log: Callable[[str], None] = _LOGGER.info,
    ) -> None:
        self._log = log
        self._store, self._model, self._settings, self._lineage = store, model, settings, lineage
        self._inherited, self._lost = lineage.exactness, lineage.lost
        self._metrics, self._clock = metrics, clock
        self._compatibility = describe_model(model, environment)
        self._software = software_versions(model.device)
        self._sb3 = Sb3Members()
        self._sb3.prepare(saved_attributes(model))
        self._copier = TensorCopier()
        self._writer = Writer(settings.asynchronous)
        parent = lineage.parent
        self._recorder = ReplayRecorder(
            parent.replay if parent else None, parent.steps if parent else model.num_timesteps
        )
        self._steps, self._time = model.num_timesteps, clock()
        self._last = parent
        self.saves = 0
        self.blocked_s = 0.0
        self.longest_save_s = 0.0

    @property
    def last(self) -> Manifest | None:
        """The newest checkpoint that is durable: the parent at first."""
        return self._last

    def inherit(self, exactness: Exactness, lost: tuple[str, ...]) -> None:
        """Lower the grade of all that follows: what a resume could not put back is missing from then on."""
        self._inherited, self._lost = worst(self._inherited, exactness), (*self._lost, *lost)

    def due(self, steps: int) -> bool:
        """Whether so many steps, or so much time, went by since the last save."""
        enough = steps - self._steps >= self._settings.save_freq
        return enough or (steps > self._steps and self._clock() - self._time >= self._settings.save_interval_s)

    def save(self, boundary: Boundary, callbacks: Mapping[str, BaseCallback]) -> None:
        """Take a snapshot now and make it durable, at once or in the background.

        Raises:
            StorageError: this save, or the one before it, was refused by the disk.
        """
        begin = self._clock()
        self._writer.wait()
        snapshot = take_snapshot(self._model, boundary, self._recorder, callbacks, self._copier)
        metrics = dict(self._metrics()) if self._metrics else {}
        rewards = [episode["r"] for episode in self._model.ep_info_buffer or ()]
        self._steps, self._time = snapshot.steps, self._clock()
        self._writer.submit(lambda: self._write(snapshot, _finite(metrics, rewards), begin))
        self.saves += 1
        self.blocked_s += self._clock() - begin

    def _write(self, snapshot: Snapshot, metrics: Mapping[str, float], begin: float) -> None:
        replay = (
            write_chunks(self._store.chunks, snapshot.replay, self._settings.compress_replay)
            if snapshot.replay
            else None
        )
        members = self._sb3.members(snapshot) | state_members(snapshot.state, snapshot.arrays)
        manifest = Manifest(
            scenario=self._store.prefix,
            steps=snapshot.steps,
            session_id=self._lineage.session_id,
            parent=self._last.digest if self._last else None,
            created=utc_now(),
            boundary=snapshot.boundary,
            exactness=worst(snapshot.exactness, self._inherited),
            lost=(*snapshot.lost, *self._lost),
            compatibility=self._compatibility,
            software=self._software,
            metrics=dict(metrics),
            members=describe_members(members),
            replay=replay,
        ).sealed()
        parent = self._lineage.parent
        path = self._store.commit(manifest, members, self._settings.retention, parent.digest if parent else None)
        if replay is not None:
            self._recorder.confirm(replay, snapshot.steps)
        self._last = manifest
        self._log(f"[CHECKPOINT] saved {path.name} ({sum(map(len, members.values())) / 1e6:.1f} MB)")
        self.longest_save_s = max(self.longest_save_s, self._clock() - begin)

    def check(self) -> None:
        """Raise the error of the save in flight, if it has failed; called before each transition is stored.

        Waits for that save where the transition would overwrite a row that it may still have to read.
        """
        buffer = getattr(self._model, "replay_buffer", None)
        if self._writer.busy and buffer is not None and self._recorder.endangered(buffer):
            self._writer.wait()
        self._writer.check()

    def close(self) -> None:
        """Wait for the save in flight.

        Raises:
            StorageError: it was refused by the disk.
        """
        self._writer.wait()


def _finite(metrics: Mapping[str, float], rewards: list[float]) -> dict[str, float]:
    found = {**metrics, "train_reward": float(np.mean(rewards))} if rewards else metrics
    return {name: value for name, value in found.items() if np.isfinite(value)}


def worst(*grades: Exactness) -> Exactness:
    """Return the lowest of some grades.

    >>> worst(Exactness.EXACT, Exactness.WEIGHTS_ONLY, Exactness.STATISTICAL).value
    'weights-only'
    """
    return max(grades, key=_GRADES.index)


def software_versions(device: th.device) -> dict[str, str]:
    """Return the versions that a number may depend on, and the ``device`` that computes it."""
    modules = {"stable-baselines3": stable_baselines3, "torch": th, "gymnasium": gymnasium, "numpy": np}
    versions = {name: str(module.__version__) for name, module in modules.items()}
    return {"python": python_version(), **versions, "device": device_name(device)}
