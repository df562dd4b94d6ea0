"""How figures look: colours that everyone can tell apart, also in grey print; embedded fonts; no date inside."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, BinaryIO, TypeVar

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from validation_ch7.files import commit_file

Draw = TypeVar("Draw", bound=Callable[..., Any])
WIDTH_IN = 6.3
"""Width of the text of an A4 page [in]."""
_SETTINGS: Any = {
    "pdf.fonttype": 42,  # TrueType: the text of a figure can be searched, and is embedded
    "font.size": 9.0,
    "axes.titlesize": 9.0,
    "axes.labelsize": 9.0,
    "legend.fontsize": 8.0,
    "xtick.labelsize": 8.0,
    "ytick.labelsize": 8.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "0.9",
    "grid.linewidth": 0.6,
    "axes.axisbelow": True,
    "lines.linewidth": 1.4,
    "legend.frameon": False,
    "svg.hashsalt": "7.6",
}
_AGENTS = ("#D55E00", "#0072B2", "#009E73", "#CC79A7")
_OTHERS = ("0.15", "0.45", "#56B4E9", "#E69F00", "0.65", "#8C6D1F", "#7A4FA3", "0.8")
_STYLES = ("--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (1, 1)), (0, (6, 2)), (0, (3, 1, 1, 1)), (0, (8, 2)))
_NAMES = MappingProxyType(
    {
        "fixed_time": "Fixed time",
        "webster": "Webster",
        "actuated": "Actuated",
        "sotl": "SOTL",
        "max_pressure": "Max-pressure",
        "greedy": "Greedy",
        "random": "Random",
        "all_red": "All red",
        "lookahead": "Look-ahead",
        "ppo_mask": "PPO (masked)",
        "ppo_lstm": "PPO (LSTM)",
        "qrdqn": "QR-DQN",
    }
)


def label(policy: str) -> str:
    """Return a policy's name for people.

    >>> label("max_pressure"), label("dqn")
    ('Max-pressure', 'DQN')
    """
    return _NAMES.get(policy, policy.upper())


def scenario_label(scenario: str) -> str:
    """Return a scenario's name for people.

    >>> scenario_label("traffic_light_control")
    'traffic light control'
    """
    return scenario.replace("_", " ")


class Look:
    """Colour, line and marker of each policy, the same in every figure.

    Args:
        agents: algorithms, drawn in full lines and strong colours.
        others: controllers.
    """

    def __init__(self, agents: Sequence[str], others: Sequence[str]) -> None:
        self._of: dict[str, dict[str, Any]] = {}
        for place, name in enumerate(agents):
            self._of[name] = {"color": _AGENTS[place % len(_AGENTS)], "linestyle": "-", "marker": "os^D"[place % 4]}
        for place, name in enumerate(others):
            colour, style = _OTHERS[place % len(_OTHERS)], _STYLES[place % len(_STYLES)]
            self._of[name] = {"color": colour, "linestyle": style, "marker": "vPX<>dph"[place % 8]}

    def line(self, policy: str) -> dict[str, Any]:
        """Return colour and line style."""
        return {key: value for key, value in self._of[policy].items() if key != "marker"}

    def point(self, policy: str) -> dict[str, Any]:
        """Return colour and marker."""
        return {key: value for key, value in self._of[policy].items() if key != "linestyle"}


def in_style(draw: Draw) -> Draw:
    """Let a function draw with these settings, whatever the process has set for itself."""

    @functools.wraps(draw)
    def drawn(*args: Any, **kwargs: Any) -> Any:
        with matplotlib.rc_context(_SETTINGS):
            return draw(*args, **kwargs)

    return drawn  # type: ignore[return-value]


def new_figure(height_in: float, rows: int = 1, columns: int = 1, **kwargs: Any) -> tuple[Figure, list[Axes]]:
    """Return a figure of the text's width and its panels, row by row."""
    figure = Figure(figsize=(WIDTH_IN, height_in), layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False, **kwargs)
    return figure, list(panels.flat)


def save_figure(figure: Figure, folder: Path, name: str) -> list[str]:
    """Write a figure as PDF for print and as PNG for screens, and return the names; equal data, equal bytes.

    Raises:
        StorageError: the disk refused.
    """
    with matplotlib.rc_context(_SETTINGS):
        commit_file(folder / f"{name}.pdf", lambda stream: _save(figure, stream, "pdf", {"CreationDate": None}))
        figure.set_layout_engine("none")  # it is laid out already
        commit_file(folder / f"{name}.png", lambda stream: _save(figure, stream, "png", {"Software": None}))
    return [f"{name}.pdf", f"{name}.png"]


def _save(figure: Figure, stream: BinaryIO, kind: str, metadata: dict[str, str | None]) -> None:
    figure.savefig(stream, format=kind, dpi=200, metadata=metadata)
