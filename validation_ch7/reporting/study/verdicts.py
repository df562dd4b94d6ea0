"""Whether the targets of the section are met: computed, in whichever direction they fall."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from validation_ch7.study.protocol import Targets
from validation_ch7.study.statistics import Estimate

if TYPE_CHECKING:
    from validation_ch7.reporting.study.summary import CaseNumbers


@dataclass(frozen=True)
class Verdict:
    """One target, judged for one algorithm.

    Attributes:
        scenario: where.
        algorithm: whose agents.
        target: what was to be shown, as a person says it.
        against: the controller compared with.
        found: the estimate; None where there is nothing to judge by.
        met: None where there is nothing to judge by.
    """

    scenario: str
    algorithm: str
    target: str
    against: str | None
    found: Estimate | None
    met: bool | None

    @property
    def word(self) -> str:
        """The verdict in two words at most.

        >>> Verdict("city", "ppo", "", None, None, None).word
        'not judged'
        """
        return "not judged" if self.met is None else ("met" if self.met else "not met")


def judge(scenario: str, case: CaseNumbers, gaps: Mapping[str, Estimate], targets: Targets) -> tuple[Verdict, ...]:
    """Return the verdicts on the agents of a scenario under the reference demand."""
    verdicts: list[Verdict] = []
    for algorithm, comparisons in case.comparisons.items():
        best = comparisons.get(case.best_classical) if case.best_classical else None
        fixed = comparisons.get("fixed_time")
        verdicts += [
            _least(
                scenario, algorithm, "delay below the best tuned classical controller", case.best_classical,
                best.reduction if best else None, targets.against_best, apart=True,
            ),
            _least(
                scenario, algorithm, "probability of improvement over it", case.best_classical,
                best.probability if best else None, targets.probability, apart=False,
            ),
            _least(
                scenario, algorithm, "delay below fixed time by grid search", "fixed_time",
                fixed.reduction if fixed else None, targets.against_fixed_time, apart=False,
            ),
            _most(scenario, algorithm, "optimality gap to the look-ahead", gaps.get(algorithm), targets.oracle_gap),
        ]  # fmt: skip
    return tuple(verdicts)


def _least(
    scenario: str, algorithm: str, what: str, against: str | None, found: Estimate | None, least: float, apart: bool
) -> Verdict:
    target = f"{what}: at least {least * 100:g} %" + (", interval above zero" if apart else "")
    met = None if found is None else found.value >= least and (not apart or found.low > 0.0)
    return Verdict(scenario, algorithm, target, against, found, met)


def _most(scenario: str, algorithm: str, what: str, found: Estimate | None, most: float) -> Verdict:
    target = f"{what}: at most {most * 100:g} %"
    return Verdict(scenario, algorithm, target, "lookahead", found, None if found is None else found.value <= most)
