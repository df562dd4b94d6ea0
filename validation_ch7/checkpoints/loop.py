"""What happens inside ``learn()``: restore, stop, save, each at the boundary where it is exact.

A session stops by raising at ``_on_rollout_start``, never by returning False, which would stop between two
steps of a rollout. On the first rollout after a resume the callbacks of the user are not called again: they
were, before the snapshot was taken.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from stable_baselines3.common.callbacks import BaseCallback

from validation_ch7.checkpoints.resume import TrainingState, restore_generators, restore_loop
from validation_ch7.checkpoints.saver import Clock, Saver
from validation_ch7.session import Exactness, SummaryStatus


class StopSession(Exception):
    """Ends ``learn()`` at a boundary, after everything was saved."""

    def __init__(self, status: SummaryStatus) -> None:
        super().__init__(status.value)
        self.status = status


@dataclass(frozen=True)
class Deadline:
    """A moment at which the session must have saved and ended.

    Attributes:
        at_s: the moment, on ``clock`` [s].
        clock: seconds that never go back.
    """

    at_s: float
    clock: Clock = time.monotonic

    def remaining(self) -> float:
        """Return the seconds that are left; negative when it has passed."""
        return self.at_s - self.clock()


@dataclass(frozen=True)
class Limits:
    """What may end a session before its target.

    Attributes:
        stop_at: cumulative steps, or None.
        deadline: wall time, or None.
        should_stop: asked at every boundary; set by a signal, for instance.
    """

    stop_at: int | None = None
    deadline: Deadline | None = None
    should_stop: Callable[[], bool] | None = None


def stop_reason(limits: Limits, steps: int, longest_rollout_s: float, longest_save_s: float) -> SummaryStatus | None:
    """Decide whether a session ends at this boundary, and why.

    The next rollout and the save after it must fit before the deadline; half as much again is kept in hand.

    >>> stop_reason(Limits(stop_at=100), 100, 0.0, 0.0)
    <SummaryStatus.COMPLETED: 'completed'>
    >>> stop_reason(Limits(deadline=Deadline(10.0, lambda: 5.0)), 0, 3.0, 0.5)
    <SummaryStatus.STOPPED_AT_DEADLINE: 'stopped_at_deadline'>
    >>> stop_reason(Limits(deadline=Deadline(10.0, lambda: 0.0)), 0, 3.0, 0.5)
    """
    if limits.should_stop is not None and limits.should_stop():
        return SummaryStatus.INTERRUPTED
    if limits.stop_at is not None and steps >= limits.stop_at:
        return SummaryStatus.COMPLETED
    if limits.deadline is not None and limits.deadline.remaining() <= 1.5 * (longest_rollout_s + longest_save_s):
        return SummaryStatus.STOPPED_AT_DEADLINE
    return None


class SessionCallback(BaseCallback):
    """Runs the callbacks of the user, restores after the start, saves and stops at boundaries.

    Args:
        child: the callbacks of the user, as one.
        saver: commits checkpoints.
        limits: what ends the session.
        state: what is left to restore, or None at a fresh start.
        clock: measures rollouts [s].
    """

    def __init__(
        self, child: BaseCallback, saver: Saver, limits: Limits, state: TrainingState | None, clock: Clock
    ) -> None:
        super().__init__()
        self._child, self._saver, self._limits, self._state, self._clock = child, saver, limits, state, clock
        self._first = True
        self._began: float | None = None
        self._longest_rollout_s = 0.0
        self.stopped_by_child = False

    @property
    def children(self) -> Mapping[str, BaseCallback]:
        """The callbacks whose state belongs to the checkpoint."""
        return {"user": self._child}

    def _init_callback(self) -> None:
        self._child.init_callback(self.model)

    def update_child_locals(self, locals_: dict[str, Any]) -> None:
        """Pass the local variables of ``learn()`` on."""
        self._child.update_locals(locals_)

    def _on_training_start(self) -> None:
        self._child.on_training_start(self.locals, self.globals)
        if self._state is not None:
            restore_loop(self.model, self._state, self.children)
            if self._state.at_training_end:
                self._restore_generators(self._state)

    def _on_rollout_start(self) -> None:
        first, self._first = self._first, False
        if first and self._state is not None and not self._state.at_training_end:
            self._restore_generators(self._state)
        else:
            self._child.on_rollout_start()
        self._measure_rollout()
        steps = self.model.num_timesteps
        reason = stop_reason(self._limits, steps, self._longest_rollout_s, self._saver.longest_save_s)
        if reason is not None:
            if not first or self._state is None:
                self._saver.save("rollout_start", self.children)
            raise StopSession(reason)
        if not first and self._saver.due(steps):
            self._saver.save("rollout_start", self.children)

    def _restore_generators(self, state: TrainingState) -> None:
        restore_generators(self.model, state)
        self._saver.inherit(grade(state.lost), tuple(state.lost))

    def _measure_rollout(self) -> None:
        now = self._clock()
        if self._began is not None:
            self._longest_rollout_s = max(self._longest_rollout_s, now - self._began)
        self._began = now

    def _on_step(self) -> bool:
        self._saver.check()
        goes_on = self._child.on_step()
        self.stopped_by_child = not goes_on
        return goes_on

    def _on_rollout_end(self) -> None:
        self._child.on_rollout_end()

    def _on_training_end(self) -> None:
        self._child.on_training_end()
        self._saver.save("torn" if self.stopped_by_child else "training_end", self.children)


def grade(lost: Iterable[str]) -> Exactness:
    """Return the grade of a run that lacks ``lost``; the state of a callback does not change training.

    >>> grade(["callback user.bar (tqdm)"]).value, grade(["env.world (b2World)"]).value
    ('exact', 'statistical')
    """
    return Exactness.STATISTICAL if any(not item.startswith("callback ") for item in lost) else Exactness.EXACT
