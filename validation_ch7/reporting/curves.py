"""Learning curves for people: read from the chain's rows, thinned to what a screen can show."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from validation_ch7.checkpoints.manifest import Manifest
from validation_ch7.training.curve import (
    KEY_COLUMNS,
    PROGRESS_NAME,
    SESSION_ID,
    STEP,
    SessionRows,
    columns_of,
    merge_progress,
    read_rows,
    read_sessions,
)

TRAINED, EVALUATED, SPREAD = "rollout/ep_rew_mean", "eval/mean_reward", "eval/std_reward"
_REMEMBERED = {"train_reward": TRAINED, "mean_reward": EVALUATED, "std_reward": SPREAD}
SHOWN_POINTS = 1_000
"""Points of one curve that a page holds at most."""
SHOWN_METRIC_POINTS = 300


@dataclass(frozen=True)
class Series:
    """One quantity over cumulative steps.

    Attributes:
        total: points that were recorded, of which ``steps`` and ``values`` may be a selection.
    """

    name: str
    steps: tuple[int, ...] = ()
    values: tuple[float, ...] = ()
    total: int = 0

    def thinned(self, limit: int) -> Series:
        """Return at most ``limit`` points; first, last, highest and lowest are among them."""
        kept = thin(self.values, limit)
        return Series(
            self.name, tuple(self.steps[at] for at in kept), tuple(self.values[at] for at in kept), self.total
        )


@dataclass(frozen=True)
class Border:
    """Where a session took over from the one before."""

    step: int
    session_id: str


@dataclass(frozen=True)
class Curve:
    """The learning curve of a chain, each step once.

    Attributes:
        trained: mean return of the latest training episodes.
        evaluated: mean return on held-out demand.
        spread: standard deviation of each evaluation's returns, at the steps of ``evaluated``.
        metrics: every other number that was logged.
    """

    trained: Series = Series(TRAINED)
    evaluated: Series = Series(EVALUATED)
    spread: Series = Series(SPREAD)
    metrics: tuple[Series, ...] = ()
    borders: tuple[Border, ...] = ()

    @property
    def empty(self) -> bool:
        """Whether nothing was logged."""
        return not (self.trained.steps or self.evaluated.steps or self.metrics)

    def with_evaluations(self, extra: Mapping[int, float]) -> Curve:
        """Return the curve with evaluations added at other steps; their spread is unknown and drawn as none."""
        if not extra:
            return self
        values = dict(zip(self.evaluated.steps, self.evaluated.values, strict=True)) | dict(extra)
        spread = dict(zip(self.spread.steps, self.spread.values, strict=True))
        steps = tuple(sorted(values))
        evaluated = Series(EVALUATED, steps, tuple(values[step] for step in steps), len(steps))
        around = Series(SPREAD, steps, tuple(spread.get(step, 0.0) for step in steps), len(steps))
        return replace(self, evaluated=evaluated, spread=around)


def read_chain_rows(logs_folder: Path, running: Path | None = None) -> list[dict[str, str]]:
    """Return the rows of a chain, each step once.

    Args:
        logs_folder: logs of the chain as restored so far; see :func:`validation_ch7.session.logs_tree`.
        running: logs of a session that has not been restored yet.

    Raises:
        StorageError: a file cannot be read.
    """
    rows = read_rows(logs_folder / PROGRESS_NAME)
    known = {row[SESSION_ID] for row in rows}
    fresh = [part for part in (read_sessions(running) if running else ()) if part.session_id not in known]
    return merge_progress([SessionRows("", 0, rows), *fresh]) if rows or fresh else []


def curve_of(rows: Sequence[Mapping[str, str]]) -> Curve:
    """Return the curve that merged rows hold.

    >>> curve_of([{"session_id": "a", "step": "8", "wall_time": "1", "eval/mean_reward": "-2"}]).evaluated.values
    (-2.0,)
    """
    every = {name: series_of(name, rows) for name in columns_of(rows) if name not in KEY_COLUMNS}
    evaluated = every.pop(EVALUATED, Series(EVALUATED))
    spread = every.pop(SPREAD, Series(SPREAD))
    return Curve(
        every.pop(TRAINED, Series(TRAINED)),
        evaluated,
        spread if spread.steps == evaluated.steps else Series(SPREAD),
        tuple(series for series in every.values() if series.steps),
        tuple(_borders(rows)),
    )


def curve_of_manifests(manifests: Iterable[Manifest]) -> Curve:
    """Return the curve that checkpoints themselves remember, where no other was logged."""
    by_steps = {manifest.steps: manifest for manifest in manifests}
    rows = [
        {STEP: str(steps), SESSION_ID: manifest.session_id}
        | {name: str(manifest.metrics[key]) for key, name in _REMEMBERED.items() if key in manifest.metrics}
        for steps, manifest in sorted(by_steps.items())
    ]
    return curve_of(rows)


def series_of(name: str, rows: Iterable[Mapping[str, str]]) -> Series:
    """Return the finite numbers of one column."""
    points = [(int(row[STEP]), value) for row in rows if (value := _number(row.get(name, ""))) is not None]
    return Series(name, tuple(step for step, _ in points), tuple(value for _, value in points), len(points))


def _borders(rows: Iterable[Mapping[str, str]]) -> Iterable[Border]:
    before: tuple[str, int] | None = None
    for row in rows:
        session, step = row.get(SESSION_ID, ""), int(row[STEP])
        if before is not None and session != before[0]:
            yield Border(before[1], session)
        before = (session, step)


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def thin(values: Sequence[float], limit: int) -> list[int]:
    """Return the indices of at most ``limit`` values: first, last, and the extremes of equal slices.

    >>> thin([0, 5, 1, -3, 2, 2, 9, 0], 6)
    [0, 1, 3, 4, 6, 7]
    """
    if len(values) <= limit:
        return list(range(len(values)))
    if limit < 4:
        raise ValueError(f"a limit below 4 cannot keep both ends and both extremes: {limit}")
    inner, slices = range(1, len(values) - 1), (limit - 2) // 2
    kept = {0, len(values) - 1}
    for number in range(slices):
        part = inner[number * len(inner) // slices : (number + 1) * len(inner) // slices]
        kept |= {min(part, key=values.__getitem__), max(part, key=values.__getitem__)}
    return sorted(kept)


def thin_curve(curve: Curve) -> Curve:
    """Return a curve that a page can hold, however long the training was."""
    evaluated = curve.evaluated.thinned(SHOWN_POINTS)
    spread = dict(zip(curve.spread.steps, curve.spread.values, strict=True))
    return Curve(
        curve.trained.thinned(SHOWN_POINTS),
        evaluated,
        Series(SPREAD, evaluated.steps, tuple(spread[step] for step in evaluated.steps), curve.spread.total)
        if spread
        else curve.spread,
        tuple(series.thinned(SHOWN_METRIC_POINTS) for series in curve.metrics),
        curve.borders,
    )
