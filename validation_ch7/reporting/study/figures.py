"""The figures of a study, each drawn from recorded data alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from validation_ch7.reporting.study.learning import LearningCurve
from validation_ch7.reporting.study.style import Look, in_style, label, new_figure
from validation_ch7.reporting.study.summary import ScenarioNumbers
from validation_ch7.reporting.study.table import Runs
from validation_ch7.study.protocol import Bootstrap
from validation_ch7.study.records import Trace
from validation_ch7.study.statistics import profile

PROFILE_POINTS = 60


@in_style
def draw_learning(curves: Sequence[LearningCurve], look: Look) -> Figure:
    """Return delay over training steps: a thin line for each seed, a thick one for their median, session borders."""
    algorithms = list(dict.fromkeys(curve.algorithm for curve in curves))
    figure, panels = new_figure(2.6, 1, len(algorithms), sharey=True)
    for axes, algorithm in zip(panels, algorithms, strict=True):
        mine, colour = [curve for curve in curves if curve.algorithm == algorithm], look.line(algorithm)["color"]
        for curve in mine:
            steps = [point[1] for point in curve.points]
            delays = [point[2] for point in curve.points]
            axes.plot(steps, delays, color=colour, alpha=0.35, linewidth=0.8)
        shared = sorted(set.intersection(*({point[1] for point in curve.points} for curve in mine)))
        if len(mine) > 1 and shared:
            values = [{point[1]: point[2] for point in curve.points} for curve in mine]
            median = [float(np.median([value[step] for value in values])) for step in shared]
            axes.plot(shared, median, color=colour, linewidth=2.0, label=f"median of {len(mine)} seeds")
        borders = sorted({border for curve in mine for border in curve.borders})
        for place, border in enumerate(borders):
            axes.axvline(
                border, color="0.35", linewidth=0.8, linestyle=(0, (2, 2)), label=None if place else "new session"
            )
        axes.set(title=label(algorithm), xlabel="training steps")
        axes.xaxis.set_major_locator(MaxNLocator(5))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value / 1000:g}k"))
        if axes.get_legend_handles_labels()[1]:
            axes.legend(loc="upper right")
    panels[0].set_ylabel("mean delay on held-out demand [s]")
    return figure


@in_style
def draw_comparison(numbers: ScenarioNumbers, look: Look, reference: str) -> Figure:
    """Return interquartile mean delay with its interval for everybody, a panel for each demand case."""
    cases = list(numbers.cases.items())
    columns = min(2, len(cases))
    rows = -(-len(cases) // columns)
    first = numbers.cases.get(reference, cases[0][1])
    order = sorted(first.policies, key=lambda name: -first.policies[name].delay.value)
    figure, panels = new_figure(0.7 + rows * (0.5 + 0.19 * len(order)), rows, columns, sharey=True)
    for axes, (name, case) in zip(panels, cases, strict=False):
        for height, policy in enumerate(order):
            if policy in case.policies:
                _interval(axes, height, case.policies[policy].delay, look.point(policy))
        if name == reference and numbers.oracle_delay is not None:
            axes.axvline(numbers.oracle_delay.value, color="0.35", linestyle=":", linewidth=1.2)
            axes.annotate(
                "look-ahead", (numbers.oracle_delay.value, 1.0), xycoords=("data", "axes fraction"), xytext=(3, -2),
                textcoords="offset points", fontsize=7, color="0.35", va="top",
            )  # fmt: skip
        axes.set_title(case.title, loc="left")
        axes.set_yticks(range(len(order)), [label(policy) for policy in order])
        axes.set_ylim(-0.6, len(order) - 0.4)
        axes.set_xlim(left=0.0)
        axes.xaxis.set_major_locator(MaxNLocator(5))
    for axes in panels[len(cases) :]:
        axes.remove()
    for axes in panels[max(0, len(cases) - columns) : len(cases)]:
        axes.set_xlabel("mean delay [s], interquartile mean")
    return figure


def _interval(axes: Axes, height: float, found: object, point: Mapping[str, object]) -> None:
    value, low, high = (getattr(found, name) for name in ("value", "low", "high"))
    axes.plot([low, high], [height, height], color=point["color"], linewidth=1.6, solid_capstyle="butt")
    axes.plot([value], [height], color=point["color"], marker=point["marker"], markersize=5.0)


@in_style
def draw_profiles(policies: Mapping[str, Runs], look: Look, bootstrap: Bootstrap) -> Figure:
    """Return the share of episodes with a mean delay of at most a threshold, with bands for the agents."""
    figure, (axes,) = new_figure(3.2)
    shown = {name: runs for name, runs in policies.items() if name not in ("random", "all_red")} or dict(policies)
    largest = max(float(np.quantile(runs.delay, 0.98)) for runs in shown.values())
    smallest = min(float(runs.delay.min()) for runs in shown.values())
    thresholds = np.linspace(0.95 * smallest, largest, PROFILE_POINTS)
    for name, runs in shown.items():
        points = profile(runs.delay, thresholds, f"profile.{name}", bootstrap)
        axes.plot(thresholds, [point.value for point in points], label=label(name), **look.line(name))
        if runs.kind == "agent":
            low, high = [point.low for point in points], [point.high for point in points]
            axes.fill_between(thresholds, low, high, color=look.line(name)["color"], alpha=0.18, linewidth=0)
    axes.set(xlabel="mean delay τ of an episode [s]", ylabel="share of episodes with delay ≤ τ", ylim=(0.0, 1.02))
    axes.set_xlim(thresholds[0], thresholds[-1])
    axes.legend(loc="lower right")
    return figure


@in_style
def draw_time_space(traces: Sequence[tuple[str, Trace]], decision_s: float) -> Figure:
    """Return occupancy over time and space of the first road for each policy; a dark bar at the stop line is red."""
    figure, panels = new_figure(0.6 + 1.75 * len(traces), len(traces), 1, sharex=True)
    picture = None
    for axes, (policy, trace) in zip(panels, traces, strict=True):
        occupancy = np.array(trace.occupancy).T
        length, duration = len(occupancy) * trace.cell_length_m, occupancy.shape[1] * decision_s
        axes.grid(False)
        picture = axes.imshow(
            occupancy, origin="lower", aspect="auto", cmap="cividis_r", vmin=0.0, vmax=1.0,
            extent=(0.0, duration, -length, 0.0), interpolation="nearest",
        )  # fmt: skip
        red = [not green for green in trace.green]
        edges = np.arange(len(red) + 1) * decision_s
        bar = 0.045 * length
        axes.bar(edges[:-1][red], bar, width=decision_s, bottom=0.0, align="edge", color="0.1", linewidth=0)
        axes.axhline(0.0, color="0.1", linewidth=0.6)
        axes.set(ylim=(-length, bar), ylabel="position [m]")
        axes.set_title(label(policy), loc="left")
    panels[-1].set_xlabel("time [s]")
    assert picture is not None
    figure.colorbar(picture, ax=panels, label="occupied share of the lane area", shrink=0.8, pad=0.02)
    return figure


@in_style
def draw_queues(
    series: Mapping[str, Mapping[str, Sequence[float]]], titles: Mapping[str, str], decision_s: float, look: Look
) -> Figure:
    """Return queued vehicles over the episode, mean over all seeds, a panel for each demand case.

    Args:
        series: by case, then by policy, one value for each decision [veh].
        titles: of the cases.
        decision_s: time between two decisions [s].
        look: of the policies.
    """
    columns = min(2, len(series))
    rows = -(-len(series) // columns)
    figure, panels = new_figure(0.5 + 1.8 * rows, rows, columns, sharex=True)
    for axes, (case, lines) in zip(panels, series.items(), strict=False):
        for policy, queue in lines.items():
            times = (np.arange(len(queue)) + 1) * decision_s
            axes.plot(times, queue, label=label(policy), **look.line(policy))
        axes.set_title(titles[case], loc="left")
        axes.set_ylim(bottom=0.0)
    for place, axes in enumerate(panels):
        if place % columns == 0:
            axes.set_ylabel("queued vehicles")
        if place >= len(series):
            axes.remove()
        elif place >= len(series) - columns:
            axes.set_xlabel("time [s]")
            axes.tick_params(labelbottom=True)
    panels[0].legend(loc="upper left")
    return figure
