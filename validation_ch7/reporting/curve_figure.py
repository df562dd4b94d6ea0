"""The learning curve of a chain as a figure: reward over cumulative steps."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure

from validation_ch7.progress import Standing
from validation_ch7.reporting.curves import curve_of, read_chain_rows


class ShownFigure(Figure):
    """A figure that shows itself in a notebook, whatever backend of matplotlib is chosen there."""

    def _repr_png_(self) -> bytes:
        picture = io.BytesIO()
        self.savefig(picture, format="png")
        return picture.getvalue()


def draw_curve(logs_folder: Path, title: str, live: Sequence[Standing] = ()) -> Figure:
    """Return a figure of what the chain has logged, with the borders between sessions, and what a running one tells.

    Raises:
        StorageError: a file cannot be read.
    """
    figure = ShownFigure(figsize=(7, 3.5), layout="constrained")
    axes = figure.add_subplot()
    curve = curve_of(read_chain_rows(logs_folder))
    for series, label, style in ((curve.trained, "training episodes", "-"), (curve.evaluated, "evaluation", "o-")):
        if series.steps:
            axes.plot(series.steps, series.values, style, markersize=3, label=label)
    for border in curve.borders:
        axes.axvline(border.step, color="0.8", linewidth=1, zorder=0)
    told = [(item.steps, item.reward) for item in live if item.reward is not None]
    if told:
        axes.plot(*zip(*told, strict=True), ":", label="this session's log")
    axes.set(title=title, xlabel="steps", ylabel="reward")
    if axes.lines:
        axes.legend()
    else:
        axes.text(0.5, 0.5, "nothing was logged yet", ha="center", transform=axes.transAxes)
    return figure
