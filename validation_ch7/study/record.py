"""A study as it was run last: what was asked for, by which code, and when."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from validation_ch7 import __version__
from validation_ch7.checkpoints.manifest import utc_now
from validation_ch7.errors import WorkspaceError
from validation_ch7.files import make_folder
from validation_ch7.schema import Document, load_json, parse_document
from validation_ch7.session import write_document
from validation_ch7.study.layout import StudyFolder
from validation_ch7.study.spec import StudySpec


class StudyRecord(Document):
    """What is written down of a study."""

    format: Literal["validation-ch7-study"] = "validation-ch7-study"
    version: Literal[1] = 1
    spec: StudySpec
    chains: tuple[str, ...]
    small: bool
    """Whether it falls short of the full protocol, or of what was planned."""
    executor: str
    began: str
    """UTC, ISO 8601."""
    updated: str
    software: dict[str, str] = Field(default_factory=dict)

    def plain(self) -> dict[str, Any]:
        """Return the record as data that JSON can hold."""
        return self.model_dump(mode="json")


def read_study(folder: StudyFolder) -> StudyRecord | None:
    """Return what is written down of a study, or None where it was never run.

    Raises:
        WorkspaceError: the file is malformed.
    """
    if not folder.record.is_file():
        return None
    data = load_json(folder.record, WorkspaceError)
    return parse_document(StudyRecord, data, folder.record, WorkspaceError, "remove this file: a run writes it again")


def write_study(folder: StudyFolder, spec: StudySpec, chains: tuple[str, ...], executor: str) -> StudyRecord:
    """Write down that a study is run, and return what was written."""
    before, now = read_study(folder), utc_now()
    record = StudyRecord(
        spec=spec,
        chains=chains,
        small=spec.small,
        executor=executor,
        began=before.began if before else now,
        updated=now,
        software={"validation_ch7": __version__},
    )
    make_folder(folder.root)
    write_document(folder.record, record)
    return record
