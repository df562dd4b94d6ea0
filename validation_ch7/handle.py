"""A handle on one session, in the shape of submitit's ``Job``: started here, looked at from anywhere.

A handle holds nothing that is not in the journal: lose it, kill the notebook, and ``manager.session(id)`` gives
the same one back. Looking takes no lock. Whoever sees that the session has ended downloads and restores it under
the lock of the training tree; where another process does that already, the handle waits for the journal's word.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from validation_ch7.conductor import OUTPUT, Conductor, reference
from validation_ch7.errors import SessionGoneError, WorkspaceLockedError
from validation_ch7.files import storage_errors
from validation_ch7.journal import JournalEntry, Phase
from validation_ch7.notebook import html_table
from validation_ch7.progress import Standing, read_progress
from validation_ch7.remote.backend import SessionStatus
from validation_ch7.remote.monitor import watch
from validation_ch7.section_run import SectionRun, recalled
from validation_ch7.session import LOG_NAME, logs_tree, read_summary
from validation_ch7.training.signals import StopRequest

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_PAUSE_S = 0.5


@dataclass(frozen=True)
class HandleStatus:
    """What is known of a session at one moment."""

    session_id: str
    state: str
    """What the backend says while it runs; how it ended, once its results are restored."""
    message: str
    done: bool
    """Whether nothing is left to do: its results are restored, or it has failed for good."""
    steps: int
    """Cumulative steps, as far as known."""
    stop_at: int
    """Cumulative steps at which it ends."""
    reward: float | None = None
    """Mean return of the latest training episodes, or of the evaluation at its end."""

    def __str__(self) -> str:
        """Return it as one line.

        >>> str(HandleStatus("a", "running", "process 7", False, 8192, 200_000, -1.5))
        'a: running, 8,192 / 200,000 steps, reward -1.5 (process 7)'
        """
        reward = "" if self.reward is None else f", reward {self.reward:.1f}"
        note = f" ({self.message})" if self.message else ""
        return f"{self.session_id}: {self.state}, {self.steps:,} / {self.stop_at:,} steps{reward}{note}"


class _TimeUpError(Exception):
    """The time that a caller wanted to wait is over."""


class _NeverReceivedError(Exception):
    """The backend never received it; the journal says so by now."""


class SessionHandle:
    """One session of the journal.

    Args:
        conductor: takes it through the steps that are left.
        entry: what the journal says of it.
        sleep: waits so long [s].
    """

    def __init__(
        self, conductor: Conductor, entry: JournalEntry, *, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._conductor, self._entry, self._sleep = conductor, entry, sleep
        self._lines: list[str] = []
        self._told: SessionStatus | None = None
        self._run: SectionRun | None = None

    @property
    def session_id(self) -> str:
        """The name by which ``manager.session()`` and ``attach`` find it again."""
        return self._entry.session_id

    def status(self) -> HandleStatus:
        """Ask journal and backend how it stands."""
        if not self._look().phase.over and self._entry.ref:
            self._told = self._conductor.backend_of(self._entry).status(reference(self._entry))
            self._read_log()
        return self._known()

    def logs(self) -> list[str]:
        """Return the lines of its log so far."""
        if self._look().phase.over or not self._entry.ref:
            path = self._results / LOG_NAME
            if path.is_file():
                with storage_errors(path):
                    self._lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
        else:
            self._read_log()
        return list(self._lines)

    def wait(self, timeout: float | None = None) -> bool:
        """Follow it until its results are restored; return whether they are.

        Args:
            timeout: time after which to give up waiting [s]; the session goes on.

        Raises:
            BackendError: the backend cannot be asked any longer; the session is untouched.
        """
        ends = None if timeout is None else self._conductor.clock() + timeout
        try:
            while not self._look().phase.over:
                try:
                    self._finish(self._follow(ends))
                except WorkspaceLockedError:  # somebody else brings it, or works on the tree
                    self._pause(_PAUSE_S, ends)
                except _NeverReceivedError:
                    self._conductor.say(f"Session {self.session_id} never reached its backend: nothing is left to do")
        except _TimeUpError:
            return False
        return True

    def result(self, timeout: float | None = None) -> SectionRun:
        """Return what it did, after following, downloading and restoring it where that is still to be done.

        Raises:
            TimeoutError: it has not ended in time; it goes on.
            BackendError: as for :meth:`wait`.
        """
        if not self.wait(timeout):
            raise TimeoutError(f"Session {self.session_id} has not ended within {timeout:g} s; it goes on by itself.")
        if self._run is None:
            config, summary = self._conductor.config_of(self._entry), read_summary(self._results / self._entry.section)
            self._run = recalled(self._entry, summary, str(self._conductor.store(config).root))
        return self._run

    def cancel(self) -> None:
        """Ask it to save and stop; ``result()`` then brings what it has done. A remote backend may not be able to."""
        if not self._look().phase.over and self._entry.ref:
            self._conductor.backend_of(self._entry).cancel(reference(self._entry))

    def plot(self) -> Figure:
        """Return a figure of the chain's reward over steps, with what this session's log tells so far."""
        from validation_ch7.reporting.curve_figure import draw_curve  # late: it needs matplotlib

        live = [found for line in self.logs() if (found := read_progress(line)) is not None]
        base = self._conductor.workspace / "validation_ch7" / self._entry.section
        return draw_curve(logs_tree(base, self._entry.scenario), self._entry.scenario, live)

    def _look(self) -> JournalEntry:
        self._entry = self._conductor.journal.get(self.session_id) or self._entry
        return self._entry

    def _follow(self, ends: float | None) -> SessionStatus:
        conductor = self._conductor
        if not self._entry.ref:
            with conductor.store(conductor.config_of(self._entry)).exclusive(f"looking for {self.session_id}"):
                if conductor.found_again(self._look()) is None:
                    raise _NeverReceivedError
            self._look()
        seen = iter(range(1 << 62))

        def on_log(line: str) -> None:
            if next(seen) >= len(self._lines):
                self._lines.append(line)
                conductor.say(line)

        def on_status(status: SessionStatus) -> None:
            self._told = status
            conductor.say(f"[SESSION] {self._entry.kernel_slug}: {status.state} {status.message}".rstrip())

        return watch(
            conductor.backend_of(self._entry),
            reference(self._entry),
            clock=conductor.clock,
            sleep=lambda seconds: self._pause(seconds, ends),
            on_log=on_log,
            on_status=on_status,
            limit_s=conductor.config_of(self._entry).session.hours * 3600,
        )

    def _finish(self, status: SessionStatus) -> None:
        """Bring the results under the lock, unless somebody else has done that meanwhile."""
        config = self._conductor.config_of(self._entry)
        store = self._conductor.store(config)
        with store.exclusive(f"finishing session {self.session_id}"):
            entry = self._look()
            if entry.phase.over:
                return
            try:
                self._run = self._conductor.notifier.following(
                    lambda: self._conductor.bring(config, store, entry, status, StopRequest())
                )
            except SessionGoneError as fault:  # else this session would stand in the way for ever
                note = "its results are gone"
                self._conductor.journal.advance(self.session_id, Phase.FAILED, note, error=fault.what)
        self._look()

    def _pause(self, seconds: float, ends: float | None) -> None:
        left = seconds if ends is None else ends - self._conductor.clock()
        if left <= 0:
            raise _TimeUpError
        self._sleep(min(seconds, left))

    def _read_log(self) -> None:
        backend = self._conductor.backend_of(self._entry)
        self._lines += backend.logs(reference(self._entry), len(self._lines))

    @property
    def _results(self) -> Path:
        # The workspace may have been moved since: only the last part of the recorded path is used.
        name = (self._entry.results_dir or "none yet").replace("\\", "/").rstrip("/").split("/")[-1]
        return self._conductor.workspace / OUTPUT / "results" / name

    def _known(self) -> HandleStatus:
        """Return what is known without asking anybody."""
        entry, told = self._entry, self._told
        reached = next((found for line in reversed(self._lines) if (found := read_progress(line)) is not None), None)
        reached = reached or Standing(entry.steps_before, entry.stop_at)
        over = entry.phase.over
        steps = entry.steps_after if over and entry.steps_after is not None else reached.steps
        state = (entry.status or entry.phase.value) if over or told is None else told.state.value
        return HandleStatus(
            self.session_id,
            state,
            (entry.error or "") if over or told is None else told.message,
            over,
            steps,
            max(entry.stop_at, reached.target, steps if over else 0),  # the last rollout is whole
            self._run.mean_reward if self._run else reached.reward,
        )

    def __repr__(self) -> str:
        """Return what is known, without asking anybody."""
        return f"<SessionHandle {self._known()}>"

    def _repr_html_(self) -> str:
        known = dataclasses.asdict(self._known())
        rows = [(name.replace("_", " "), value) for name, value in known.items() if value not in (None, "")]
        rows += [("log", line) for line in self._lines[-3:]]
        return html_table(f"Session of {self._entry.scenario} on {self._entry.backend}", (), rows)
