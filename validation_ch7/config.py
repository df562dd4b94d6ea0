"""What a run is: a section's YAML file and the flags, resolved once into one frozen value.

The file names scenarios (what is trained in) and algorithms (how), in the manner of RL Zoo: per algorithm
``policy``, ``n_timesteps``, ``n_envs``, ``normalize``, ``policy_kwargs``, ``noise_type``, ``noise_std``;
every other key goes to the Stable-Baselines3 constructor. :func:`resolve` picks one of each, applies the
flags, and returns the :class:`SectionConfig` that is echoed, saved and carried into the session unchanged.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import Field, model_validator

from validation_ch7.environment_config import EnvironmentConfig
from validation_ch7.errors import ConfigurationError
from validation_ch7.files import DEVICES
from validation_ch7.notify_config import NotifyConfig
from validation_ch7.schema import Document, load_yaml, parse_document

Positive = Annotated[int, Field(ge=1)]
Steps = Annotated[int, Field(ge=1, le=2**53)]
"""Environment steps; more than a double counts without gaps are nobody's."""
NonNegative = Annotated[float, Field(ge=0)]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,62}$")]

SECTION_FILE = "section.yml"


class NormalizeConfig(Document):
    """Arguments of ``VecNormalize``."""

    norm_obs: bool = True
    norm_reward: bool = True
    clip_obs: Annotated[float, Field(gt=0)] = 10.0
    clip_reward: Annotated[float, Field(gt=0)] = 10.0
    epsilon: Annotated[float, Field(gt=0)] = 1e-8


class TrainingConfig(Document):
    """How the agent is trained."""

    algorithm: Name
    policy: str = "MlpPolicy"
    n_timesteps: Steps
    """Target of the whole chain, cumulative [environment steps]."""
    n_envs: Annotated[int, Field(ge=1, le=65_536)] = 1
    """Environments that are simulated side by side."""
    normalize: NormalizeConfig | None = None
    policy_kwargs: dict[str, Any] | str = Field(default_factory=dict)
    """A mapping, or Zoo's text: ``dict(net_arch=[64, 64], activation_fn=nn.Tanh)``."""
    noise_type: Literal["normal", "ornstein-uhlenbeck"] | None = None
    noise_std: NonNegative = 0.1
    hyperparameters: dict[str, Any] = Field(default_factory=dict)
    """Everything else that the constructor takes; ``lin_3e-4`` is a linear schedule."""
    device: str = "auto"
    torch_threads: Annotated[int, Field(ge=1, le=4096)] = 1
    """Threads of one torch operation; small networks are fastest, and most repeatable, with 1."""


class CheckpointConfig(Document):
    """When the training state is saved and how long it is kept."""

    save_freq: Steps = 10_000
    """Environment steps between two saves."""
    save_interval_s: Annotated[float, Field(gt=0)] = 120.0
    """Longest wall time between two saves [s]."""
    max_keep: Annotated[int, Field(ge=2)] = 2
    keep_every: Annotated[int, Field(ge=1)] | None = None
    """Checkpoints at multiples of so many steps are kept for good."""
    max_bytes: Annotated[int, Field(ge=1)] | None = None
    """Budget of the store; the newest two and the best stay in any case [bytes]."""
    backup_bytes: Annotated[int, Field(ge=1)] = 5_000_000_000
    """Room that backups may take; the newest, and archives of ``--fresh``, stay in any case [bytes]."""
    asynchronous: bool = True
    """Whether a background thread writes, so that training waits for the snapshot only."""
    compress_replay: bool = False
    """Whether replay chunks are compressed (zstd) where that pays; needs the extra ``compression``."""


class EvaluationConfig(Document):
    """How the agent is judged; the same for every controller."""

    freq: Steps = 20_000
    """Environment steps between two evaluations."""
    episodes: Positive = 5
    """Held-out demand seeds of one evaluation."""
    quick_episodes: Positive = 2
    seed: Annotated[int, Field(ge=0)] = 1_000_003
    """First held-out seed; training never draws from these."""


class SessionLimits(Document):
    """How long one session may be."""

    hours: Annotated[float, Field(gt=0)] = 9.0
    """Wall time of a session [h]."""
    margin_minutes: NonNegative = 30.0
    """Part of it kept free on a remote backend for saving and uploading [min]."""
    timesteps: Steps | None = None
    """Steps of one session; without it only the target and the clock end a session."""
    quick_timesteps: Steps = 4096
    """Steps that each ``--quick`` adds."""


