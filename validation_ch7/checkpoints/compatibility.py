"""Whether a checkpoint fits a model, decided before anything is loaded.

Facts of both sides are compared as text, so the comparison needs neither the checkpoint's weights nor its
classes. Only what makes weights unusable is incompatible; budgets, logging and evaluation are no facts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

import numpy as np
from gymnasium import spaces
from stable_baselines3.common.base_class import BaseAlgorithm

from validation_ch7.checkpoints.manifest import Compatibility, Manifest
from validation_ch7.errors import CheckpointIncompatibleError
from validation_ch7.files import sha256_bytes


class Verdict(StrEnum):
    """What a difference means."""

    INCOMPATIBLE = "incompatible"
    WARNING = "warning"


@dataclass(frozen=True)
class Difference:
    """One fact that differs."""

    name: str
    verdict: Verdict
    checkpoint: str
    current: str
    remedy: str

    def __str__(self) -> str:
        """One line, with both values.

        >>> print(Difference("Architecture", Verdict.INCOMPATIBLE, "[64, 64]", "[128, 128]", ""))
        Architecture: checkpoint=[64, 64], current=[128, 128]
        """
        return f"{self.name}: checkpoint={self.checkpoint}, current={self.current}"


@dataclass(frozen=True)
class CompatibilityReport:
    """All differences between a checkpoint and the current model."""

    differences: tuple[Difference, ...]
    steps: int | None = None
    """Steps of the checkpoint that was compared."""
    reward: float | None = None
    """Its mean evaluation reward, or that of its last training episodes, where it is known."""
    manifest: bool = True
    """Whether there was a manifest to compare; without one only shapes are compared, at loading."""

    @property
    def compatible(self) -> bool:
        """Whether the checkpoint can be resumed."""
        return not self.incompatibilities

    @property
    def incompatibilities(self) -> tuple[Difference, ...]:
        """What makes the weights unusable."""
        return tuple(item for item in self.differences if item.verdict is Verdict.INCOMPATIBLE)

    @property
    def warnings(self) -> tuple[Difference, ...]:
        """What differs while resuming goes on."""
        return tuple(item for item in self.differences if item.verdict is Verdict.WARNING)

    def __bool__(self) -> bool:
        """The same as ``compatible``."""
        return self.compatible


_FRESH = "give the run the checkpoint's value, or archive the checkpoint with --fresh"
_SEED = "the random generators go on from the checkpoint; the current seed counts only with --fresh"
_INCOMPATIBLE_FACTS = {
    "algorithm": "Algorithm",
    "observation_space": "Observation space",
    "action_space": "Action space",
    "policy": "Policy class",
    "architecture": "Architecture",
    "activation": "Activation",
    "vec_normalize": "VecNormalize",
}


def compare(checkpoint: Compatibility, current: Compatibility) -> tuple[Difference, ...]:
    """Return every difference between two sets of facts, the incompatible ones first."""
    differences = [
        Difference(label, Verdict.INCOMPATIBLE, str(old), str(new), _FRESH)
        for fact, label in _INCOMPATIBLE_FACTS.items()
        if (old := getattr(checkpoint, fact)) != (new := getattr(current, fact))
    ]
    if checkpoint.n_envs != current.n_envs:
        remedy = "the run goes on with fresh environments (statistical); set n_envs back for an exact resume"
        old, new = str(checkpoint.n_envs), str(current.n_envs)
        differences.append(Difference("Number of environments", Verdict.WARNING, old, new, remedy))
    differences += [
        replace(item, remedy=_SEED) if item.name == "seed" else item
        for item in _differing(checkpoint.hyperparameters, current.hyperparameters, "the current value is used")
    ]
    differences += _differing(
        checkpoint.environment,
        current.environment,
        "the current value is used from the next episode on",
        "environment.",
    )
    return tuple(differences)


def _differing(old: Mapping[str, str], new: Mapping[str, str], remedy: str, prefix: str = "") -> list[Difference]:
    names = sorted(name for name in old.keys() | new.keys() if old.get(name) != new.get(name))
    absent = "not recorded"
    return [
        Difference(prefix + name, Verdict.WARNING, old.get(name, absent), new.get(name, absent), remedy)
        for name in names
    ]


def report(
    manifest: Manifest, current: Compatibility, software: Mapping[str, str] | None = None
) -> CompatibilityReport:
    """Return the comparison of a checkpoint's manifest with the facts of the current model."""
    here = dict(software or {})
    if "device" not in manifest.software:  # older manifests do not name it
        here.pop("device", None)
    versions = (
        _differing(manifest.software, here, "the run goes on; numbers may differ in their last bits") if here else []
    )
    return CompatibilityReport(
        (*compare(manifest.compatibility, current), *versions),
        steps=manifest.steps,
        reward=manifest.metrics.get("mean_reward", manifest.metrics.get("train_reward")),
    )


