"""One unbroken learning curve out of the rows that each session of a chain left.

A session that was killed went on after its last checkpoint; the next one resumed before that and trained the
same steps again. The rows in between are rolled back here, so each step appears once. This module reads and
writes plain files and needs neither torch nor Stable-Baselines3.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from validation_ch7.errors import SessionFailedError, ValidationError
from validation_ch7.files import commit_bytes, make_folder, storage_errors
from validation_ch7.schema import Document, load_json, parse_document
from validation_ch7.session import Steps

PROGRESS_NAME = "progress.csv"
SESSION_NAME = "session.json"
TENSORBOARD_FOLDER = "tensorboard"
EVENTS_NAME = "events.out.tfevents.0000000000.curve"
SESSION_ID, STEP, WALL_TIME = "session_id", "step", "wall_time"
KEY_COLUMNS = (SESSION_ID, STEP, WALL_TIME)

Row = Mapping[str, str]


class SessionCurve(Document):
    """Where the rows of a session belong in the chain."""

    session_id: str
    started: str
    """UTC, ISO 8601; sessions of a chain follow each other."""
    resumed_at: Steps = 0
    """Cumulative steps from which the session trained on."""


@dataclass(frozen=True)
class SessionRows:
    """What one session logged."""

    session_id: str
    resumed_at: int
    rows: tuple[Row, ...]


def merge_progress(sessions: Iterable[SessionRows]) -> list[dict[str, str]]:
    """Return the rows of a chain in the order of its sessions, each step once.

    Rows of a session beyond the step from which the next one resumed are dropped. Rows of one step are
    joined, the later value winning. Every row has every column.

    >>> first = SessionRows("a", 0, ({"session_id": "a", "step": "10"}, {"session_id": "a", "step": "20"}))
    >>> second = SessionRows("b", 10, ({"session_id": "b", "step": "20", "loss": "1"},))
    >>> [(row["session_id"], row["step"], row["loss"]) for row in merge_progress([first, second])]
    [('a', '10', ''), ('b', '20', '1')]
    """
    merged: dict[int, dict[str, str]] = {}
    for session in sessions:
        merged = {step: row for step, row in merged.items() if step <= session.resumed_at}
        for row in session.rows:
            known = merged.setdefault(int(row[STEP]), {})
            known.update({name: value for name, value in row.items() if value != "" or name not in known})
    ordered = [merged[step] for step in sorted(merged)]
    columns = columns_of(ordered)
    return [{name: row.get(name, "") for name in columns} for row in ordered]


def columns_of(rows: Iterable[Row]) -> list[str]:
    """Return the key columns, then every other column in alphabetical order."""
    found = {name for row in rows for name in row}
    return [*KEY_COLUMNS, *sorted(found - set(KEY_COLUMNS))]


def read_rows(path: Path) -> tuple[dict[str, str], ...]:
    """Return the whole rows of a ``progress.csv``; a last line that was torn by a kill is left out.

    Raises:
        StorageError: the file cannot be read.
    """
    if not path.is_file():
        return ()
    with storage_errors(path):
        text = path.read_bytes().decode("utf-8", errors="replace")
    whole, _, _torn = text.rpartition("\n")
    header, *lines = list(csv.reader(io.StringIO(whole))) or [[]]
    rows = (dict(zip(header, line, strict=True)) for line in lines if len(line) == len(header))
    return tuple(row for row in rows if row.get(STEP, "").isdecimal())


def csv_text(rows: Sequence[Row], columns: Sequence[str], *, header: bool = True) -> str:
    """Return rows as CSV with ``\\n`` line ends.

    >>> csv_text([{"step": "1", "note": "a,b"}], ["step", "note"])
    'step,note\\n1,"a,b"\\n'
    """
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, columns, restval="", lineterminator="\n")
    if header:
        writer.writeheader()
    writer.writerows(rows)
    return buffer.getvalue()


def read_sessions(logs_folder: Path) -> list[SessionRows]:
    """Return what each session below ``logs_folder`` logged, in the order in which they started."""
    described = [
        (curve, tuple(read_rows(folder / PROGRESS_NAME)))
        for folder in (sorted(logs_folder.iterdir()) if logs_folder.is_dir() else ())
        if (curve := _description(folder)) is not None
    ]
    described.sort(key=lambda item: (item[0].started, item[0].session_id))
    return [SessionRows(curve.session_id, curve.resumed_at, rows) for curve, rows in described]


def _description(folder: Path) -> SessionCurve | None:
    path = folder / SESSION_NAME
    if not path.is_file():
        return None
    try:
        return parse_document(SessionCurve, load_json(path, SessionFailedError), path, SessionFailedError)
    except ValidationError:
        return None  # a session whose place is unknown adds nothing; the others still make a curve


def write_curve(logs_folder: Path) -> list[dict[str, str]]:
    """Write ``progress.csv`` and one TensorBoard run for the whole chain, and return the rows.

    Raises:
        StorageError: the disk refused; each file is as it was, or new and whole.
    """
    rows = merge_progress(read_sessions(logs_folder))
    make_folder(logs_folder)
    commit_bytes(logs_folder / PROGRESS_NAME, csv_text(rows, columns_of(rows)).encode("utf-8"))
    commit_bytes(make_folder(logs_folder / TENSORBOARD_FOLDER) / EVENTS_NAME, event_bytes(rows))
    return rows


def event_bytes(rows: Iterable[Row]) -> bytes:
    """Return the content of a TensorBoard event file with every number of ``rows``."""
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.summary.writer.record_writer import RecordWriter

    buffer = io.BytesIO()
    writer = RecordWriter(buffer)
    writer.write(Event(wall_time=0.0, file_version="brain.Event:2").SerializeToString())
    for row in rows:
        values = [
            Summary.Value(tag=name, simple_value=number)
            for name, text in row.items()
            if name not in KEY_COLUMNS and (number := _number(text)) is not None
        ]
        if values:
            wall_time = _number(row.get(WALL_TIME, "")) or 0.0
            event = Event(wall_time=wall_time, step=int(row[STEP]), summary=Summary(value=values))
            writer.write(event.SerializeToString())
    return buffer.getvalue()


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None
