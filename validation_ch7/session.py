"""What goes into a session and what comes out of it: the plan, the summary, the list of outputs.

The manager writes the plan, the session reads it; the session writes summary and output manifest, the
manager reads them. Nothing else passes between the two, on any backend.
"""

from __future__ import annotations

import os
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from validation_ch7.errors import SessionFailedError
from validation_ch7.files import commit_bytes, confined, json_bytes, sha256_file
from validation_ch7.schema import Document, load_json, parse_document

PLAN_NAME = "session_plan.json"
SUMMARY_NAME = "session_summary.json"
OUTPUT_MANIFEST_NAME = "output_manifest.json"
LOG_NAME = "session.log"
MODELS_FOLDER = "data/models"
LOGS_FOLDER = "data/logs"

Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Steps = Annotated[int, Field(ge=0)]


class Exactness(StrEnum):
    """How a resumed run relates to an uninterrupted one."""

    EXACT = "exact"
    """Everything was captured: the same numbers, bit for bit."""
    STATISTICAL = "statistical"
    """Some environment state was not captured: the same distribution."""
    WEIGHTS_ONLY = "weights-only"
    """A foreign zip: only the weights were restored."""


class SummaryStatus(StrEnum):
    """How the session ended, as the session itself saw it."""

    COMPLETED = "completed"
    """The target, or the limit of this session, was reached."""
    STOPPED_AT_DEADLINE = "stopped_at_deadline"
    INTERRUPTED = "interrupted"
    ALREADY_COMPLETE = "already_complete"
    FAILED = "failed"


def ending_in_words(status: str) -> str:
    """Return how a session ended as people say it.

    >>> ending_in_words("already_complete"), ending_in_words("failed")
    ('the target was met already', 'failed')
    """
    words = {
        SummaryStatus.ALREADY_COMPLETE.value: "the target was met already",
        SummaryStatus.STOPPED_AT_DEADLINE.value: "stopped before the session's time was up",
    }
    return words.get(status, status)


class SessionPlan(Document):
    """Everything that a session is told."""

    format: Literal["validation-ch7-session-plan"] = "validation-ch7-session-plan"
    version: Literal[1] = 1
    session_id: str
    section: str
    scenario: str
    config: dict[str, Any]
    """The resolved ``SectionConfig``, as plain data."""
    stop_at: Steps
    """Cumulative steps at which this session ends."""
    target_steps: Steps
    """Cumulative steps at which the chain ends; the horizon of schedules."""
    quick: bool = False
    parent: Digest | None = None
    """Identity of the checkpoint that must be resumed; without it the session starts at zero."""
    limit_s: Annotated[float, Field(gt=0)]
    """Wall time of this session from the start of its process [s]."""
    margin_s: Annotated[float, Field(ge=0)] = 0.0
    """Part of the limit that is kept free for saving and uploading [s]."""
    code_sha256: Digest | None = None
    """Digest of the code that the session must run."""
    trust_foreign: bool = False
    """Whether pickles beside a foreign checkpoint may be read."""


class SessionSummary(Document):
    """What happened in a session; says no more than what happened."""

    format: Literal["validation-ch7-session-summary"] = "validation-ch7-session-summary"
    version: Literal[1] = 1
    session_id: str
    section: str
    scenario: str
    status: SummaryStatus
    steps_before: Steps
    steps_after: Steps
    stop_at: Steps
    target_steps: Steps
    resumed_from: str | None = None
    exactness: Exactness = Exactness.EXACT
    device: str = "cpu"
    mean_reward: float | None = None
    metrics: dict[str, float] = Field(default_factory=dict)
    warnings: list[str] = Field(default_factory=list)
    error: str | None = None
    started: str = ""
    ended: str = ""
    environment: dict[str, str] = Field(default_factory=dict)
    """Facts of the machine: python, torch, CUDA, network."""


class OutputFile(Document):
    """One file that the session left."""

    bytes: Annotated[int, Field(ge=0)]
    sha256: Digest


class OutputManifest(Document):
    """Every file that the session left, written last: without it there is no success."""

    format: Literal["validation-ch7-output-manifest"] = "validation-ch7-output-manifest"
    version: Literal[1] = 1
    session_id: str
    files: dict[str, OutputFile]
    """POSIX paths relative to the folder of the manifest."""


def training_tree(base: Path, scenario: str, default_scenario: str) -> Path:
    """Return the folder of a scenario's checkpoints below ``base``, a section's folder.

    >>> training_tree(Path("s"), "city", "city").as_posix(), training_tree(Path("s"), "ring", "city").as_posix()
    ('s/data/models', 's/data/models/ring')
    """
    models = base / MODELS_FOLDER
    return models if scenario == default_scenario else models / scenario


def logs_tree(base: Path, scenario: str) -> Path:
    """Return the folder of a scenario's logs below ``base``; each session has its own folder in it.

    >>> logs_tree(Path("s"), "city").as_posix()
    's/data/logs/city'
    """
    return base / LOGS_FOLDER / scenario


def list_outputs(folder: Path, session_id: str) -> OutputManifest:
    """Return the manifest of every file below ``folder``, its own file left out."""
    files = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and name != OUTPUT_MANIFEST_NAME and not path.name.startswith("."):
            files[name] = OutputFile(bytes=path.stat().st_size, sha256=sha256_file(path))
    return OutputManifest(session_id=session_id, files=files)


def write_document(path: Path, document: Document) -> None:
    """Make ``document`` appear at ``path`` as JSON, whole or not at all."""
    commit_bytes(path, json_bytes(document.model_dump(mode="json")))


def read_plan(path: Path) -> SessionPlan:
    """Return the plan of a session.

    Raises:
        SessionFailedError: it is missing or malformed.
    """
    return parse_document(SessionPlan, load_json(path, SessionFailedError), path, SessionFailedError)


def read_summary(folder: Path) -> SessionSummary | None:
    """Return the summary in ``folder``, or None where the session died before it wrote one.

    Raises:
        SessionFailedError: it is malformed.
    """
    path = folder / SUMMARY_NAME
    if not path.is_file():
        return None
    return parse_document(SessionSummary, load_json(path, SessionFailedError), path, SessionFailedError)


def read_output_manifest(folder: Path) -> OutputManifest | None:
    """Return the output manifest in ``folder``, or None where the session died before it wrote one.

    Raises:
        SessionFailedError: it is malformed.
    """
    path = folder / OUTPUT_MANIFEST_NAME
    if not path.is_file():
        return None
    return parse_document(OutputManifest, load_json(path, SessionFailedError), path, SessionFailedError)


def output_faults(folder: Path, manifest: OutputManifest) -> list[str]:
    """Return one line for every file of ``manifest`` that is missing or differs in ``folder``."""
    faults = []
    for name, entry in manifest.files.items():
        path = confined(folder, name)
        if not path.is_file():
            faults.append(f"{name}: missing")
        elif (size := path.stat().st_size) != entry.bytes:
            faults.append(f"{name}: {size} bytes instead of {entry.bytes}")
        elif sha256_file(path) != entry.sha256:
            faults.append(f"{name}: content differs from its digest")
    return faults


def input_root() -> Path:
    """Return the folder below which a session finds its bundle."""
    return Path(os.environ.get("VALIDATION_INPUT_ROOT", "/kaggle/input"))


def working_root() -> Path:
    """Return the folder in which a session leaves its outputs."""
    return Path(os.environ.get("VALIDATION_WORKING_ROOT", "/kaggle/working"))
