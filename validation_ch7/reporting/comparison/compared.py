"""A whole comparison: differences, curves, levels, advice."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from validation_ch7.reporting.comparison.alignment import Aligned, Level, align, levels
from validation_ch7.reporting.comparison.choice import Advice, advise
from validation_ch7.reporting.comparison.run import Candidate, Run
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
