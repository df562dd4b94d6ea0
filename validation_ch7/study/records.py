"""What evaluations found: one file for each task, written when it is done, and all of them as one table."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from validation_ch7.errors import SessionFailedError, ValidationError
from validation_ch7.files import commit_bytes, json_bytes, make_folder
from validation_ch7.schema import Document, load_json, parse_document
from validation_ch7.study.tasks import EvaluationTask
from validation_ch7.training.curve import csv_text

_PER_CLASS = (
    "mean_delay_s", "travel_time_s", "queue_mean_veh", "queue_max_veh", "throughput_veh", "stops_per_veh",
    "residual_veh", "arrived_veh", "co2_proxy_g",
)  # fmt: skip
MEASURE_NAMES = tuple(f"{name}{suffix}" for suffix in ("", "_motorbike", "_car") for name in _PER_CLASS)
"""Measures of one episode; units are in the names."""
KEY_NAMES = ("scenario", "case", "grid", "kind", "policy", "training_seed", "demand_seed", "status", "reason")
Row = dict[str, Any]


class Trace(Document):
    """The first road during the first seed's episode."""

    occupancy: list[list[float]]
    """(decisions, cells) share of the lane area that is occupied, from the entry to the stop line [-]."""
    green: list[bool]
    """(decisions,) whether the road had green."""
    cell_length_m: float


class EvaluationRecord(Document):
    """What became of one task."""

    format: Literal["validation-ch7-evaluation"] = "validation-ch7-evaluation"
    version: Literal[1] = 1
    task: str
    task_sha256: str
    status: Literal["ok", "failed"]
    reason: str = ""
    checkpoint: str | None = None
    """Digest of the agent's checkpoint."""
    steps: int | None = None
    """Steps that the agent was trained for."""
    parameters: dict[str, Any] = Field(default_factory=dict)
    """What the search chose for a controller."""
    tried: int = 0
    """Candidates of that search."""
    episodes: list[dict[str, float]] = Field(default_factory=list)
    queue_veh: list[float] = Field(default_factory=list)
    """(decisions,) queued vehicles, mean over the seeds [veh]."""
    trace: Trace | None = None


def record_path(folder: Path, task: EvaluationTask) -> Path:
    """Return where the record of a task lies in the folder of evaluations."""
    return folder / f"{task.id}.json"


def write_record(folder: Path, task: EvaluationTask, record: EvaluationRecord) -> None:
    """Make the record appear, whole or not at all.

    Raises:
        StorageError: the disk refused.
    """
    path = record_path(folder, task)
    make_folder(path.parent)
    commit_bytes(path, json_bytes(record.model_dump(mode="json")))


def read_record(folder: Path, task: EvaluationTask) -> EvaluationRecord | None:
    """Return the record of a task, or None where there is none of this very task, or none that can be read."""
    path = record_path(folder, task)
    if not path.is_file():
        return None
    try:
        data = load_json(path, SessionFailedError)
        record = parse_document(EvaluationRecord, data, path, SessionFailedError)
    except ValidationError:
        return None  # torn by another program: it is evaluated again
    return record if record.task_sha256 == task.digest else None


def metric_rows(tasks: Iterable[tuple[EvaluationTask, EvaluationRecord | None]]) -> list[Row]:
    """Return one row for each episode, and one for each task without any, which says why.

    Keys: :data:`KEY_NAMES`, then :data:`MEASURE_NAMES` where the status is ok.
    """
    rows: list[Row] = []
    for task, record in tasks:
        key: Row = {name: getattr(task, name) for name in KEY_NAMES[:6]}
        if record is None:
            rows.append({**key, "demand_seed": None, "status": "missing", "reason": "not evaluated yet"})
        elif record.status == "failed":
            rows.append({**key, "demand_seed": None, "status": "failed", "reason": record.reason})
        else:
            for episode in record.episodes:
                measures = {name: episode[name] for name in MEASURE_NAMES}
                rows.append(
                    {**key, "demand_seed": int(episode["demand_seed"]), "status": "ok", "reason": ""} | measures
                )
    return rows


def metrics_csv(rows: Sequence[Row]) -> bytes:
    """Return rows as UTF-8 CSV; numbers in full, so that reading them back gives the same bits."""
    texts = [{name: "" if value is None else str(value) for name, value in row.items()} for row in rows]
    return csv_text(texts, [*KEY_NAMES, *MEASURE_NAMES]).encode("utf-8")
