"""A whole comparison: differences, curves, levels, advice."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from validation_ch7.checkpoints.inventory import Kind, take_inventory
from validation_ch7.checkpoints.store import CheckpointStore
from validation_ch7.notebook import html_table
from validation_ch7.reporting.comparison.alignment import Aligned, Level, align, levels
from validation_ch7.reporting.comparison.choice import Advice, advise
from validation_ch7.reporting.comparison.run import Candidate, Run, make_run
from validation_ch7.study.protocol import Bootstrap


@dataclass(frozen=True)
class SettingRow:
    """One setting that is not the same everywhere; None where a run does not have it."""

    name: str
    values: tuple[str | None, ...]


@dataclass(frozen=True)
class RunComparison:
    """Everything that a comparison found."""

    runs: tuple[Run, ...]
    settings: tuple[SettingRow, ...]
    aligned: Aligned | None
    levels: tuple[Level, ...]
    bootstrap: Bootstrap
    advice: Advice

    def plain(self) -> dict[str, Any]:
        """Return it as data that JSON can hold."""
        names = [run.name for run in self.runs]
        return {
            "runs": [_run(run) for run in self.runs],
            "settings": {row.name: dict(zip(names, row.values, strict=True)) for row in self.settings},
            "aligned": asdict(self.aligned) if self.aligned else None,
            "levels": [asdict(level) for level in self.levels],
            "bootstrap": self.bootstrap.model_dump(mode="json"),
            "keep": {
                "use": _candidate(self.advice.use),
                "use_reason": self.advice.use_reason,
                "resume": _candidate(self.advice.resume),
                "resume_reason": self.advice.resume_reason,
            },
        }

    def _repr_html_(self) -> str:
        names = [run.name for run in self.runs]
        heights = {level.run: level for level in self.levels}
        rows = [(run.name, run.kind, run.steps, run.exactness, *_heights(heights.get(run.name))) for run in self.runs]
        titles = ("run", "kind", "steps", "exactness", "later half", "above the first")
        tables = [html_table(f"Comparison of {', '.join(names)}", titles, rows)]
        if self.settings:
            changed = [(row.name, *row.values) for row in self.settings]
            tables.append(html_table("Set differently", ("setting", *names), changed))
        kept = [("to use", self.advice.use, self.advice.use_reason)]
        kept.append(("to train on", self.advice.resume, self.advice.resume_reason))
        advice = [(purpose, f"{item.path.name} of {item.run}" if item else "none", why) for purpose, item, why in kept]
        tables.append(html_table("Which checkpoint to keep", ("", "checkpoint", "because"), advice))
        return f"<div>{''.join(tables)}</div>"


def compare_stores(stores: Mapping[str, CheckpointStore], *, verify: bool = True) -> RunComparison:
    """Return what differs between stores, each under the name that is given to it; a notebook shows it as tables.

    Args:
        verify: whether to read checkpoints whole; else their manifests only.
    """
    found = {name: take_inventory(store, verify=verify) for name, store in stores.items()}
    kept = {name: [item for item in items if item.kind is not Kind.QUARANTINED] for name, items in found.items()}
    return compare_runs([make_run(name, "store", items) for name, items in kept.items()])


def compare_runs(runs: Sequence[Run], bootstrap: Bootstrap | None = None) -> RunComparison:
    """Return what differs between runs, and what to keep of them."""
    drawing = bootstrap or Bootstrap()
    aligned = align(runs) if len(runs) > 1 else None
    return RunComparison(
        runs=tuple(runs),
        settings=differing_settings(runs),
        aligned=aligned,
        levels=levels([run.name for run in runs], aligned, drawing) if aligned else (),
        bootstrap=drawing,
        advice=advise([item for run in runs for item in run.candidates]),
    )


def differing_settings(runs: Sequence[Run]) -> tuple[SettingRow, ...]:
    """Return the settings that differ between the runs whose settings are known."""
    known = [run for run in runs if run.facts]
    names = dict.fromkeys(name for run in known for name in run.facts)
    return tuple(
        SettingRow(name, tuple(run.facts.get(name) for run in runs))
        for name in names
        if len({run.facts.get(name) for run in known}) > 1
    )


def _heights(level: Level | None) -> tuple[str, str]:
    if level is None:
        return "", ""
    ahead = level.against_first
    own = f"{level.reward.value:.2f} ({level.reward.low:.2f} to {level.reward.high:.2f})"
    return own, "" if ahead is None else f"{ahead.value:+.2f} ({ahead.low:+.2f} to {ahead.high:+.2f})"


def _run(run: Run) -> dict[str, Any]:
    curves = {"evaluation": run.curve.evaluated, "training": run.curve.trained}
    return {
        "name": run.name,
        "kind": run.kind,
        "steps": run.steps,
        "exactness": run.exactness or None,
        "curves": {name: {"steps": curve.steps, "rewards": curve.values} for name, curve in curves.items()},
        "checkpoints": [_candidate(item) for item in run.candidates],
        "not_used": list(run.doubts),
    }


def _candidate(item: Candidate | None) -> dict[str, Any] | None:
    if item is None:
        return None
    finite = {name: value if value is None or math.isfinite(value) else None for name, value in _numbers(item).items()}
    return asdict(item) | {"path": str(item.path)} | finite


def _numbers(item: Candidate) -> dict[str, float | None]:
    return {"reward": item.reward, "spread": item.spread}
