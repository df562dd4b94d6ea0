"""``training_metadata.json``: the newest and the best of a store, for people and for tools.

Everything in it is derived from manifests; it can be deleted without loss.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

from validation_ch7.checkpoints.manifest import Manifest
from validation_ch7.errors import CheckpointCorruptError
from validation_ch7.schema import Document, load_json, parse_document
from validation_ch7.session import Digest, Exactness, Steps


class BestModel(Document):
    """The best model of a store, as its own manifest describes it."""

    steps: Steps
    digest: Digest
    metrics: dict[str, float]

    @classmethod
    def of(cls, manifest: Manifest) -> Self:
        """Return the description of the model that ``manifest`` belongs to."""
        return cls(steps=manifest.steps, digest=manifest.digest, metrics=manifest.metrics)

    @property
    def reward(self) -> float | None:
        """Its mean evaluation reward."""
        return self.metrics.get("mean_reward")


class TrainingMetadata(Document):
    """Where a chain stands."""

    format: Literal["validation-ch7-training-metadata"] = "validation-ch7-training-metadata"
    version: Literal[1] = 1
    scenario: str
    algorithm: str
    steps: Steps
    exactness: Exactness
    session_id: str
    updated: str
    checkpoint: Digest
    metrics: dict[str, float]
    best: BestModel | None = None

    @classmethod
    def of(cls, manifest: Manifest, best: BestModel | None) -> Self:
        """Return the metadata of a store whose newest checkpoint ``manifest`` describes."""
        return cls(
            scenario=manifest.scenario,
            algorithm=manifest.compatibility.algorithm,
            steps=manifest.steps,
            exactness=manifest.exactness,
            session_id=manifest.session_id,
            updated=manifest.created,
            checkpoint=manifest.digest,
            metrics=manifest.metrics,
            best=best,
        )


def read_metadata(path: Path) -> TrainingMetadata | None:
    """Return the metadata at ``path``, or None where there is no such file.

    Raises:
        CheckpointCorruptError: it is malformed.
    """
    if not path.is_file():
        return None
    remedy = "it is derived from the checkpoints: delete it, the next save writes it anew"
    return parse_document(
        TrainingMetadata, load_json(path, CheckpointCorruptError), path, CheckpointCorruptError, remedy
    )
