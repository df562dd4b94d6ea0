"""How agents and controllers are judged: the same demand, the same seeds, the same measures for everyone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from validation_ch7.config import Name
from validation_ch7.control import CONTROLLERS
from validation_ch7.environment_config import APPROACHES, Approach, Demand, EnvironmentConfig
from validation_ch7.errors import ConfigurationError
from validation_ch7.schema import Document, parse_document
from validation_ch7.traffic import base_flows, build_layout

Count = Annotated[int, Field(ge=1)]
Share = Annotated[float, Field(ge=0, le=1)]
HELD_OUT = 1_000_003
"""First of the seeds from which training never draws."""


class Seeds(Document):
    """Consecutive seeds."""

    first: Annotated[int, Field(ge=0)]
    count: Count

    @property
    def values(self) -> tuple[int, ...]:
        """The seeds.

        >>> Seeds(first=7, count=3).values
        (7, 8, 9)
        """
        return tuple(range(self.first, self.first + self.count))


class DemandCase(Document):
    """One demand under which everybody is judged: the scenario's own, changed in what is said here."""

    title: str
    """As tables and figures name it."""
    demand: dict[str, Any] = Field(default_factory=dict)
    """Keys of the environment's ``demand`` that differ."""
    flow_factors: dict[Approach, Annotated[float, Field(ge=0)]] = Field(default_factory=dict)
    """Multiples of the scenario's flows, by side [-]."""
    base_saturation: Annotated[float, Field(gt=0, le=2)] | None = None
    """Volume over capacity to which flows are scaled before a profile that does not scale them, as ``peak`` [-]."""

    def environment(self, scenario: EnvironmentConfig, where: object = "demand case") -> EnvironmentConfig:
        """Return the scenario's environment under this demand.

        Raises:
            ConfigurationError: a key is unknown or a value out of range.

        >>> case = DemandCase(title="more", demand={"degree_of_saturation": 1.2}, flow_factors={"north": 0.5})
        >>> demand = case.environment(EnvironmentConfig()).demand
        >>> demand.degree_of_saturation, demand.flow_veh_per_h.north, demand.flow_veh_per_h.south
        (1.2, 800.0, 1400.0)
        """
        plain = scenario.model_dump(mode="json")
        demand = {**plain["demand"], **self.demand}
        flows = {side: flow * self.flow_factors.get(side, 1.0) for side, flow in demand["flow_veh_per_h"].items()}
        if self.base_saturation is not None:
            flows = scaled_flows(scenario, flows, self.base_saturation)
        return parse_document(EnvironmentConfig, {**plain, "demand": {**demand, "flow_veh_per_h": flows}}, where)


def scaled_flows(scenario: EnvironmentConfig, flows: Mapping[str, float], saturation: float) -> dict[str, float]:
    """Return flows by side [veh/h] in the same proportions, with the given volume over capacity [-].

    >>> flows = {"north": 100.0, "south": 100.0, "east": 100.0, "west": 100.0}
    >>> round(scaled_flows(EnvironmentConfig(), flows, 0.9)["north"])
    1874
    """
    wanted = {"profile": "saturated", "degree_of_saturation": saturation, "flow_veh_per_h": flows}
    config = scenario.model_copy(update={"demand": Demand.model_validate(wanted)})
    layout = build_layout(config)
    found = zip(layout.entries, base_flows(config, layout), strict=True)
    return dict(flows) | {APPROACHES[road % 4]: float(flow) for road, flow in found}


NEAR, FULL, SHIFTED, PEAK = "near_saturated", "saturated", "shifted", "peak"
_SHIFT: dict[Approach, float] = {"north": 0.8, "south": 0.8, "east": 1.5, "west": 1.5}
_CASES = {
    NEAR: DemandCase(title="near saturation (v/c 0.95)", demand={"degree_of_saturation": 0.95}),
    FULL: DemandCase(title="saturated (v/c 1.05)", demand={"degree_of_saturation": 1.05}),
    SHIFTED: DemandCase(
        title="shifted to east and west (v/c 0.95)", demand={"degree_of_saturation": 0.95}, flow_factors=_SHIFT
    ),
    PEAK: DemandCase(
        title="peak in mid-episode (v/c 0.65 to 1.04)",
        demand={"profile": "peak", "peak_factor": 1.6},
        base_saturation=0.65,
    ),
}


class OracleCheck(Document):
    """The look-ahead with perfect knowledge, which is slow."""

    depth: Count = 10
    """Decisions looked ahead, exhaustively."""
    seeds: Count = 20
    """How many of the held-out seeds, from the first on."""
    seeds_per_task: Count = 2
    """Seeds between two files; a kill loses no more than these."""


