"""The agent that a chain ended with, as a controller like any other: its final checkpoint, never its best episode."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from stable_baselines3.common.base_class import BaseAlgorithm

from validation_ch7.checkpoints import CheckpointStore
from validation_ch7.checkpoints.compatibility import describe_model, report, require
from validation_ch7.checkpoints.resume import restore_policy
from validation_ch7.config import SectionConfig
from validation_ch7.errors import CheckpointNotFoundError
from validation_ch7.traffic import Simulator
from validation_ch7.traffic.arrays import Integers
from validation_ch7.training.algorithms import build_training


class AgentController:
    """A trained model that decides for all rows of a simulator at once, deterministically.

    Args:
        model: with the statistics of its ``VecNormalize``, if it has one.
        switches: whether its actions mean "keep" and "next phase" instead of naming the phase.
    """

    def __init__(self, model: BaseAlgorithm, switches: bool) -> None:
        self._model = model
        self._switches = switches
        self._normalizer = model.get_vec_normalize_env()
        self._memory: Any = None

    def decide(self, simulator: Simulator) -> Integers:
        """Return the phases wanted, (rows, intersections)."""
        shape = simulator.size, simulator.layout.intersections
        seen: Any = simulator.step(np.full(shape, -1, np.int64))  # observes, and moves nothing
        if self._normalizer is not None:
            seen = self._normalizer.normalize_obs(seen)
        starts = simulator.clock == 0
        actions, self._memory = self._model.predict(
            seen, state=None if starts.all() else self._memory, episode_start=starts, deterministic=True
        )
        wanted = np.asarray(actions, np.int64).reshape(shape)
        return (simulator.signal[:, :, 1] + wanted) % simulator.layout.phases if self._switches else wanted


def final_checkpoint(store: CheckpointStore, target_steps: int) -> Path:
    """Return the checkpoint at the end of a chain.

    Raises:
        CheckpointNotFoundError: the chain has not come to its end.
    """
    steps = store.newest_steps()
    if steps is None or steps < target_steps:
        raise CheckpointNotFoundError(
            "The chain has not come to its end, so there is no final agent to judge.",
            where=store.folder,
            expected=f"a checkpoint of {target_steps} steps",
            found="none" if steps is None else f"{steps} steps",
            remedy="run the study again: the chain goes on where it stopped",
        )
    return store.path(steps)


def load_agent(config: SectionConfig, root: Path) -> tuple[AgentController, str]:
    """Return the final agent of a chain, and the digest of its checkpoint; no pickle is read.

    Args:
        config: how it was trained.
        root: root of its checkpoint store.

    Raises:
        CheckpointError: the chain is not at its end, or its final checkpoint is corrupt or of another model.
        ConfigurationError: the configuration builds no model.
    """
    store = CheckpointStore(root, config.scenario)
    path = final_checkpoint(store, config.training.n_timesteps)
    archive = store.read(path)
    model = build_training(config)
    try:
        require(report(archive.manifest, describe_model(model, config.environment_facts())), path)
        restore_policy(model, archive)
    finally:
        if model.env is not None:
            model.env.close()
    return AgentController(model, config.environment.signal.action == "switch"), archive.manifest.digest
