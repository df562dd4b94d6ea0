"""What the dashboard shows, as plain frozen values: no path is opened and nothing is computed here."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from validation_ch7.reporting.curves import Curve


class Tone(StrEnum):
    """How a state is meant to look; the word beside it says the same without colour."""

    GOOD = "good"
    BUSY = "busy"
    PAUSED = "paused"
    BAD = "bad"


@dataclass(frozen=True)
class SessionRow:
    """One session of the chain.

    Attributes:
        began, ended: seconds since the epoch; ``ended`` is None while it runs.
        seconds: how long it took, or takes until now.
    """

    number: int
    session_id: str
    backend: str
    state: str
    tone: Tone
    created: str
    began: float
    ended: float | None
    seconds: float
    steps_before: int
    steps_after: int | None
    reward: float | None
    error: str = ""


@dataclass(frozen=True)
class CheckpointRow:
    """One file of the store.

    Attributes:
        bytes: of the file and of its chunks; ``own_bytes`` is what deleting it alone would free.
        parent: the first digits of its parent's digest, and the parent's steps where it is still here.
        verified: ``ok``, ``not verified``, or what is wrong with it.
        fit: whether the present configuration resumes from it, and what differs.
    """

    kind: str
    name: str
    steps: int | None
    bytes: int
    own_bytes: int
    created: str
    exactness: str
    lost: str
    reward: float | None
    train_reward: float | None
    session_id: str
    digest: str
    parent: str
    parent_steps: int | None
    verified: str
    tone: Tone
    marks: tuple[str, ...] = ()
    reason: str = ""
    fit: str = ""
    differences: tuple[str, ...] = ()


@dataclass(frozen=True)
class DiskPart:
    """Bytes of one kind of file, each file counted once however many names it has."""

    name: str
    bytes: int


@dataclass(frozen=True)
class Disk:
    """What the workspace takes.

    Attributes:
        unshared: bytes that the checkpoints would take without sharing chunks.
        free: bytes left on the disk, or None where that is unknown.
    """

    parts: tuple[DiskPart, ...]
    unshared: int
    free: int | None

    @property
    def total(self) -> int:
        """Bytes of all parts."""
        return sum(part.bytes for part in self.parts)


@dataclass(frozen=True)
class Quota:
    """GPU hours of the week as the service told last."""

    used_s: float
    allowed_s: float
    asked: str
    refresh: str = ""


@dataclass(frozen=True)
class Score:
    """One controller's result in a recorded evaluation, with the interval of its mean."""

    controller: str
    metric: str
    mean: float
    low: float | None
    high: float | None
    episodes: int


@dataclass(frozen=True)
class Evidence:
    """One recorded evaluation or study against baselines."""

    name: str
    written: str
    scores: tuple[Score, ...]
    note: str = ""

    @property
    def greatest(self) -> float:
        """The greatest number that is drawn; at least a little above zero."""
        return max((score.mean if score.high is None else score.high for score in self.scores), default=0.0) or 1.0


@dataclass(frozen=True)
class LogTail:
    """The end of one session's log."""

    session_id: str
    source: str
    lines: tuple[str, ...]


@dataclass(frozen=True)
class Summary:
    """Where the chain stands."""

    title: str
    subtitle: str
    algorithm: str
    steps: int
    target_steps: int
    last_reward: float | None
    best_reward: float | None
    best_steps: int | None
    exactness: str
    newest: str
    saved: str
    next_command: str
    next_reason: str


@dataclass(frozen=True)
class Dashboard:
    """The whole page."""

    written: str
    summary: Summary
    sessions: tuple[SessionRow, ...] = ()
    """Newest first."""
    checkpoints: tuple[CheckpointRow, ...] = ()
    curve: Curve = field(default_factory=Curve)
    disk: Disk | None = None
    quota: Quota | None = None
    evidence: tuple[Evidence, ...] = ()
    log: LogTail | None = None
    faults: tuple[str, ...] = ()

    @property
    def running(self) -> bool:
        """Whether a session is under way."""
        return any(row.tone is Tone.BUSY for row in self.sessions)
