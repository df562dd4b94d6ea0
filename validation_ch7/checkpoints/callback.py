"""Rotating, atomic, exact checkpoints for those who call ``model.learn()`` themselves."""

from __future__ import annotations

import contextlib
import time
import uuid
from collections.abc import Mapping
from typing import Any

from stable_baselines3.common.callbacks import BaseCallback

from validation_ch7.checkpoints.backup import rewind
from validation_ch7.checkpoints.retention import Retention
from validation_ch7.checkpoints.saver import Clock, Lineage, Saver, SaveSettings
from validation_ch7.checkpoints.store import CheckpointStore


class RotatingCheckpointCallback(BaseCallback):
    """Saves the complete training state every ``save_freq`` steps and keeps the newest ``max_keep``.

    A drop-in for SB3's ``CheckpointCallback``. It saves only; :func:`learn_resumable` also resumes.

    Args:
        store: where checkpoints go; held from the start of training to its end.
        save_freq: environment steps between two saves.
        max_keep: newest checkpoints kept, at least 2.
        save_interval_s: longest wall time between two saves [s].
        asynchronous: whether a thread writes while training goes on.

    Raises:
        WorkspaceLockedError: at the start of training, where another process holds the store.
        StorageError: at the next step after the disk refused a save.
    """

    def __init__(
        self,
        store: CheckpointStore,
        save_freq: int = 10_000,
        max_keep: int = 2,
        *,
        save_interval_s: float = 300.0,
        asynchronous: bool = True,
        environment: Mapping[str, Any] | None = None,
        clock: Clock = time.monotonic,
    ) -> None:
        super().__init__()
        self._store, self._environment, self._clock = store, environment, clock
        self._settings = SaveSettings(save_freq, save_interval_s, Retention(max_keep=max_keep), asynchronous)
        self._held = contextlib.ExitStack()
        self._saver: Saver | None = None

    @property
    def saver(self) -> Saver:
        """What saves; there from the start of training on."""
        assert self._saver is not None, "training has not started"
        return self._saver

    def _on_training_start(self) -> None:
        self._let_go()
        self._held.enter_context(self._store.exclusive(f"training {self._store.prefix}"))
        rewind(self._store, self.model.num_timesteps)  # another run's checkpoints are not mixed with this one's
        lineage = Lineage(uuid.uuid4().hex[:12])
        self._saver = Saver(self._store, self.model, self._settings, lineage, self._environment, clock=self._clock)

    def _let_go(self) -> None:
        """End what a run that broke off in an exception left: its save in flight, and its hold on the store."""
        saver, self._saver = self._saver, None
        with self._held:
            if saver is not None:
                saver.close()

    def _on_rollout_start(self) -> None:
        if self.saver.due(self.model.num_timesteps):
            self.saver.save("rollout_start", {})

    def _on_step(self) -> bool:
        self.saver.check()
        return True

    def _on_training_end(self) -> None:
        with self._held:
            self.saver.save("training_end", {})
            self.saver.close()
