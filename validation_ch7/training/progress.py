"""How far the training is: a bar on a terminal, plain lines at a bounded rate everywhere else."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol, TextIO

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.on_policy_algorithm import OnPolicyAlgorithm
from stable_baselines3.common.type_aliases import TrainFreq, TrainFrequencyUnit

from validation_ch7.progress import Standing, progress_line

Clock = Callable[[], float]


class Display(Protocol):
    """Where a standing is shown."""

    def show(self, standing: Standing, *, last: bool) -> None:
        """Show it; ``last`` is true at the end of the training."""

    def close(self) -> None:
        """Give the terminal back."""


class LineDisplay:
    """Prints a line at most every ``interval_s`` seconds, and the last one always."""

    def __init__(self, write: Callable[[str], None], clock: Clock = time.monotonic, interval_s: float = 10.0) -> None:
        self._write = write
        self._clock = clock
        self._interval = interval_s
        self._next = clock() + min(interval_s, 2.0)
        self._shown: int | None = None

    def show(self, standing: Standing, *, last: bool) -> None:
        """Print the standing if it is time."""
        if standing.steps == self._shown or not (last or self._clock() >= self._next):
            return
        self._shown, self._next = standing.steps, self._clock() + self._interval
        self._write(progress_line(standing))

    def close(self) -> None:
        """Do nothing."""


class BarDisplay:
    """Draws a bar with Rich."""

    def __init__(self, console: Console) -> None:
        columns = (
            TextColumn("[bold]training"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[note]}"),
            TimeRemainingColumn(),
        )
        self._progress = Progress(*columns, console=console, transient=False)
        self._task = self._progress.add_task("training", total=None, note="")

    def show(self, standing: Standing, *, last: bool) -> None:
        """Draw the standing."""
        rate = "" if standing.rate is None else f"{standing.rate:,.0f} steps/s"
        reward = "" if standing.reward is None else f"reward {standing.reward:.1f}"
        with contextlib.suppress(OSError, UnicodeError, ValueError):
            self._progress.start()
            self._progress.update(
                self._task, completed=standing.steps, total=standing.target, note=f"{rate} {reward}".strip()
            )

    def close(self) -> None:
        """Leave the last drawing on the terminal."""
        with contextlib.suppress(OSError, UnicodeError, ValueError):
            self._progress.stop()


def choose_display(write: Callable[[str], None], clock: Clock, console: TextIO | None = None) -> Display:
    """Return a bar where the console is a terminal that can draw one, else lines through ``write``."""
    stream = console if console is not None else sys.stdout
    if stream is None or "utf" not in (getattr(stream, "encoding", None) or "").lower():
        return LineDisplay(write, clock)
    if not stream.isatty():  # not left to Rich: a notebook sets FORCE_COLOR, and the bar would fill the log
        return LineDisplay(write, clock)
    terminal = Console(file=stream)
    return BarDisplay(terminal) if terminal.is_terminal else LineDisplay(write, clock)


def session_end(begun: int, stop_at: int, rollout: int) -> int:
    """Return the cumulative steps at which a session ends: rollouts are whole, so the last one may pass its limit.

    >>> session_end(0, 512, 1024), session_end(1024, 4096, 1024), session_end(4096, 1024, 1024)
    (1024, 4096, 4096)
    """
    return begun + max(0, -(-(stop_at - begun) // rollout)) * rollout


def rollout_steps(model: BaseAlgorithm) -> int:
    """Return the steps of all environments between two moments at which a session may end; episodes count as one."""
    if isinstance(model, OnPolicyAlgorithm):
        return model.n_steps * model.n_envs
    frequency = getattr(model, "train_freq", 1)
    if isinstance(frequency, TrainFreq):
        frequency = frequency.frequency if frequency.unit is TrainFrequencyUnit.STEP else 1
    return int(frequency) * model.n_envs


class ProgressCallback(BaseCallback):
    """Shows the standing while a model learns; nothing of it belongs to a checkpoint."""

    def __init__(self, display: Display, stop_at: int, clock: Clock = time.monotonic) -> None:
        super().__init__()
        self._display = display
        self._stop_at = stop_at
        self._clock = clock
        self._began: tuple[int, float] | None = None

    def get_state(self) -> dict[str, Any]:
        """Return nothing: each session has its own clock."""
        return {}

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Ignore what an earlier session was at."""

    def standing(self) -> Standing:
        """Return where the training stands now."""
        steps, time_s = self.model.num_timesteps, self._clock()
        rate = None
        if self._began is not None and time_s > self._began[1] and steps > self._began[0]:
            rate = (steps - self._began[0]) / (time_s - self._began[1])
        episodes = self.model.ep_info_buffer
        reward = float(np.mean([episode["r"] for episode in episodes])) if episodes else None
        return Standing(steps, self._stop_at, rate, reward)

    def finish(self) -> None:
        """Show the last standing and give the terminal back."""
        if self._began is not None:
            self._display.show(self.standing(), last=True)
        self._display.close()

    def _on_training_start(self) -> None:
        self._began = (self.model.num_timesteps, self._clock())
        self._stop_at = session_end(self.model.num_timesteps, self._stop_at, rollout_steps(self.model))

    def _on_step(self) -> bool:
        if self.n_calls % 16 == 0:  # the mean over episodes is not free
            self._display.show(self.standing(), last=False)
        return True
