"""Where a chain of sessions stands, read from the journal and the checkpoints; nothing is changed."""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from validation_ch7.checkpoints.inventory import Item, Kind, Standing
from validation_ch7.checkpoints.metadata import BestModel
from validation_ch7.config import SectionConfig
from validation_ch7.errors import SessionFailedError, StorageError
from validation_ch7.files import confined
from validation_ch7.journal import Journal, JournalEntry, JournalFault
from validation_ch7.planning import next_step
from validation_ch7.session import read_summary

PROGRAM = "python -m validation_ch7"
_CUT = frozenset({"failed", "killed", "interrupted", "timeout", "cancelled"})


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
    newest: Item | None
    """The checkpoint that the next run resumes from."""
    damaged: tuple[Item, ...]
    """Newer ones that it passes over."""
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
    journal: Journal,
    items: Sequence[Item],
    best: BestModel | None,
    config: SectionConfig,
    flags: Sequence[str] = (),
) -> ChainStanding:
    """Return where the chain of ``config`` stands.

    Args:
        items: what its store holds, newest first; those after the first that is intact may be left out.
        flags: flags that the next command needs in order to mean the same chain.
    """
    entries = [
        entry for entry in journal.entries() if (entry.section, entry.scenario) == (config.section, config.scenario)
    ]
    newest, damaged = _newest(items)
    steps, target = (newest.steps or 0) if newest else 0, config.training.n_timesteps
    if entries and entries[0].target_steps:
        target = entries[0].target_steps
    unfinished = tuple(entry for entry in entries if not entry.phase.over)
    flags = [*flags, *_algorithm_flags(newest, config)]
    evaluated = not entries or entries[0].status not in _CUT
    more, reason = next_step(steps, target, unfinished, config.training.n_timesteps, evaluated=evaluated)
    if damaged and newest is None and not unfinished:
        more, reason = ("--fresh", *more), "no checkpoint can be used; this archives them and starts training at step 0"
    return ChainStanding(
        section=config.section,
        scenario=config.scenario,
        steps=steps,
        target_steps=target,
        newest=newest,
        damaged=damaged,
        best=best,
        sessions=tuple(SessionLine(entry, session_reward(entry, journal.folder.parent)) for entry in entries),
        unfinished=unfinished,
        faults=tuple(journal.faults()),
        next_command=" ".join([PROGRAM, "run", quoted([*flags, *more])]).strip(),
        next_reason=reason,
    )


def _newest(items: Sequence[Item]) -> tuple[Item | None, tuple[Item, ...]]:
    """Return the newest checkpoint that is not damaged, and the damaged ones before it."""
    damaged: list[Item] = []
    for item in items:
        if item.kind is Kind.CHECKPOINT and item.standing is not Standing.DAMAGED:
            return item, tuple(damaged)
        if item.kind is Kind.CHECKPOINT:
            damaged.append(item)
    return None, tuple(damaged)


def _algorithm_flags(newest: Item | None, config: SectionConfig) -> list[str]:
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