class SectionConfig(Document):
    """One run, resolved: nothing is looked up anywhere else afterwards."""

    section: Name
    trains: bool = True
    scenario: Name
    default_scenario: Name
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 42
    training: TrainingConfig
    environment: EnvironmentConfig
    checkpoints: CheckpointConfig = CheckpointConfig()
    evaluation: EvaluationConfig = EvaluationConfig()
    session: SessionLimits = SessionLimits()

    def plain(self) -> dict[str, Any]:
        """Return the configuration as data that JSON can hold; :meth:`from_plain` reads it back."""
        return self.model_dump(mode="json")

    def environment_facts(self) -> dict[str, str]:
        """Return what the compatibility report compares of the environment, one text for each key."""
        facts = _flat(self.environment.model_dump(mode="json"))
        if self.training.normalize is not None:
            facts |= _flat({"normalize": self.training.normalize.model_dump(mode="json")})
        return facts

    def describe(self) -> list[str]:
        """Return the configuration as lines for people; of the environment, what differs from the defaults."""
        plain = self.plain()
        parts = ("training", "checkpoints", "evaluation", "session")
        changed = _changed(plain["environment"], EnvironmentConfig().model_dump(mode="json"))
        environment = _inline(changed) if changed else "the defaults of environment_config.py"
        first = f"[CONFIG] seed: {self.seed}; environment: {environment}"
        return [first, *(f"[CONFIG] {part}: {_inline(plain[part])}" for part in parts)]

    @classmethod
    def from_plain(cls, data: Mapping[str, Any], where: object) -> Self:
        """Return the configuration that :meth:`plain` gave.

        Raises:
            ConfigurationError: the data is not such a configuration.
        """
        return parse_document(cls, dict(data), where)


class ScenarioEntry(Document):
    """What is trained in, as the file says it."""

    environment: EnvironmentConfig = Field(default_factory=EnvironmentConfig)


class SectionFile(Document):
    """The content of ``section.yml``."""

    section: Name
    trains: bool = True
    default_scenario: Name
    default_algorithm: Name
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 42
    scenarios: dict[Name, ScenarioEntry]
    algorithms: dict[Name, dict[str, Any]]
    checkpoints: CheckpointConfig = CheckpointConfig()
    evaluation: EvaluationConfig = EvaluationConfig()
    session: SessionLimits = SessionLimits()
    notify: NotifyConfig = NotifyConfig()
    """Stays with the manager: it is no part of the configuration that a session is told."""

    @model_validator(mode="after")
    def _defaults_exist(self) -> Self:
        if self.default_scenario not in self.scenarios:
            raise ValueError(f"default_scenario {self.default_scenario!r} is not among scenarios")
        if self.default_algorithm not in self.algorithms:
            raise ValueError(f"default_algorithm {self.default_algorithm!r} is not among algorithms")
        reserved = {"checkpoints", "best_model", "backups", "logs"} & set(self.scenarios)
        if reserved:
            raise ValueError(f"scenario name(s) {sorted(reserved)} are folders of the training tree")
        if devices := DEVICES & set(self.scenarios):
            raise ValueError(f"scenario name(s) {sorted(devices)} are devices of Windows and can name no folder there")
        return self


class Overrides(Document):
    """What flags may change; None leaves the file's value."""

    scenario: str | None = None
    algorithm: str | None = None
    timesteps: Steps | None = None
    session_timesteps: Steps | None = None
    session_hours: Annotated[float, Field(gt=0)] | None = None
    seed: Annotated[int, Field(ge=0, lt=2**32)] | None = None


