"""A comparison as one page that needs nothing else, in the manner of the dashboard."""

from __future__ import annotations

from bokeh.embed import json_item
from bokeh.models import ColumnDataSource
from bokeh.plotting import figure

from validation_ch7.reporting.comparison.compared import RunComparison
from validation_ch7.reporting.comparison.run import Run
from validation_ch7.reporting.curves import SHOWN_POINTS
from validation_ch7.reporting.dashboard.charts import axis_paint, make_figure, points_of
from validation_ch7.reporting.dashboard.page import fill_page
from validation_ch7.reporting.dashboard.tidy import shown

CHART = "runs"
COLOURS = 9
ROWS = 12
"""Steps of the table beside the chart at most."""


def render_comparison(found: RunComparison, written: str) -> str:
    """Return the whole page.

    Args:
        written: the time of now; UTC, ISO 8601.
    """
    runs = [(run, index % COLOURS + 1) for index, run in enumerate(found.runs)]
    return fill_page(
        "comparison.html.j2",
        {"items": {CHART: json_item(_chart(runs))}, "paint": axis_paint(CHART) | _paint(runs)},
        found=found,
        runs=runs,
        written=written,
        rows=sampled_rows(found),
        tidy=lambda text: shown(text, []),
    )


def sampled_rows(found: RunComparison) -> list[tuple[int, tuple[float, ...]]]:
    """Return a few of the aligned rewards, from the first step to the last."""
    if found.aligned is None:
        return []
    last = len(found.aligned.steps) - 1
    kept = sorted({round(last * index / (ROWS - 1)) for index in range(ROWS)})
    return [(found.aligned.steps[at], tuple(row[at] for row in found.aligned.rewards)) for at in kept]


def _chart(runs: list[tuple[Run, int]]) -> figure:
    plot = make_figure(CHART, "reward", 360)
    for index, (run, _) in enumerate(runs):
        trained, evaluated = (
            ColumnDataSource(data=points_of(curve.thinned(SHOWN_POINTS)))
            for curve in (run.curve.trained, run.curve.evaluated)
        )
        plot.line("x", "y", source=trained, line_width=1.2, line_alpha=0.55, line_dash=[4, 3], name=f"trained-{index}")
        plot.line("x", "y", source=evaluated, line_width=2.5, name=f"evaluated-{index}")
        plot.scatter("x", "y", source=evaluated, size=7, name=f"points-{index}")
    return plot


def _paint(runs: list[tuple[Run, int]]) -> dict[str, dict[str, str]]:
    painted = {}
    for index, (_, colour) in enumerate(runs):
        for name in (f"trained-{index}", f"evaluated-{index}"):
            painted[name] = {"glyph.line_color": f"--p{colour}"}
        painted[f"points-{index}"] = {"glyph.line_color": f"--p{colour}", "glyph.fill_color": f"--p{colour}"}
    return painted
