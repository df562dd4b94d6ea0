"""Where a chain of sessions stands, read from the journal and the checkpoints; nothing is changed."""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from validation_ch7.checkpoints.metadata import BestModel
from validation_ch7.checkpoints.store import CheckpointStore, StoredCheckpoint
from validation_ch7.config import SectionConfig
from validation_ch7.errors import SessionFailedError, StorageError
from validation_ch7.files import confined
from validation_ch7.journal import Journal, JournalEntry, JournalFault
from validation_ch7.session import read_summary

PROGRAM = "python -m validation_ch7"


@dataclass(frozen=True)
class SessionLine:
    """One session of the journal, with the reward that its summary tells."""

    entry: JournalEntry
    reward: float | None

    @property
    def state(self) -> str:
        """How it ended, or how far it came."""
        return (self.entry.status or self.entry.phase.value) if self.entry.phase.over else self.entry.phase.value


@dataclass(frozen=True)
class ChainStanding:
    """Where the chain of one scenario stands."""

    section: str
    scenario: str
    steps: int
    target_steps: int
    newest: StoredCheckpoint | None
    best: BestModel | None
    sessions: tuple[SessionLine, ...]
    """Newest first."""
    unfinished: tuple[JournalEntry, ...]
    faults: tuple[JournalFault, ...]
    next_command: str
    next_reason: str

    @property
    def share(self) -> float:
        """Part of the target that is done, 0 to 1."""
        return min(1.0, self.steps / self.target_steps) if self.target_steps else 0.0

    @property
    def last_reward(self) -> float | None:
        """Mean evaluation reward of the newest session that was evaluated."""
        return next((line.reward for line in self.sessions if line.reward is not None), None)


def read_standing(
    journal: Journal, store: CheckpointStore, config: SectionConfig, flags: Sequence[str] = ()
) -> ChainStanding:
    """Return where the chain of ``config`` stands.

    Args:
        flags: flags that the next command needs in order to mean the same chain.
    """
    entries = [
        entry for entry in journal.entries() if (entry.section, entry.scenario) == (config.section, config.scenario)
    ]
    newest = next(iter(store.entries()), None)
    steps, target = newest.steps if newest else 0, config.training.n_timesteps
    if entries and entries[0].target_steps:
        target = entries[0].target_steps
    unfinished = tuple(entry for entry in entries if not entry.phase.over)
    flags = [*flags, *_algorithm_flags(newest, config)]
    more, reason = next_step(steps, target, unfinished, config.training.n_timesteps)
    return ChainStanding(
        section=config.section,
        scenario=config.scenario,
        steps=steps,
        target_steps=target,
        newest=newest,
        best=store.best(),
        sessions=tuple(SessionLine(entry, session_reward(entry, journal.folder.parent)) for entry in entries),
        unfinished=unfinished,
        faults=tuple(journal.faults()),
        next_command=" ".join([PROGRAM, "run", quoted([*flags, *more])]).strip(),
        next_reason=reason,
    )


def next_step(
    steps: int, target: int, unfinished: Sequence[JournalEntry], configured: int
) -> tuple[tuple[str, ...], str]:
    """Return the flags of the next run, and what it will do.

    >>> next_step(0, 100, (), 100)
    ((), 'starts training at step 0')
    >>> next_step(100, 100, (), 100)
    (('--timesteps', '200'), 'the target is met; this raises it and goes on')
    """
    wanted = () if target == configured else ("--timesteps", str(target))
    if unfinished:
        quick = ("--quick",) if unfinished[0].quick else ()
        return (
            *quick,
            *wanted,
        ), f"attaches to session {unfinished[0].session_id}, which was left {unfinished[0].phase}"
    if steps >= target:
        return ("--timesteps", str(2 * target)), "the target is met; this raises it and goes on"
    return wanted, f"goes on from step {steps:,}" if steps else "starts training at step 0"


def _algorithm_flags(newest: StoredCheckpoint | None, config: SectionConfig) -> list[str]:
    trained = newest.manifest.compatibility.algorithm.lower() if newest and newest.manifest else None
    return ["--algorithm", trained] if trained not in (None, config.training.algorithm) else []


def quoted(words: Sequence[str]) -> str:
    """Return words as one command line of this system's shell."""
    return subprocess.list2cmdline(words) if os.name == "nt" else shlex.join(words)


def session_reward(entry: JournalEntry, output: Path) -> float | None:
    """Return the reward in the summary of a session whose results lie below ``output``, or None."""
    if entry.results_dir is None:
        return None
    # The workspace may have been moved since: only the last part of the recorded path is used.
    name = entry.results_dir.replace("\\", "/").rstrip("/").split("/")[-1]
    try:
        summary = read_summary(confined(output / "results", f"{name}/{entry.section}"))
    except (SessionFailedError, StorageError):
        return None
    return summary.mean_reward if summary else None
