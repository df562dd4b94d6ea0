"""Where the parts of a study lie.

::

    <workspace>/validation_output/studies/<name>/
        study.json                  the study as it was run last
        chains/<chain>.json         what became of a chain
        chains/<chain>/             its workspace: training tree, journal, results, chain.log
        evaluation/<task>.json      what became of an evaluation
        code/                       code of the sessions, so that compiled kernels are found again
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

CHAIN_LOG = "chain.log"


@dataclass(frozen=True)
class StudyFolder:
    """The folder of one study."""

    root: Path

    @classmethod
    def of(cls, workspace: Path, name: str) -> StudyFolder:
        """Return the folder of the study ``name`` in a workspace."""
        return cls(workspace.resolve() / "validation_output" / "studies" / name)

    @property
    def record(self) -> Path:
        """The study as it was run last."""
        return self.root / "study.json"

    @property
    def chains(self) -> Path:
        """Records and workspaces of the chains."""
        return self.root / "chains"

    @property
    def evaluation(self) -> Path:
        """One file for each evaluation."""
        return self.root / "evaluation"

    @property
    def code(self) -> Path:
        """Code of the sessions, shared by all chains."""
        return self.root / "code"

    def workspace(self, chain_id: str) -> Path:
        """Return the workspace of a chain."""
        return self.chains / chain_id

    def chain_record(self, chain_id: str) -> Path:
        """Return the file that says what became of a chain."""
        return self.chains / f"{chain_id}.json"
