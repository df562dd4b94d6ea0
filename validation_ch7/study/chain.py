"""A chain of a study as plain data: what is to be done, what came of it, and what is written down of it.

A task says everything that a machine needs to know that has never heard of the study, so it can be sent to one.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import Field

from validation_ch7.checkpoints.manifest import utc_now
from validation_ch7.checkpoints.store import CheckpointStore
from validation_ch7.config import Overrides, SectionConfig, load_section, parse_section
from validation_ch7.errors import WorkspaceError
from validation_ch7.files import json_bytes, sha256_bytes
from validation_ch7.schema import Document, load_json, parse_document
from validation_ch7.session import Digest, Steps, training_tree, write_document
from validation_ch7.study.layout import StudyFolder
from validation_ch7.study.spec import StudySpec


class ChainStatus(StrEnum):
    """What became of a chain."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    """Its final checkpoint was verified."""
    INTERRUPTED = "interrupted"
    FAILED = "failed"


@dataclass(frozen=True)
class ChainTask:
    """One chain to train."""

    study: str
    chain_id: str
    workspace: str
    """Where its tree and outputs live, on the machine that trains it."""
    code: str
    """Where the code of its sessions is unpacked."""
    section: str
    section_yaml: str
    """The section's file as it was when the study began."""
    algorithm: str
    scenario: str
    seed: int
    target_steps: int
    config_sha256: str
    """Digest of what decides the numbers; see :func:`config_digest`."""
    session_timesteps: int | None = None
    session_hours: float | None = None
    backend: str = "local"
    location: str | None = None

    def config(self) -> SectionConfig:
        """Return the configuration of the chain, resolved."""
        return parse_section(yaml.safe_load(self.section_yaml), self.overrides(), f"section of {self.chain_id}")

    def overrides(self) -> Overrides:
        """Return what the study says beside the section's file."""
        return Overrides(
            scenario=self.scenario,
            algorithm=self.algorithm,
            timesteps=self.target_steps,
            session_timesteps=self.session_timesteps,
            session_hours=self.session_hours,
            seed=self.seed,
        )

    def store(self) -> CheckpointStore:
        """Return the training tree of the chain on this machine."""
        config = self.config()
        base = Path(self.workspace) / "validation_ch7" / self.section
        return CheckpointStore(training_tree(base, self.scenario, config.default_scenario), self.scenario)


@dataclass(frozen=True)
class ChainResult:
    """What came of one attempt to train a chain."""

    chain_id: str
    status: ChainStatus
    steps: int
    digest: str | None = None
    """Digest over weights and training state of the final checkpoint: equal for equal training."""
    exactness: str | None = None
    sessions: int = 0
    """Sessions of this attempt."""
    error: str | None = None
    exit_code: int = 0


class ChainRecord(Document):
    """What is written down of a chain."""

    format: Literal["validation-ch7-study-chain"] = "validation-ch7-study-chain"
    version: Literal[1] = 1
    chain_id: str
    algorithm: str
    scenario: str
    seed: int
    target_steps: Steps
    config_sha256: Digest
    status: ChainStatus = ChainStatus.WAITING
    steps: Steps = 0
    digest: Digest | None = None
    exactness: str | None = None
    sessions: Annotated[int, Field(ge=0)] = 0
    error: str | None = None
    exit_code: int = 0
    updated: str = ""
    """UTC, ISO 8601."""

    @classmethod
    def of(cls, task: ChainTask) -> ChainRecord:
        """Return the record of a chain that nobody has begun."""
        names = ("chain_id", "algorithm", "scenario", "seed", "target_steps", "config_sha256")
        return cls(**{name: getattr(task, name) for name in names})

    def after(self, result: ChainResult) -> ChainRecord:
        """Return the record with what one more attempt brought."""
        names = ("status", "steps", "digest", "exactness", "error", "exit_code")
        changes = {name: getattr(result, name) for name in names}
        return self.model_copy(update={**changes, "sessions": self.sessions + result.sessions, "updated": utc_now()})

    def write(self, folder: StudyFolder) -> None:
        """Make this record durable."""
        write_document(folder.chain_record(self.chain_id), self)


def read_chain(folder: StudyFolder, chain_id: str) -> ChainRecord | None:
    """Return what is written down of a chain, or None where there is nothing.

    Raises:
        WorkspaceError: the file is malformed.
    """
    path = folder.chain_record(chain_id)
    if not path.is_file():
        return None
    return parse_document(ChainRecord, load_json(path, WorkspaceError), path, WorkspaceError, "remove this file")


def config_digest(config: SectionConfig) -> str:
    """Return the digest of everything in a configuration that decides the numbers of a training."""
    plain = config.plain()
    return sha256_bytes(
        json_bytes({key: plain[key] for key in ("section", "scenario", "seed", "training", "environment")})
    )


def chain_tasks(spec: StudySpec, folder: StudyFolder, section_path: Path) -> list[ChainTask]:
    """Return the chains of a study, seed by seed, so that a study which breaks off has compared something.

    Raises:
        ConfigurationError: the section's file does not know an algorithm or a scenario.
    """
    text = section_path.read_text(encoding="utf-8")
    return [
        _task(spec, folder, section_path, text, algorithm, scenario, seed)
        for seed in spec.training_seeds
        for scenario, algorithm in spec.pairs
    ]


def _task(
    spec: StudySpec, folder: StudyFolder, path: Path, text: str, algorithm: str, scenario: str, seed: int
) -> ChainTask:
    target = spec.target_of(algorithm)
    chosen = Overrides(scenario=scenario, algorithm=algorithm, seed=seed, timesteps=target)
    config = load_section(path, chosen)
    chain_id = f"{algorithm}-{scenario}-{seed}"
    return ChainTask(
        study=spec.name,
        chain_id=chain_id,
        workspace=str(folder.workspace(chain_id)),
        code=str(folder.code),
        section=config.section,
        section_yaml=text,
        algorithm=algorithm,
        scenario=scenario,
        seed=seed,
        target_steps=config.training.n_timesteps,
        config_sha256=config_digest(config),
        session_timesteps=spec.session_timesteps,
        session_hours=spec.session_hours,
        backend=spec.backend,
        location=spec.location,
    )
