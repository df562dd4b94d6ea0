"""What this machine knows of its sessions on Kaggle: one document each, written before each remote step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Literal

from validation_ch7.errors import WorkspaceError
from validation_ch7.files import confined, make_folder
from validation_ch7.remote.backend import SessionRef
from validation_ch7.schema import Document, load_json, parse_document
from validation_ch7.session import Digest, write_document


class Step(StrEnum):
    """The remote step that was about to be taken."""

    UPLOADING = "uploading"
    PUSHING = "pushing"
    PUSHED = "pushed"


class KaggleSession(Document):
    """What this machine knows of one session on Kaggle."""

    format: Literal["validation-ch7-kaggle-session"] = "validation-ch7-kaggle-session"
    session_id: str
    step: Step
    owner: str
    kernel: str
    dataset: str
    bundle_sha256: Digest
    dataset_version: int | None = None
    kernel_version: int | None = None
    url: str = ""
    gpu: bool = True
    internet: bool = False
    chain: str = ""
    """Slug of the chain that it belongs to, where its kernel is one of two that take turns."""
    pair: str = ""
    """What the names of the two kernels have in common."""
    parent_kernel: str = ""
    """The kernel whose output it reads."""
    parent_version: int = 0
    version_before: int = 0
    """Newest version of its kernel before the push."""

    @property
    def slug(self) -> str:
        """``owner/kernel``."""
        return f"{self.owner}/{self.kernel}"

    @property
    def dataset_slug(self) -> str:
        """``owner/dataset``."""
        return f"{self.owner}/{self.dataset}"

    def ref(self) -> SessionRef:
        """Return what is needed to find it again."""
        return SessionRef("kaggle", self.session_id, self.slug, self.kernel_version)


@dataclass(frozen=True)
class Leavings:
    """What a finished session has left and no unfinished one needs, as ``owner/name``; empty where there is nothing."""

    session: KaggleSession
    kernel: str
    dataset: str


def leavings(sessions: Sequence[KaggleSession], finished: Callable[[str], bool]) -> list[Leavings]:
    """Decide what may be deleted of the sessions that are ``finished``."""
    left = [session for session in sessions if not finished(session.session_id)]
    kernels = {session.slug for session in left} | {f"{session.owner}/{session.parent_kernel}" for session in left}
    datasets = {session.dataset_slug for session in left}
    return [
        Leavings(
            session,
            session.slug if session.slug not in kernels else "",
            session.dataset_slug if session.dataset_slug not in datasets else "",
        )
        for session in sessions
        if session not in left
    ]


class KaggleSessions:
    """The documents of this workspace's sessions on Kaggle, by session id."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read(self, session_id: str) -> KaggleSession | None:
        """Return what is known of the session, or None.

        Raises:
            WorkspaceError: its document cannot be read.
        """
        path = confined(self._folder, f"{session_id}.json")
        if not path.is_file():
            return None
        return parse_document(KaggleSession, load_json(path, WorkspaceError), path, WorkspaceError)

    def write(self, session: KaggleSession) -> KaggleSession:
        """Write the document durably and return it."""
        write_document(confined(make_folder(self._folder), f"{session.session_id}.json"), session)
        return session

    def all(self) -> list[KaggleSession]:
        """Return all documents that can be read."""
        names = sorted(path.stem for path in self._folder.glob("[!.]*.json")) if self._folder.is_dir() else []
        return [session for name in names if (session := self.read(name)) is not None]

    def forget(self, session_id: str) -> None:
        """Remove the document, after its remote traces are gone."""
        confined(self._folder, f"{session_id}.json").unlink(missing_ok=True)