def require(outcome: CompatibilityReport, where: object, command: str = "") -> None:
    """Refuse an incompatible checkpoint.

    Raises:
        CheckpointIncompatibleError: with every difference in one message.
    """
    if outcome.compatible:
        return
    fresh = f"--fresh archives them and starts at zero{': ' + command if command else ''}"
    raise CheckpointIncompatibleError(
        "INCOMPATIBILITY DETECTED: the checkpoint belongs to another model; nothing was changed.",
        where=where,
        found="\n            ".join(f"{item}" for item in outcome.incompatibilities),
        remedy=f"give the run the checkpoint's values, or start anew: {fresh}",
    )


def describe_model(model: BaseAlgorithm, environment: Mapping[str, Any] | None = None) -> Compatibility:
    """Return the facts of a model; ``environment`` adds facts that only the caller knows."""
    policy = model.policy
    activation = getattr(policy, "activation_fn", None)
    return Compatibility(
        algorithm=type(model).__name__,
        observation_space=describe_space(model.observation_space),
        action_space=describe_space(model.action_space),
        policy=type(policy).__name__,
        architecture=describe_architecture(getattr(policy, "net_arch", None)),
        activation=activation.__name__ if isinstance(activation, type) else str(activation),
        vec_normalize=model.get_vec_normalize_env() is not None,
        n_envs=model.n_envs,
        hyperparameters=_hyperparameters(model),
        environment={name: str(value) for name, value in (environment or {}).items()},
    )


def describe_space(space: spaces.Space[Any]) -> str:
    """Return a space as one line that differs where weights would not fit.

    >>> describe_space(spaces.Discrete(4))
    'Discrete(4)'
    >>> describe_space(spaces.Box(0, 1, (3,), np.float32))
    'Box(0.0, 1.0, (3,), float32)'
    """
    if isinstance(space, spaces.Box):
        return f"Box({_bounds(space.low)}, {_bounds(space.high)}, {space.shape}, {space.dtype})"
    if isinstance(space, spaces.Dict):
        return "Dict(" + ", ".join(f"{key}: {describe_space(part)}" for key, part in space.spaces.items()) + ")"
    if isinstance(space, spaces.Tuple):
        return "Tuple(" + ", ".join(describe_space(part) for part in space.spaces) + ")"
    return str(space)


def _bounds(bounds: Any) -> str:
    flat = np.unique(bounds)
    return str(flat[0]) if len(flat) == 1 else f"bounds {sha256_bytes(np.ascontiguousarray(bounds).tobytes())[:8]}"


def describe_architecture(net_arch: Any) -> str:
    """Return the layer widths; actor and critic are named only where they differ.

    >>> describe_architecture({"pi": [64, 64], "vf": [64, 64]}), describe_architecture({"pi": [8], "vf": [4]})
    ('[64, 64]', "{'pi': [8], 'vf': [4]}")
    """
    if isinstance(net_arch, Mapping):
        parts = list(net_arch.values())
        same = bool(parts) and all(part == parts[0] for part in parts)
        return str(list(parts[0])) if same else str(dict(net_arch))
    return str(net_arch if net_arch is None else list(net_arch))


_HYPERPARAMETERS = (
    "learning_rate", "n_steps", "batch_size", "n_epochs", "gamma", "gae_lambda", "clip_range", "clip_range_vf",
    "ent_coef", "vf_coef", "max_grad_norm", "use_sde", "sde_sample_freq", "target_kl", "buffer_size",
    "learning_starts", "tau", "train_freq", "gradient_steps", "target_update_interval", "exploration_fraction",
    "exploration_initial_eps", "exploration_final_eps", "policy_delay", "target_policy_noise", "target_noise_clip",
    "optimize_memory_usage", "seed",
)  # fmt: skip


def _hyperparameters(model: BaseAlgorithm) -> dict[str, str]:
    return {name: _text(getattr(model, name)) for name in _HYPERPARAMETERS if hasattr(model, name)}


def _text(value: Any) -> str:
    if callable(value):
        points = tuple(float(f"{float(value(progress)):.12g}") for progress in (1.0, 0.5, 0.0))
        return str(points[0]) if len(set(points)) == 1 else f"schedule{points}"
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return str(tuple(getattr(part, "value", part) for part in value))
    return str(value)
