"""What runs and stores look like in a notebook: tables in which no text can do anything."""

import dataclasses
import xml.etree.ElementTree as ElementTree

from tests.checkpoints.little import LittleRun, store_at
from tests.reporting.test_comparison import candidate, run
from validation_ch7.reporting.comparison.compared import compare_runs, compare_stores
from validation_ch7.section_run import SectionRun

HOSTILE = "<script>alert(1)</script>\"'&\x1b\u202e"


def cells(html):
    return [cell.text or "" for cell in ElementTree.fromstring(html).iter() if cell.tag in ("td", "th", "caption")]


def test_run_shows_its_facts():
    run = SectionRun(True, "completed", "local", "road", 0, 4096, 200_000, "/tree", mean_reward=-1.5)
    shown = cells(run._repr_html_())
    assert "Run of road" in shown and "0 → 4,096 of 200,000" in shown and "-1.500" in shown


def test_hostile_texts_of_a_run_stay_texts():
    run = SectionRun(False, HOSTILE, HOSTILE, HOSTILE, 0, 1, 2, HOSTILE, error=HOSTILE, warnings=(HOSTILE,))
    html = run._repr_html_()
    assert "<script" not in html and "\x1b" not in html and "\u202e" not in html
    assert sum("<script>" in cell for cell in cells(html)) == 6


def test_store_shows_its_checkpoints_and_what_is_wrong_with_them(tmp_path):
    store = store_at(tmp_path)
    with store.exclusive("test"):
        run = LittleRun(store, max_keep=9)
        run.save(reward=2.0)
        run.save().write_bytes(b"<script>")
    shown = cells(store._repr_html_())
    assert "5" in shown and "10" in shown and "2.000" in shown and "exact" in shown


def test_empty_store_can_be_shown(tmp_path):
    assert "Checkpoints of task" in store_at(tmp_path / "none")._repr_html_()
    assert not (tmp_path / "none").exists()


def test_comparison_shows_runs_settings_levels_and_what_to_keep():
    slow, fast = run("slow", range(8), rate="0.1"), run("fast", range(5, 13), rate="0.2")
    found = compare_runs([slow, dataclasses.replace(fast, candidates=(candidate("fast", 12.0),))])
    shown = cells(found._repr_html_())
    for text in ("Comparison of slow, fast", "1,000", "exact", "rate", "0.2", "fast_1000.zip of fast"):
        assert text in shown, text
    assert any(text.startswith("+5.00 (") for text in shown)


def test_hostile_names_in_a_comparison_stay_texts():
    names = [HOSTILE, HOSTILE + "2"]
    runs = [run(name, range(8), **{HOSTILE: name}) for name in names]
    found = compare_runs([dataclasses.replace(item, candidates=(candidate(item.name, 1.0),)) for item in runs])
    html = found._repr_html_()
    assert "<script" not in html and "\x1b" not in html and "\u202e" not in html
    assert sum("<script>" in cell for cell in cells(html)) >= 6


def test_stores_are_compared_under_their_names(tmp_path):
    stores = {"one": store_at(tmp_path / "1"), "two": store_at(tmp_path / "2")}
    for reward, store in enumerate(stores.values()):
        with store.exclusive("test"):
            LittleRun(store).save(reward=float(reward))
    found = compare_stores(stores)
    assert [item.name for item in found.runs] == ["one", "two"]
    assert found.advice.use is not None and found.advice.use.run == "two"
    assert "Comparison of one, two" in cells(found._repr_html_())
