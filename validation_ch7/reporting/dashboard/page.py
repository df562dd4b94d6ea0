"""The page: templates filled with the dashboard's values, every text escaped, one file that needs nothing else."""

from __future__ import annotations

import base64
import functools
import hashlib
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from validation_ch7.files import sha256_bytes
from validation_ch7.reporting.curves import Series, thin
from validation_ch7.reporting.dashboard.charts import (
    chart_data,
    chart_items,
    chart_script,
    first_metric,
    metric_data,
    paint,
)
from validation_ch7.reporting.dashboard.session_rows import seconds_of
from validation_ch7.reporting.dashboard.timeline import draw_progress, draw_timeline
from validation_ch7.reporting.dashboard.view import Dashboard

FOLDER = Path(__file__).parent
PARTS = ("summary", "timeline", "sessions", "points", "metrics", "evidence", "checkpoints", "disk", "log", "faults")
TABLE_POINTS = 200
"""Points of a curve that the table beside the chart holds at most."""
REFRESH_S = 4.0
_SIZES = (("GB", 1e9), ("MB", 1e6), ("kB", 1e3))


@dataclass(frozen=True)
class Policy:
    """The Content-Security-Policy of a page: its own scripts, by their digests, and nothing else.

    Attributes:
        live: whether the page asks its own server for news.
    """

    scripts: tuple[str, ...]
    live: bool

    def __str__(self) -> str:
        digests = [base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode() for text in self.scripts]
        allowed = " ".join(f"'sha256-{digest}'" for digest in digests)
        asked = "'self'" if self.live else "'none'"
        return (
            f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; img-src data: blob:; "
            f"connect-src {asked}; base-uri 'none'; form-action 'none'"
        )


def render_page(view: Dashboard, *, live: bool = False) -> str:
    """Return the whole page.

    Args:
        live: whether it asks its own server for news while it is open.
    """
    charts = {
        "items": chart_items(view.curve),
        "metrics": metric_data(view.curve),
        "first": first_metric(view.curve).name,
        "paint": paint(),
    }
    parts = {name: Markup(html) for name, html in render_parts(view).items()}
    return fill_page("page.html.j2", charts, live=live, view=view, parts=parts, written=view.written)


def fill_page(template: str, charts: Mapping[str, Any], *, live: bool = False, **values: Any) -> str:
    """Return a whole page, with style, scripts and policy of its own.

    Args:
        charts: what the charts show, as data that JSON can hold.
        values: what the template fills in.
    """
    scripts = (_text("page.js"), chart_script(), _text("charts.js"))
    own = {
        "charts": charts,
        "style": Markup(_text("page.css")),
        "scripts": [Markup(script) for script in scripts],
        "policy": str(Policy(scripts, live)),
        "refresh_s": REFRESH_S if live else 0,
    }
    return _environment().get_template(template).render(values | own)


def render_parts(view: Dashboard) -> dict[str, str]:
    """Return the parts of the page that change while a session runs, by name."""
    now = seconds_of(view.written) or 0.0
    drawn = {
        "view": view,
        "timeline": draw_timeline(view.sessions, now),
        "progress": draw_progress(view.sessions, view.summary.steps, view.summary.target_steps),
        "trained": _table_points(view.curve.trained),
        "evaluated": _table_points(view.curve.evaluated),
        "spread": dict(zip(view.curve.spread.steps, view.curve.spread.values, strict=True)),
    }
    environment = _environment()
    return {name: environment.get_template(f"parts/{name}.html.j2").render(drawn) for name in PARTS}


def render_news(view: Dashboard) -> dict[str, Any]:
    """Return what a page that is open must know to show ``view``: parts with their digests, data of the charts."""
    parts = {
        name: {"digest": sha256_bytes(html.encode("utf-8"))[:16], "html": html}
        for name, html in render_parts(view).items()
    }
    return {
        "written": view.written,
        "running": view.running,
        "parts": parts,
        "data": chart_data(view.curve),
        "metrics": metric_data(view.curve),
    }


def _table_points(series: Series) -> list[tuple[int, float]]:
    kept = thin(series.values, TABLE_POINTS)
    return [(series.steps[at], series.values[at]) for at in reversed(kept)]


@functools.cache
def _text(name: str) -> str:
    return (FOLDER / name).read_text(encoding="utf-8")


@functools.cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(FOLDER, encoding="utf-8"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.policies["json.dumps_kwargs"] = {"sort_keys": False}  # Bokeh's references follow their definitions
    environment.filters |= {"size": size, "number": number, "clock": clock, "span": span, "short": short}
    return environment


def size(count: int) -> str:
    """Return bytes as people read them.

    >>> size(812), size(15_300_000)
    ('812 B', '15.3 MB')
    """
    unit, factor = next(((unit, factor) for unit, factor in _SIZES if count >= factor), ("B", 1))
    return f"{count / factor:.1f} {unit}" if factor > 1 else f"{count} B"


def number(value: float | None) -> str:
    """Return a reward or another measured number.

    >>> number(-139.9268), number(None), number(1234567.0), number(0.00012345)
    ('-139.93', '–', '1,234,567', '0.000123')
    """
    if value is None:
        return "–"
    if abs(value) >= 1e12 or (value and abs(value) < 0.01):
        return f"{value:.3g}"
    return f"{value:,.0f}" if abs(value) >= 1e5 else f"{value:,.2f}"


def clock(text: str) -> str:
    """Return an ISO 8601 time to the minute, in UTC; anything else as it is.

    >>> clock("2026-11-25T22:45:51Z"), clock("soon")
    ('2026-11-25 22:45', 'soon')
    """
    seconds = seconds_of(text)
    return text if seconds is None else time.strftime("%Y-%m-%d %H:%M", time.gmtime(seconds))


def span(seconds: float) -> str:
    """Return how long something took.

    >>> span(42), span(75), span(3 * 3600 + 120), span(200_000)
    ('42 s', '1 min 15 s', '3 h 2 min', '2 d 7 h')
    """
    whole = int(seconds)
    for unit, name, small, less in ((86400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s")):
        if whole >= unit:
            rest = whole % unit // small
            return f"{whole // unit} {name} {rest} {less}" if rest else f"{whole // unit} {name}"
    return f"{whole} s"


def short(text: str, length: int = 40) -> str:
    """Return a text that fits; what is cut is in the middle.

    >>> short("20261125-224441-05bb9e", 12)
    '202611…5bb9e'
    """
    return text if len(text) <= length else f"{text[: length // 2]}…{text[-(length - length // 2 - 1) :]}"
