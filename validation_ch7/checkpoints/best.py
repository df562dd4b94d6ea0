"""The best model of a store: a checkpoint without replay buffer that plain SB3 opens, replaced as a whole."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stable_baselines3.common.base_class import BaseAlgorithm

from validation_ch7.checkpoints.archive import describe_members
from validation_ch7.checkpoints.compatibility import describe_model
from validation_ch7.checkpoints.manifest import Manifest, utc_now
from validation_ch7.checkpoints.resume import state_members
from validation_ch7.checkpoints.saver import software_versions
from validation_ch7.checkpoints.sb3_members import Sb3Members
from validation_ch7.checkpoints.snapshot import take_snapshot
from validation_ch7.checkpoints.store import CheckpointStore
from validation_ch7.session import Exactness


def save_best(
    store: CheckpointStore,
    model: BaseAlgorithm,
    metrics: Mapping[str, float],
    session_id: str = "",
    environment: Mapping[str, Any] | None = None,
) -> Manifest:
    """Replace the best model of ``store`` by the present one, whole or not at all.

    Raises:
        StorageError: the disk refused; the previous best is intact.
    """
    snapshot = take_snapshot(model, "rollout_start")
    sb3 = Sb3Members()
    sb3.prepare(snapshot.attributes)
    members = sb3.members(snapshot) | state_members(snapshot.state, snapshot.arrays)
    manifest = Manifest(
        scenario=store.prefix,
        steps=snapshot.steps,
        session_id=session_id,
        created=utc_now(),
        exactness=Exactness.WEIGHTS_ONLY,
        lost=("replay buffer and callbacks (the best model is for use, not for resuming)",),
        compatibility=describe_model(model, environment),
        software=software_versions(model.device),
        metrics=dict(metrics),
        members=describe_members(members),
    ).sealed()
    store.commit_best(manifest, members)
    return manifest
