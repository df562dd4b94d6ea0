"""The page as a person has it: in a real browser, from disk, without a network."""

from __future__ import annotations

import pytest

from tests.dashboard.views import HOSTILE, curve, hostile, large, small
from validation_ch7.reporting.comparison.compared import compare_runs
from validation_ch7.reporting.comparison.page import render_comparison
from validation_ch7.reporting.comparison.run import Run

DRAWN = """[...document.querySelectorAll('.chart')].map(chart => {
  const all = [...(function* walk(node) {
    if (node.shadowRoot) yield* walk(node.shadowRoot);
    for (const child of node.children ?? []) { yield child; yield* walk(child); }
  })(chart)].filter(node => node.tagName === 'CANVAS' && node.width && node.height);
  return all.some(canvas => canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height)
    .data.some((value, at) => at % 4 === 3 && value > 0));
})"""
OVERFLOW = "document.documentElement.scrollWidth - innerWidth"


def test_page_opens_from_disk_with_both_charts_drawn_and_no_complaint(show):
    opened = show(small())
    assert opened.js(DRAWN) == [True, True]
    assert opened.complaints == []
    assert opened.js("Bokeh.documents[0].get_model_by_name('source-evaluated').data.y.length") == 12
    assert opened.js("document.querySelectorAll('#evaluated-table tbody tr').length") == 12


def test_filters_by_state_backend_and_text(show):
    opened = show(small())
    page = opened.page
    assert opened.rows() == ["session-3", "session-2", "session-1"]
    page.uncheck("input[value=bad]")
    assert opened.rows() == ["session-3", "session-1"]
    page.select_option("#filter-backend", "kaggle")
    assert opened.rows() == ["session-3"]
    assert page.inner_text("#filter-count") == "1 of 3 session(s), 2 of 2 checkpoint(s)"
    page.check("input[value=bad]")
    page.fill("#filter-text", "memory OUT")
    assert opened.rows() == ["session-2"]
    page.fill("#filter-text", "policy.pth")
    assert (opened.rows(), len(opened.rows("checkpoints"))) == ([], 1)
    assert opened.js("[...document.querySelectorAll('#timeline .bar.dim')].length") == 3


def test_hostile_texts_do_nothing_and_fit(show):
    opened = show(hostile(), width=320)
    opened.page.fill("#filter-text", "<script>")
    opened.page.hover("#sessions-table tr[data-row]")
    opened.page.focus("#timeline")
    opened.page.keyboard.press("ArrowRight")
    opened.page.hover("#chart-curve")
    assert opened.js("[window.hit, document.images.length]") == [None, 0]
    assert opened.js("document.querySelectorAll('script').length") == 4
    assert opened.js(OVERFLOW) <= 0
    assert opened.complaints == []
    assert "</script>" in opened.page.inner_text("#timeline-now") and HOSTILE[:70] in opened.page.title()


@pytest.mark.parametrize("width", [320, 390, 768, 1440])
def test_nothing_scrolls_sideways(show, width):
    opened = show(small(), width=width)
    opened.js("for (const item of document.querySelectorAll('details')) item.open = true")
    assert opened.js(OVERFLOW) <= 0


def test_dark_and_light_follow_the_system_and_the_button(show):
    colours = "[getComputedStyle(document.body).backgroundColor, Bokeh.documents[0].get_model_by_name('trained').glyph.line_color.value ?? Bokeh.documents[0].get_model_by_name('trained').glyph.line_color]"  # noqa: E501
    light, dark = show(small(), scheme="light"), show(small(), scheme="dark")
    assert (light.js(colours), dark.js(colours)) == (
        ["rgb(251, 250, 247)", "#8aa3b5"],
        ["rgb(20, 23, 27)", "#6f8698"],
    )
    light.page.click("#theme")
    assert light.js(colours) == dark.js(colours)
    light.page.click("#theme")
    assert light.js(colours)[0] == "rgb(251, 250, 247)"


def test_everything_is_reached_by_keyboard(show):
    opened = show(small())
    press, reached = opened.page.keyboard.press, []
    for _ in range(60):
        press("Tab")
        reached.append(opened.js("document.activeElement.id || document.activeElement.textContent.trim().slice(0, 40)"))
    for wanted in ("Skip to the content", "theme", "timeline", "filter-text", "filter-backend", "metric", "log-lines"):
        assert wanted in reached
    opened.page.focus("#timeline")
    press("ArrowLeft")
    assert opened.page.inner_text("#timeline-now").startswith("Session 3: submitted on kaggle")
    press("Home")
    press("Enter")
    assert opened.js("document.activeElement.id") == "session-1"


def test_names_for_screen_readers(show):
    opened = show(small())
    nameless = """[...document.querySelectorAll('button, input, select, [role=img], [role=application], [role=log]')]
      .filter(item => !item.closest('.chart') || item.matches('.chart'))
      .filter(item => !(item.ariaLabel || item.getAttribute('aria-labelledby') || item.labels?.length || item.textContent.trim()))
      .map(item => item.outerHTML.slice(0, 80))"""  # noqa: E501
    assert opened.js(nameless) == []
    assert opened.js("document.querySelectorAll('h1').length") == 1
    assert opened.js("[...document.querySelectorAll('#session-1 > *')].map(cell => [cell.role, cell.dataset.label])")[
        :2
    ] == [["cell", "#"], ["rowheader", "session"]]


def test_other_quantities_can_be_chosen(show):
    opened = show(small())
    source = "Bokeh.documents.map(d => d.get_model_by_name('source-metric')).find(Boolean).data.x.length"
    assert opened.js("[...document.querySelector('#metric').options].map(o => o.value)") == [
        "eval/mean_delay_s",
        "train/loss",
    ]
    opened.page.select_option("#metric", "train/loss")
    assert opened.js(source) == 12


def test_comparison_page_draws_every_run(visit, tmp_path):
    runs = [Run(name, "store", 240, "exact", {"gamma": name}, curve(12)) for name in ("a", "b", HOSTILE)]
    path = tmp_path / "c.html"
    path.write_text(render_comparison(compare_runs(runs), "2026-11-25T22:54:00.000Z"), encoding="utf-8")
    opened = visit(path.as_uri(), width=320, offline=True)
    assert opened.js(DRAWN) == [True] and opened.complaints == []
    assert opened.js("[document.querySelectorAll('#levels-table tbody tr').length, window.hit]") == [3, None]
    assert opened.js(OVERFLOW) <= 0


def test_thousand_sessions_stay_light(show):
    opened = show(large())
    assert len(opened.rows()) == 50
    assert opened.js("document.querySelectorAll('#timeline .bar').length") == 1_000
    assert opened.js("document.querySelectorAll('*').length") < 22_000
    assert opened.js("Bokeh.documents[0].get_model_by_name('source-evaluated').data.y.length") <= 1_000
    opened.page.click("#more")
    assert len(opened.rows()) == 250
    opened.page.fill("#filter-text", "0003e8")
    assert opened.rows() == ["session-1000"]
    assert opened.complaints == []
