"""Logging of one session: a folder of its own, rows that outlive a kill of the process.

Stable-Baselines3's own CSV writer truncates the file of the session before, and its TensorBoard writer opens
a new run for every ``learn()``. Here each session has its folder, and :mod:`.curve` joins them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.logger import KVWriter, Logger, TensorBoardOutputFormat
from stable_baselines3.common.on_policy_algorithm import OnPolicyAlgorithm

from validation_ch7.files import commit_bytes, copy_durably, make_folder, storage_errors
from validation_ch7.session import write_document
from validation_ch7.training.curve import (
    PROGRESS_NAME,
    SESSION_ID,
    SESSION_NAME,
    STEP,
    WALL_TIME,
    SessionCurve,
    columns_of,
    csv_text,
    read_rows,
    write_curve,
)

Now = Callable[[], float]


class CurveWriter(KVWriter):
    """Appends rows to a ``progress.csv`` whose columns may grow.

    Args:
        folder: the session's log folder; it is created.
        session_id: goes into every row.
        now: wall time [s since 1970, UTC].
    """

    def __init__(self, folder: Path, session_id: str, now: Now = time.time) -> None:
        self._path = make_folder(folder) / PROGRESS_NAME
        self._session_id = session_id
        self._now = now
        self._columns: list[str] = []

    def begin(self, resumed_at: int, started: str) -> None:
        """Say where the session stands in the chain; rows of an earlier attempt beyond that are dropped."""
        kept = [row for row in read_rows(self._path) if int(row[STEP]) <= resumed_at]
        self._rewrite(kept)
        curve = SessionCurve(session_id=self._session_id, started=started, resumed_at=resumed_at)
        write_document(self._path.parent / SESSION_NAME, curve)

    def write(self, key_values: dict[str, Any], key_excluded: dict[str, tuple[str, ...]], step: int = 0) -> None:
        """Append one row; a process that is killed afterwards leaves it behind."""
        row = {SESSION_ID: self._session_id, STEP: str(step), WALL_TIME: f"{self._now():.3f}"}
        for name, value in key_values.items():
            text = _cell(value)
            if text is not None and "csv" not in (key_excluded.get(name) or ()):
                row[name] = text
        if set(row) <= set(self._columns):
            self._append(csv_text([row], self._columns, header=False))
        else:
            self._rewrite([*read_rows(self._path), row])

    def close(self) -> None:
        """Do nothing: no file is held open between two rows."""

    def _append(self, text: str) -> None:
        with storage_errors(self._path), self._path.open("ab") as stream:
            stream.write(text.encode("utf-8"))

    def _rewrite(self, rows: list[dict[str, str]]) -> None:
        self._columns = [*columns_of(rows)]
        commit_bytes(self._path, csv_text(rows, self._columns).encode("utf-8"))


def _cell(value: Any) -> str | None:
    """Return the text of a number or a word; pictures and histograms have none."""
    if isinstance(value, bool | int | float | np.number):
        return repr(value.item() if isinstance(value, np.number) else value)
    return " ".join(value.split()) if isinstance(value, str) else None


class SessionLogger(Logger):
    """The logger of one session: CSV as the truth, TensorBoard events beside it."""

    def __init__(self, folder: Path, session_id: str, now: Now = time.time) -> None:
        self.curve = CurveWriter(folder, session_id, now)
        super().__init__(str(folder), [self.curve, TensorBoardOutputFormat(str(folder))])


def log_interval(model: BaseAlgorithm, row_every: int = 2048) -> int:
    """Return Stable-Baselines3's ``log_interval`` that gives a row about every ``row_every`` steps.

    Off-policy algorithms count episodes, whose length nobody knows; 4 is Stable-Baselines3's own number.
    """
    rollout = getattr(model, "n_steps", None) if isinstance(model, OnPolicyAlgorithm) else None
    return max(1, row_every // (rollout * model.n_envs)) if rollout else 4


class CurveCallback(BaseCallback):
    """Tells the log where the session resumed, and carries values that are not yet written over to the next.

    Stable-Baselines3 records losses after one dump and writes them with the next; a checkpoint lies in
    between, so without this the first row of each session would lack them.
    """

    def __init__(self, curve: CurveWriter, started: str) -> None:
        super().__init__()
        self._curve = curve
        self._started = started

    def get_state(self) -> dict[str, Any]:
        """Return what was recorded since the last row."""
        logger = self.logger
        return {
            "pending": [
                [name, float(value), int(logger.name_to_count[name]), list(logger.name_to_excluded.get(name) or ())]
                for name, value in logger.name_to_value.items()
                if isinstance(value, int | float | np.number) and np.isfinite(value)
            ]
        }

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Record it again."""
        for name, value, count, excluded in state["pending"]:
            self.logger.record(name, value, tuple(excluded))
            self.logger.name_to_count[name] = count

    def _on_training_start(self) -> None:
        self._curve.begin(self.model.num_timesteps, self._started)

    def _on_step(self) -> bool:
        return True


def join_logs(session_logs: Path, tree_logs: Path) -> None:
    """Add the log folders of a session to those of the chain, and write the one unbroken curve.

    Raises:
        StorageError: a file cannot be written.
    """
    for source in sorted(path for path in session_logs.glob("*/*") if path.is_file()) if session_logs.is_dir() else ():
        make_folder(tree_logs / source.parent.name)
        copy_durably(source, tree_logs / source.parent.name / source.name)
    if tree_logs.is_dir():
        write_curve(tree_logs)