def _flat(data: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    facts: dict[str, str] = {}
    for key, value in data.items():
        facts |= _flat(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {prefix + key: str(value)}
    return facts


def known_sections(package: Path | None = None) -> list[str]:
    """Return the names of the sections that have a file."""
    return sorted(found.parent.name for found in (package or Path(__file__).parent).glob(f"*/{SECTION_FILE}"))


def section_file(name: str, package: Path | None = None) -> Path:
    """Return the YAML file of the section called ``name``.

    Raises:
        ConfigurationError: there is no such section.
    """
    root = package or Path(__file__).parent
    path = root / name / SECTION_FILE
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name) or not path.is_file():
        raise ConfigurationError(
            "There is no such section.",
            where="section",
            expected=f"one of: {', '.join(known_sections(root))}",
            found=name,
            remedy="name one of the sections above",
        )
    return path


def load_section(path: Path, overrides: Overrides | None = None) -> SectionConfig:
    """Return the configuration that the file and the flags give.

    Raises:
        ConfigurationError: unknown keys, wrong types, values out of range, unknown scenario or algorithm.
    """
    return resolve(_read(path), overrides or Overrides(), path)


def parse_section(data: Mapping[str, Any], overrides: Overrides, where: object) -> SectionConfig:
    """Return the configuration that the content of a section's file and the flags give.

    Raises:
        ConfigurationError: as for :func:`load_section`.
    """
    return resolve(parse_document(SectionFile, dict(data), where), overrides, where)


def load_notify(path: Path) -> NotifyConfig:
    """Return who is told of what, as the file says.

    Raises:
        ConfigurationError: as for :func:`load_section`.
    """
    return _read(path).notify


def _read(path: Path) -> SectionFile:
    return parse_document(SectionFile, load_yaml(path), path)


def resolve(file: SectionFile, overrides: Overrides, where: object) -> SectionConfig:
    """Pick one scenario and one algorithm, and apply the flags.

    Raises:
        ConfigurationError: the scenario or the algorithm is not in the file.
    """
    scenario = _choose("scenario", overrides.scenario or file.default_scenario, file.scenarios, where)
    algorithm = _choose("algorithm", overrides.algorithm or file.default_algorithm, file.algorithms, where)
    training = _training(algorithm, file.algorithms[algorithm], f"{where}: algorithms.{algorithm}")
    if overrides.timesteps is not None:
        training = training.model_copy(update={"n_timesteps": overrides.timesteps})
    changes = {"timesteps": overrides.session_timesteps, "hours": overrides.session_hours}
    limits = file.session.model_copy(update={key: value for key, value in changes.items() if value is not None})
    return SectionConfig(
        section=file.section,
        trains=file.trains,
        scenario=scenario,
        default_scenario=file.default_scenario,
        seed=file.seed if overrides.seed is None else overrides.seed,
        training=training,
        environment=file.scenarios[scenario].environment,
        checkpoints=file.checkpoints,
        evaluation=file.evaluation,
        session=limits,
    )


def _choose(kind: str, name: str, known: Mapping[str, Any], where: object) -> str:
    key = name.lower()
    if key not in known:
        raise ConfigurationError(
            f"There is no such {kind}.",
            where=f"--{kind} ({where})",
            expected=f"one of: {', '.join(sorted(known))}",
            found=name,
            remedy=f"name one of these, or add it under '{kind}s:' in the file",
        )
    return key


def _training(algorithm: str, entry: Mapping[str, Any], where: str) -> TrainingConfig:
    named = {key: value for key, value in entry.items() if key in TrainingConfig.model_fields}
    misplaced = {"hyperparameters", "algorithm"} & set(named)
    if misplaced:
        raise ConfigurationError(
            "A key is written one level too deep.",
            where=f"{where}.{sorted(misplaced)[0]}",
            expected="hyper-parameters beside policy and n_timesteps, as in RL Zoo",
            remedy="move the keys up one level",
        )
    if isinstance(named.get("normalize"), bool):
        named["normalize"] = {} if named["normalize"] else None
    rest = {key: value for key, value in entry.items() if key not in named}
    return parse_document(TrainingConfig, {"algorithm": algorithm, "hyperparameters": rest, **named}, where)


def _changed(values: Mapping[str, Any], usual: Mapping[str, Any]) -> dict[str, Any]:
    """Return what differs, of nested parts only what differs in them.

    >>> _changed({"a": 1, "b": {"c": 2, "d": 3}, "e": {"f": 4}}, {"a": 1, "b": {"c": 2, "d": 0}, "e": None})
    {'b': {'d': 3}, 'e': {'f': 4}}
    """
    changed = {}
    for key, value in values.items():
        before = usual.get(key)
        if value != before:
            changed[key] = _changed(value, before) if isinstance(value, dict) and isinstance(before, dict) else value
    return changed


def _inline(value: Mapping[str, Any]) -> str:
    given = {key: item for key, item in value.items() if item not in (None, {}, [])}
    return yaml.safe_dump(given, default_flow_style=True, sort_keys=False, width=10_000).strip()
