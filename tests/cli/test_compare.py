"""``compare`` on real stores, sessions and checkpoints: how runs are named, and the three ways to read it."""

from __future__ import annotations

import json
import shutil

import pytest

from tests.cli.conftest import HOSTILE, PREFIX, SECTION, cart_pole_model, plain
from validation_ch7.checkpoints import CheckpointStore, learn_resumable
from validation_ch7.journal import Journal, JournalEntry, Phase


@pytest.fixture(scope="session")
def other(tmp_path_factory) -> CheckpointStore:
    store = CheckpointStore(tmp_path_factory.mktemp("other store"), "rival")
    model = cart_pole_model()
    model.gamma = 0.5
    learn_resumable(model, 100, store, save_freq=1000, session_id="rival")
    return store


def test_stores_are_compared_by_settings_and_checkpoints(call, tree, other):
    told = plain(call("compare", tree.root, other.root, "--json"))
    assert [(run["kind"], run["steps"]) for run in told["runs"]] == [("store", 304), ("store", 104)]
    assert told["settings"]["gamma"] == {str(tree.root): "0.99", str(other.root): "0.5"}
    assert told["keep"]["use"]["steps"] == 304 and told["keep"]["use"]["best"] is True
    assert told["keep"]["resume"]["path"] == str(tree.store.path(304))
    text = call("compare", tree.root, other.root).stdout
    for part in ("Set differently", "gamma", "Which checkpoint to keep", "mean reward 9.50 over 2 held-out"):
        assert part in text


def test_page_of_a_comparison_is_whole_and_harmless(call, tree, other, tmp_path):
    strange = tmp_path / "<script>alert(1)</script>&"[:8]
    shutil.copytree(other.root, strange)
    path = tmp_path / "new" / "c.html"
    told = plain(call("compare", tree.root, strange, "--html", path, "--json"))
    page = path.read_text("utf-8")
    assert told["html"] == str(path) and len(page) < 2_500_000
    assert "&lt;script" in page and "Content-Security-Policy" in page and page.count("<script") == 4


def test_checkpoints_of_one_store_are_runs_too(call, tree):
    told = plain(call("compare", "104", "best", "latest", "latest", "--store", tree.root, "--json"))
    assert [run["name"] for run in told["runs"]] == ["104", "best", "latest", "latest (2)"]
    assert {run["kind"] for run in told["runs"]} == {"checkpoint"}


def test_workspace_and_its_session_are_runs(call, tree):
    journal = Journal(tree.workspace / "validation_output" / "sessions")
    entry = JournalEntry(session_id="20260101-000000-abcdef", section=SECTION, scenario=PREFIX, backend="local", created="2026", phase=Phase.CLOSED)  # fmt: skip  # noqa: E501
    journal.record(entry)
    told = plain(call("compare", tree.workspace, entry.session_id, "--workspace", tree.workspace, "--json"))
    assert [(run["kind"], run["steps"]) for run in told["runs"]] == [("workspace", 304), ("session", 304)]
    assert [item["steps"] for item in told["runs"][1]["checkpoints"]] == [304, 304]


def test_damaged_checkpoint_is_left_out_and_said(call, tree, other):
    tree.damage(304)
    told = plain(call("compare", tree.root, other.root, "--json"))
    assert told["runs"][0]["steps"] == 200 and "304_steps.zip" in told["runs"][0]["not_used"][0]
    assert "304_steps.zip" in call("compare", tree.root, other.root).stdout


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["latest"], 2, "nothing to compare it with"),
        (["latest", "nowhere"], 5, "There is no such run"),
        (["latest", "folder"], 2, "This folder holds no run"),
        (["latest", HOSTILE], 5, "There is no such run"),
        ([], 2, "Missing argument"),
    ],
)
def test_wrong_names_are_one_message(call, tree, tmp_path, monkeypatch, words, code, said):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    result = call("compare", *words, "--store", tree.root)
    assert (result.exit_code, result.stdout) == (code, "") and said in result.output
    assert "\x1b" not in result.output


def test_refusal_is_json_where_json_was_asked_for(call, tree):
    result = call("compare", "latest", "nowhere", "--store", tree.root, "--json")
    assert json.loads(result.stdout)["exit_code"] == result.exit_code == 5
