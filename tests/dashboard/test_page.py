"""The page as bytes: small enough, whole, and harmless before any browser reads it."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from tests.dashboard.views import curve, hostile, large, session, small
from validation_ch7.reporting.curves import SHOWN_POINTS, Curve, Series, thin, thin_curve
from validation_ch7.reporting.dashboard.page import PARTS, render_news, render_page
from validation_ch7.reporting.dashboard.timeline import WIDTH, draw_progress, draw_timeline
from validation_ch7.reporting.dashboard.view import Dashboard, Tone

LIMIT = 2_500_000


@pytest.mark.parametrize("view", [small(), hostile(), large()], ids=["small", "hostile", "large"])
def test_page_is_one_small_file_that_asks_nobody(view):
    page = render_page(view)
    assert len(page.encode()) < LIMIT
    tags = [(tag, dict(given)) for tag, given in Tags(page).found]
    assert not [given for _, given in tags if {"src", "onerror", "onclick", "onload", "srcset", "action"} & set(given)]
    assert not [given["href"] for tag, given in tags if "href" in given and not given["href"].startswith("#")]
    assert "link" not in {tag for tag, _ in tags}


class Tags(HTMLParser):
    """The start tags of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list = []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, attrs))


def test_thousand_failures_with_long_reasons_fit_as_well():
    view = large()
    wordy = replace(view, sessions=tuple(replace(row, error="why " * 500) for row in view.sessions))
    assert len(render_page(wordy).encode()) < 0.95 * LIMIT


def test_policy_allows_the_pages_own_scripts_only():
    page = render_page(small())
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', page)[1]
    assert policy.startswith("default-src &#39;none&#39;; script-src &#39;sha256-")
    assert policy.count("sha256-") == 3 and "connect-src &#39;none&#39;" in policy
    assert "unsafe-eval" not in policy and "script-src &#39;unsafe" not in policy
    assert "connect-src &#39;self&#39;" in render_page(small(), live=True)


def test_empty_dashboard_is_a_page_too():
    view = Dashboard("2026-01-01T00:00:00Z", small().summary)
    page = render_page(view)
    for text in ("No session yet.", "No checkpoint yet", "Nothing is stored yet.", "No session left a log yet."):
        assert text in page


def test_news_change_only_where_something_changed():
    before, after = render_news(small()), render_news(small())
    assert before == after and set(before["parts"]) == set(PARTS)
    changed = render_news(Dashboard(**{**vars(small()), "faults": ()}))
    differing = [name for name in PARTS if changed["parts"][name] != before["parts"][name]]
    assert differing == ["faults"]


def test_thinned_curve_keeps_ends_and_extremes():
    whole = curve(10_000)
    values = list(whole.evaluated.values)
    values[4321], values[8765] = 99.0, -999.0
    thinned = Series("x", whole.evaluated.steps, tuple(values), 10_000).thinned(SHOWN_POINTS)
    assert len(thinned.values) <= SHOWN_POINTS and thinned.total == 10_000
    assert {99.0, -999.0, values[0], values[-1]} <= set(thinned.values)
    assert list(thinned.steps) == sorted(thinned.steps)
    assert thin_curve(Curve()) == Curve()


def test_thinning_to_less_than_ends_and_extremes_is_refused():
    with pytest.raises(ValueError, match="below 4"):
        thin(range(10), 3)


def test_timeline_has_a_lane_for_each_backend_and_no_invisible_bar():
    rows = (session(2, Tone.BUSY, "kaggle"), session(1, seconds=0.0, ended=session(1).began))
    drawn = draw_timeline(rows, session(2).began + 7200)
    assert drawn.lanes == ("local", "kaggle")
    assert [(bar.number, bar.lane) for bar in drawn.bars] == [(1, 0), (2, 1)]
    assert all(bar.width > 0 and bar.x >= 0 and bar.x + bar.width <= WIDTH + 0.01 for bar in drawn.bars)
    assert draw_timeline((), 0.0).bars == ()


def test_progress_strip_shows_what_each_session_added():
    rows = (session(3, Tone.BUSY), session(2), session(1))
    bars = draw_progress(rows, 20_000, 40_000)
    assert [(bar.number, bar.x, bar.width) for bar in bars] == [(1, 0.0, 250.0), (2, 250.0, 250.0)]
