"""Where a study stands, read from its folder; nothing is changed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from validation_ch7.checkpoints import naming
from validation_ch7.checkpoints.lock import owner_of
from validation_ch7.journal import Journal
from validation_ch7.study.chain import ChainRecord, ChainStatus, read_chain
from validation_ch7.study.layout import StudyFolder
from validation_ch7.study.record import StudyRecord, read_study


@dataclass(frozen=True)
class ChainStanding:
    """Where one chain stands."""

    record: ChainRecord
    status: ChainStatus
    steps: int
    """Of the newest checkpoint, that of a session at work included."""

    @property
    def share(self) -> float:
        """Part of the target that is done, 0 to 1."""
        return min(1.0, self.steps / self.record.target_steps)


@dataclass(frozen=True)
class StudyStanding:
    """Where a study stands."""

    study: StudyRecord
    driver: str | None
    """Who works on it now, or None."""
    chains: tuple[ChainStanding, ...]

    def count(self, status: ChainStatus) -> int:
        """Return how many chains are in this state."""
        return sum(chain.status is status for chain in self.chains)


def read_standing(folder: StudyFolder) -> StudyStanding | None:
    """Return where a study stands, or None where it was never run.

    Raises:
        WorkspaceError: a file of it is malformed.
    """
    study = read_study(folder)
    if study is None:
        return None
    driver = owner_of(folder.root)
    records = [record for name in study.chains if (record := read_chain(folder, name))]
    return StudyStanding(study, driver, tuple(_chain(folder, record, study, driver) for record in records))


def _chain(folder: StudyFolder, record: ChainRecord, study: StudyRecord, driver: str | None) -> ChainStanding:
    workspace = folder.workspace(record.chain_id)
    if record.status is ChainStatus.DONE:
        return ChainStanding(record, record.status, record.steps)
    sessions = workspace / "validation_output" / "sessions"
    at_work = bool(Journal(sessions).unfinished(study.spec.section, record.scenario))
    steps = max(record.steps, newest_steps(workspace, record.scenario))
    if at_work and driver is not None:
        return ChainStanding(record, ChainStatus.RUNNING, steps)
    begun = record.status is ChainStatus.WAITING and (at_work or steps > 0)
    return ChainStanding(record, ChainStatus.INTERRUPTED if begun else record.status, steps)


def newest_steps(workspace: Path, scenario: str) -> int:
    """Return the steps of the newest checkpoint in a chain's workspace, in its tree or in a session's folder."""
    trees = workspace.glob(f"validation_ch7/*/data/models/**/{naming.CHECKPOINTS}")
    sessions = workspace.glob(f"validation_output/local_sessions/*/working/*/data/models/**/{naming.CHECKPOINTS}")
    return max((steps for folder in (*trees, *sessions) for steps in _steps(folder.glob("*.zip"), scenario)), default=0)


def _steps(paths: Iterable[Path], scenario: str) -> list[int]:
    return [steps for path in paths if (steps := naming.checkpoint_steps(path.name, scenario)) is not None]
