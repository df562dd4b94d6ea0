"""The learning curve of a chain as a figure: reward over cumulative steps."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure

from validation_ch7.progress import Standing
from validation_ch7.training.curve import PROGRESS_NAME, STEP, read_rows

_SERIES = {"rollout/ep_rew_mean": ("training episodes", "-"), "eval/mean_reward": ("evaluation", "o-")}


class ShownFigure(Figure):
    """A figure that shows itself in a notebook, whatever backend of matplotlib is chosen there."""

    def _repr_png_(self) -> bytes:
        picture = io.BytesIO()
        self.savefig(picture, format="png")
        return picture.getvalue()


def draw_curve(logs_folder: Path, title: str, live: Sequence[Standing] = ()) -> Figure:
    """Return a figure of what the chain has logged, and of what a running session tells.

    Raises:
        StorageError: a file cannot be read.
    """
    figure = ShownFigure(figsize=(7, 3.5), layout="constrained")
    axes = figure.add_subplot()
    rows = read_rows(logs_folder / PROGRESS_NAME)
    for column, (label, style) in _SERIES.items():
        points = [(int(row[STEP]), float(row[column])) for row in rows if row.get(column)]
        if points:
            axes.plot(*zip(*points, strict=True), style, markersize=3, label=label)
    told = [(item.steps, item.reward) for item in live if item.reward is not None]
    if told:
        axes.plot(*zip(*told, strict=True), ":", label="this session's log")
    axes.set(title=title, xlabel="steps", ylabel="reward")
    if axes.lines:
        axes.legend()
    else:
        axes.text(0.5, 0.5, "nothing was logged yet", ha="center", transform=axes.transAxes)
    return figure
