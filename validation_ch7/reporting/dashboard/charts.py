"""The charts, drawn with Bokeh in the browser; its script is taken from the installed package, never from a network.

Colours are left to the page, which knows whether it is dark: :func:`paint` names what it paints with which of its
CSS variables.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bokeh.embed import json_item
from bokeh.models import ColumnDataSource, HoverTool, NumeralTickFormatter
from bokeh.plotting import figure
from bokeh.resources import Resources

from validation_ch7.reporting.curves import Curve, Series

CURVE, METRIC = "curve", "metric"
FAVOURITES = ("eval/mean_delay_s", "train/loss", "train/value_loss", "rollout/ep_len_mean")
"""The quantity that is shown first, where it was logged."""
_TOOLS = "pan,wheel_zoom,box_zoom,reset,save"
Columns = Mapping[str, list[Any]]


def chart_script() -> str:
    """Return Bokeh's own script, whole."""
    return Resources(mode="inline", components=["bokeh"]).js_raw[0]


def chart_data(curve: Curve) -> dict[str, Columns]:
    """Return what the charts show by source, as data that JSON can hold."""
    evaluated, spread = curve.evaluated, curve.spread.values or (0.0,) * len(curve.evaluated.values)
    best = max(range(len(evaluated.values)), key=evaluated.values.__getitem__, default=None)
    low = [value - width for value, width in zip(evaluated.values, spread, strict=True)]
    high = [value + width for value, width in zip(evaluated.values, spread, strict=True)]
    return {
        "trained": points_of(curve.trained),
        "evaluated": {**points_of(evaluated), "low": low, "high": high},
        "best": {"x": [] if best is None else [evaluated.steps[best]], "y": [] if best is None else [high_of(curve)]},
        "borders": {
            "x": [border.step for border in curve.borders],
            "session": [border.session_id for border in curve.borders],
        },
        "metric": points_of(first_metric(curve)),
    }


def high_of(curve: Curve) -> float:
    """Return the best evaluation of a curve that has one."""
    return max(curve.evaluated.values)


def first_metric(curve: Curve) -> Series:
    """Return the quantity that the second chart shows first."""
    by_name = {series.name: series for series in curve.metrics}
    names = [name for name in FAVOURITES if name in by_name] or sorted(by_name)
    return by_name[names[0]] if names else Series("")


def metric_data(curve: Curve) -> dict[str, Columns]:
    """Return every quantity that the second chart can show."""
    return {series.name: points_of(series) for series in curve.metrics}


def points_of(series: Series) -> dict[str, list[Any]]:
    """Return a curve as columns, its numbers short."""
    return {"x": list(series.steps), "y": [float(f"{value:.6g}") for value in series.values]}


def chart_items(curve: Curve) -> dict[str, Any]:
    """Return both charts as Bokeh's JSON, by the id of the element that they are drawn into."""
    sources = {
        name: ColumnDataSource(data=dict(columns), name=f"source-{name}") for name, columns in chart_data(curve).items()
    }
    return {CURVE: json_item(_learning_curve(sources)), METRIC: json_item(_metric(sources["metric"]))}


def _learning_curve(sources: Mapping[str, ColumnDataSource]) -> figure:
    plot = make_figure(CURVE, "reward", 360)
    plot.vspan("x", source=sources["borders"], line_dash=[2, 4], line_width=1, name="borders")
    plot.varea("x", "low", "high", source=sources["evaluated"], fill_alpha=0.18, name="band")
    trained = plot.line("x", "y", source=sources["trained"], line_width=1.5, name="trained")
    plot.line("x", "y", source=sources["evaluated"], line_width=2, name="evaluated-line")
    points = plot.scatter("x", "y", source=sources["evaluated"], size=7, name="evaluated")
    plot.scatter("x", "y", source=sources["best"], size=17, marker="star", name="best")
    plot.add_tools(
        HoverTool(renderers=[points], tooltips=[("step", "@x{0,0}"), ("evaluation", "@y{0,0.00}")], mode="vline"),
        HoverTool(renderers=[trained], tooltips=[("step", "@x{0,0}"), ("training", "@y{0,0.00}")]),
    )
    return plot


def _metric(source: ColumnDataSource) -> figure:
    plot = make_figure(METRIC, "", 260)
    line = plot.line("x", "y", source=source, line_width=1.5, name="metric-line")
    plot.add_tools(HoverTool(renderers=[line], tooltips=[("step", "@x{0,0}"), ("value", "@y{0,0.0000}")]))
    return plot


def make_figure(name: str, label: str, height: int) -> figure:
    """Return an empty chart over steps, without colours; ``name`` begins the names of its parts."""
    plot = figure(
        height=height, sizing_mode="stretch_width", tools=_TOOLS, active_drag=None, toolbar_location="above", name=name
    )
    plot.background_fill_color = plot.border_fill_color = plot.outline_line_color = None
    plot.toolbar.logo, plot.toolbar.autohide = None, True
    plot.min_border_left = 0
    plot.xaxis.formatter, plot.xaxis.axis_label, plot.yaxis.axis_label = (
        NumeralTickFormatter(format="0.[00]a"),
        "steps",
        label,
    )
    for side, axis, grid in (("x", plot.xaxis[0], plot.xgrid[0]), ("y", plot.yaxis[0], plot.ygrid[0])):
        axis.name, grid.name = f"{name}-{side}axis", f"{name}-{side}grid"
        axis.axis_label_text_font_style, axis.minor_tick_line_color = "normal", None
        axis.major_label_text_font_size = axis.axis_label_text_font_size = "12px"
    return plot


def paint() -> dict[str, dict[str, str]]:
    """Return which property of which named model the page paints with which CSS variable."""
    painted = {
        "trained": {"glyph.line_color": "--trained"},
        "band": {"glyph.fill_color": "--evaluated"},
        "evaluated-line": {"glyph.line_color": "--evaluated"},
        "evaluated": {"glyph.line_color": "--evaluated", "glyph.fill_color": "--evaluated"},
        "best": {"glyph.line_color": "--surface", "glyph.fill_color": "--star"},
        "borders": {"glyph.line_color": "--muted"},
        "metric-line": {"glyph.line_color": "--evaluated"},
    }
    return painted | axis_paint(CURVE) | axis_paint(METRIC)


def axis_paint(name: str) -> dict[str, dict[str, str]]:
    """Return the same for the axes and grids of one chart."""
    labels = {"axis_label_text_color": "--muted", "major_label_text_color": "--muted"}
    axis = labels | {"axis_line_color": "--line", "major_tick_line_color": "--line"}
    grid = {"grid_line_color": "--line"}
    return {f"{name}-{side}axis": axis for side in "xy"} | {f"{name}-{side}grid": grid for side in "xy"}
