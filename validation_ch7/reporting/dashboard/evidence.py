"""Recorded studies, as the dashboard shows them: controllers and agents side by side, by demand."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from validation_ch7.errors import SessionFailedError
from validation_ch7.journal import utc_text
from validation_ch7.reporting.dashboard.view import Evidence, Score
from validation_ch7.schema import load_json

SUMMARY = "summary.json"
DELAY = "mean delay [s]"


def read_evidence(reports: Path, scenario: str) -> tuple[tuple[Evidence, ...], tuple[str, ...]]:
    """Return what studies recorded about a scenario, and why some of it is not shown.

    Args:
        reports: the workspace's folder of reports; each study has its folder in it.
    """
    found: list[Evidence] = []
    faults: list[str] = []
    for path in sorted(reports.glob(f"*/{SUMMARY}")):
        try:
            found += _studies(load_json(path, SessionFailedError), utc_text(path.stat().st_mtime), scenario)
        except SessionFailedError as fault:
            faults.append(f"{path.parent.name}/{SUMMARY} cannot be read: {fault.found}")
        except (KeyError, TypeError, ValueError, AttributeError, OSError):
            faults.append(f"{path.parent.name}/{SUMMARY} is no summary of a study that this version knows")
    return tuple(found), tuple(faults)


def _studies(data: Mapping[str, Any], written: str, scenario: str) -> Iterator[Evidence]:
    numbers = data["scenarios"].get(scenario)
    if numbers is None:
        return
    short = "; ".join(str(line) for line in data["reductions"])
    for case in numbers["cases"].values():
        scores = tuple(sorted(_scores(case), key=lambda score: score.mean))
        yield Evidence(f"{data['study']}: {case['title']}", written, scores, f"Reduced study: {short}" if short else "")


def _scores(case: Mapping[str, Any]) -> Iterator[Score]:
    for name, policy in case["policies"].items():
        delay = policy["delay"]
        yield Score(
            controller=str(name) if policy["kind"] == "controller" else f"{name} (trained)",
            metric=DELAY,
            mean=float(delay["value"]),
            low=float(delay["low"]),
            high=float(delay["high"]),
            episodes=int(policy["demand_seeds"]) * max(1, len(policy["training_seeds"])),
        )
