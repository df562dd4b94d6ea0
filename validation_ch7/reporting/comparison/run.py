"""One run of a comparison, as plain values, and how it is made of checkpoints and logged rows."""

from __future__ import annotations

import bisect
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from validation_ch7.checkpoints.inventory import Item, Kind, Standing
from validation_ch7.checkpoints.manifest import Manifest
from validation_ch7.reporting.curves import Curve, Series, curve_of, curve_of_manifests
from validation_ch7.training.curve import Row

_USABLE = frozenset({Standing.INTACT, Standing.UNREAD})


@dataclass(frozen=True)
class Candidate:
    """A checkpoint that might be kept.

    Attributes:
        best: whether it is a best model, which is for use and not for resuming.
        reward: mean return of its evaluation; None where it was not evaluated.
        spread: standard deviation of these returns.
        episodes: how many there were; 0 where that is unknown.
        provisional: whether the evaluation was the short one of a quick session.
    """

    run: str
    path: Path
    steps: int
    exactness: str
    best: bool = False
    reward: float | None = None
    spread: float | None = None
    episodes: int = 0
    provisional: bool = False
    digest: str = ""


@dataclass(frozen=True)
class Run:
    """One of the runs that are compared.

    Attributes:
        kind: ``workspace``, ``store``, ``session`` or ``checkpoint``.
        facts: what was set, by name, as its newest checkpoint remembers it.
        doubts: files that are not used, and why.
    """

    name: str
    kind: str
    steps: int = 0
    exactness: str = ""
    facts: dict[str, str] = field(default_factory=dict)
    curve: Curve = field(default_factory=Curve)
    candidates: tuple[Candidate, ...] = ()
    doubts: tuple[str, ...] = ()


def make_run(name: str, kind: str, items: Sequence[Item], rows: Sequence[Row] = ()) -> Run:
    """Return the run that checkpoints and logged rows make."""
    good = [(item, item.manifest) for item in items if item.manifest and item.standing in _USABLE]
    resumable = [manifest for item, manifest in good if item.kind is Kind.CHECKPOINT]
    newest = max(resumable or [manifest for _, manifest in good], key=lambda found: found.steps, default=None)
    remembered = curve_of_manifests(manifest for _, manifest in good)
    logged = curve_of(rows)
    return Run(
        name=name,
        kind=kind,
        steps=newest.steps if newest else 0,
        exactness=str(newest.exactness) if newest else "",
        facts=facts_of(newest) if newest else {},
        curve=remembered if logged.empty else logged.with_evaluations(unlogged(remembered.evaluated, logged.evaluated)),
        candidates=tuple(_candidate(name, item, manifest) for item, manifest in good),
        doubts=tuple(f"{item.path.name}: {item.reason}" for item in items if item.standing not in _USABLE),
    )


def unlogged(remembered: Series, logged: Series) -> dict[int, float]:
    """Return the evaluations that checkpoints remember and no row has; a later checkpoint carries the one before it.

    >>> unlogged(Series("", (100, 150, 200), (1.0, 1.0, 3.0)), Series("", (100,), (1.0,)))
    {200: 3.0}
    """
    found: dict[int, float] = {}
    for step, reward in zip(remembered.steps, remembered.values, strict=True):
        before = bisect.bisect_right(logged.steps, step)
        carried = before > 0 and logged.values[before - 1] == reward
        if not carried and (before == 0 or logged.steps[before - 1] != step):
            found[step] = reward
    return found


def _candidate(run: str, item: Item, manifest: Manifest) -> Candidate:
    metrics = manifest.metrics
    return Candidate(
        run=run,
        path=item.path,
        steps=manifest.steps,
        exactness=str(manifest.exactness),
        best=item.kind is Kind.BEST,
        reward=metrics.get("mean_reward"),
        spread=metrics.get("std_reward"),
        episodes=int(metrics.get("episodes", 0)),
        provisional=bool(metrics.get("provisional")),
        digest=manifest.digest,
    )


def facts_of(manifest: Manifest) -> dict[str, str]:
    """Return what was set, one text for each name."""
    facts = manifest.compatibility.model_dump(mode="json")
    nested = {"": facts.pop("hyperparameters"), "environment.": facts.pop("environment")}
    plain = {name: str(value) for name, value in facts.items()}
    return plain | {prefix + name: str(value) for prefix, part in nested.items() for name, value in part.items()}