class GridCheck(Document):
    """The same policies on a finer grid of the traffic model."""

    factor: Annotated[int, Field(ge=2)] = 2
    """Cells are so many times shorter."""
    seeds: Count = 30
    """How many of the held-out seeds, from the first on."""


class Bootstrap(Document):
    """Resampling of the intervals."""

    resamples: Annotated[int, Field(ge=100)] = 2000
    confidence: Annotated[float, Field(gt=0, lt=1)] = 0.95
    seed: Annotated[int, Field(ge=0)] = 76


class Targets(Document):
    """What the section set out to show; the report says of each whether it is met."""

    against_best: Share = 0.10
    """Reduction of mean delay against the best tuned classical controller, with an interval above zero."""
    probability: Share = 0.90
    """Probability of improvement over it."""
    against_fixed_time: Share = 0.25
    """Reduction of mean delay against fixed time by grid search."""
    oracle_gap: Share = 0.10
    """Greatest optimality gap to the look-ahead oracle."""


class EvaluationProtocol(Document):
    """The protocol; its first demand case is the one on which the targets are judged."""

    seeds: Seeds = Seeds(first=HELD_OUT + 10_000, count=100)
    """Held-out demand seeds, the same for everybody."""
    tuning_seeds: Seeds = Seeds(first=HELD_OUT + 20_000, count=16)
    """Demand seeds on which classical controllers are tuned; apart from the others."""
    cases: Annotated[dict[Name, DemandCase], Field(min_length=1)] = _CASES
    controllers: Annotated[tuple[str, ...], Field(min_length=1)] = (
        "fixed_time", "webster", "actuated", "sotl", "max_pressure", "greedy", "random",
    )  # fmt: skip
    """Controllers to compare with."""
    oracle: OracleCheck | None = OracleCheck()
    grid: GridCheck | None = GridCheck()
    bootstrap: Bootstrap = Bootstrap()
    targets: Targets = Targets()
    full_demand_seeds: Count = 100
    full_training_seeds: Count = 10
    """With fewer seeds than these, every output is marked as a reduced study."""

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        unknown = sorted(set(self.controllers) - (set(CONTROLLERS) - {"lookahead"}))
        if unknown:
            raise ValueError(f"controllers: there is no {', '.join(unknown)}; lookahead belongs under 'oracle'")
        if len(set(self.controllers)) < len(self.controllers):
            raise ValueError("controllers: one is named twice")
        if set(self.seeds.values) & set(self.tuning_seeds.values):
            raise ValueError("tuning_seeds overlap seeds: controllers would be tuned on the demand that judges them")
        if self.oracle and self.oracle.seeds > self.seeds.count:
            raise ValueError("oracle.seeds must not exceed seeds.count")
        if self.grid and self.grid.seeds > self.seeds.count:
            raise ValueError("grid.seeds must not exceed seeds.count")
        return self

    @property
    def reference(self) -> str:
        """Name of the demand case on which the targets are judged."""
        return next(iter(self.cases))

    def reductions(self, training_seeds: Sequence[int]) -> tuple[str, ...]:
        """Return in what a study with these training seeds falls short of the full protocol; nothing if in nothing.

        >>> EvaluationProtocol().reductions(range(10))
        ()
        >>> EvaluationProtocol().reductions(range(3))
        ('3 training seeds instead of the 10 of the full protocol',)
        """
        found = {"training seed": len(set(training_seeds)), "held-out demand seed": self.seeds.count}
        least = {"training seed": self.full_training_seeds, "held-out demand seed": self.full_demand_seeds}
        return tuple(
            f"{counted(found[name], name)} instead of the {least[name]} of the full protocol"
            for name in found
            if found[name] < least[name]
        )


def counted(count: int, noun: str) -> str:
    """Return a number with its noun.

    >>> counted(1, "training seed"), counted(2, "training seed")
    ('1 training seed', '2 training seeds')
    """
    return f"{count} {noun}{'' if count == 1 else 's'}"


def check_held_out(protocol: EvaluationProtocol, first: int, width: int) -> None:
    """Refuse seeds that a training could have drawn.

    Args:
        protocol: the protocol.
        first: first seed that belongs to evaluation.
        width: how many do.

    Raises:
        ConfigurationError: a seed lies outside.
    """
    for name, seeds in (("seeds", protocol.seeds), ("tuning_seeds", protocol.tuning_seeds)):
        if not first <= seeds.first <= seeds.first + seeds.count <= first + width:
            raise ConfigurationError(
                "The study would judge on demand that an agent may have trained on.",
                where=f"evaluation.{name}",
                expected=f"seeds from {first} to {first + width - 1}, from which training never draws",
                found=f"{seeds.first} to {seeds.first + seeds.count - 1}",
                remedy=f"choose first: {first} or more",
            )
