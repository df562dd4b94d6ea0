"""What a study is: which agents are trained where, from which seeds, how far, and how they are judged."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, model_validator

from validation_ch7.config import Name, Steps
from validation_ch7.errors import ConfigurationError
from validation_ch7.schema import Document, load_yaml, parse_document
from validation_ch7.study.protocol import EvaluationProtocol, counted

STUDY_FILE = "study.yml"
Seed = Annotated[int, Field(ge=0, lt=2**32)]


class StudySpec(Document):
    """The content of ``study.yml``."""

    name: Name
    section: Name
    algorithms: Annotated[tuple[Name, ...], Field(min_length=1)]
    scenarios: Annotated[tuple[Name, ...], Field(min_length=1)]
    left_out: dict[Name, tuple[Name, ...]] = Field(default_factory=dict)
    """Algorithms that are not trained in a scenario, by scenario: not every one takes every action space."""
    training_seeds: Annotated[tuple[Seed, ...], Field(min_length=1)]
    timesteps: Steps | dict[Name, Steps] | None = None
    """Cumulative target of each chain, one for all or one per algorithm; default: the section's [steps]."""
    session_timesteps: Steps | None = None
    """Limit of one session; without it a chain is one session, or as many as its hours make [steps]."""
    session_hours: Annotated[float, Field(gt=0)] | None = None
    backend: Annotated[str, Field(pattern="^(local|kaggle)$")] = "local"
    """Where the sessions of a chain run."""
    location: str | None = None
    """Where each store is copied after each session: a folder, ``s3://…``, anything that ``export`` knows."""
    evaluation: EvaluationProtocol = EvaluationProtocol()
    planned_seeds: int | None = None
    """Training seeds of the whole study, where this is a smaller one made of it."""

    @model_validator(mode="after")
    def _nothing_twice(self) -> Self:
        for name in ("algorithms", "scenarios", "training_seeds"):
            values = getattr(self, name)
            if len(set(values)) < len(values):
                raise ValueError(f"{name} names something twice")
        return self

    @model_validator(mode="after")
    def _every_algorithm_has_a_target(self) -> Self:
        if isinstance(self.timesteps, dict) and (missing := set(self.algorithms) - set(self.timesteps)):
            raise ValueError(f"timesteps has no entry for {', '.join(sorted(missing))}")
        return self

    @model_validator(mode="after")
    def _leaves_out_what_is_there(self) -> Self:
        unknown = set(self.left_out) - set(self.scenarios)
        unknown |= {name for names in self.left_out.values() for name in names} - set(self.algorithms)
        if unknown:
            raise ValueError(f"left_out names what the study does not: {', '.join(sorted(unknown))}")
        return self

    @property
    def pairs(self) -> tuple[tuple[str, str], ...]:
        """Every (scenario, algorithm) that is trained."""
        return tuple(
            (scenario, algorithm)
            for scenario in self.scenarios
            for algorithm in self.algorithms
            if algorithm not in self.left_out.get(scenario, ())
        )

    @property
    def reductions(self) -> tuple[str, ...]:
        """In what it falls short of the full protocol, or of what was planned; nothing if in nothing."""
        short = self.evaluation.reductions(self.training_seeds)
        if self.planned_seeds is None:
            return short
        seeds = counted(len(self.training_seeds), "training seed")
        return (*short, f"{seeds} instead of the {self.planned_seeds} of the study's file")

    @property
    def small(self) -> bool:
        """Whether it is a reduced study, and must say so."""
        return bool(self.reductions)

    def target_of(self, algorithm: str) -> int | None:
        """Return the target of the chains of an algorithm, or None where the section's holds [steps]."""
        return self.timesteps.get(algorithm) if isinstance(self.timesteps, dict) else self.timesteps

    def reduced(self, seeds: int | None) -> Self:
        """Return the study with its first ``seeds`` training seeds only; says of itself that it is a smaller one.

        Raises:
            ConfigurationError: it has not so many.
        """
        planned = len(self.training_seeds)
        if seeds is None or seeds == planned:
            return self
        if not 1 <= seeds <= planned:
            raise ConfigurationError(
                "The study has not so many training seeds.",
                where="--seeds",
                expected=f"1 to {planned}",
                found=seeds,
                remedy="name fewer, or add seeds to training_seeds in the study's file",
            )
        return self.model_copy(update={"training_seeds": self.training_seeds[:seeds], "planned_seeds": planned})


def study_file(section: str, package: Path | None = None) -> Path:
    """Return the file of a section's study."""
    return (package or Path(__file__).resolve().parents[1]) / section / STUDY_FILE


def load_study(path: Path) -> StudySpec:
    """Return the study that the file describes.

    Raises:
        ConfigurationError: it cannot be read, or some values cannot be used; all of them are named.
    """
    return parse_document(StudySpec, load_yaml(path, "--study", STUDY_FILE), path)
