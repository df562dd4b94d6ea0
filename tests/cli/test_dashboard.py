"""``dashboard`` on a real training tree: what it gathers, what it writes, how it refuses."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.cli.conftest import HOSTILE, PREFIX, ROOT, SECTION, plain, write_summary
from validation_ch7.checkpoints.store import CheckpointStore
from validation_ch7.cli.selection import Selection
from validation_ch7.journal import Journal, JournalEntry, Phase
from validation_ch7.remote.kaggle_quota import keep_quota
from validation_ch7.reporting.dashboard.gather import Gatherer, Sources
from validation_ch7.reporting.dashboard.page import render_page
from validation_ch7.session import write_document
from validation_ch7.training.curve import PROGRESS_NAME, SESSION_NAME, SessionCurve, csv_text

NOW = 1_800_000_000.0


def record(tree, session_id, *phases, **fields):
    journal = Journal(tree.workspace / "validation_output" / "sessions", lambda: NOW - 100.0)
    entry = JournalEntry(
        session_id=session_id, section=SECTION, scenario=PREFIX, backend="local", created=journal.now(),
        target_steps=1000, **fields,
    )  # fmt: skip
    for phase in phases or (Phase.SUBMITTED,):
        entry = journal.record(entry.model_copy(update={"phase": phase}))


def gatherer(tree, verify=False):
    selection = Selection(workspace=tree.workspace)
    return Gatherer(Sources(tree.store, tree.workspace, selection.config_with), verify=verify, clock=lambda: NOW)


def test_page_is_written_where_nobody_named_a_place(call, tree):
    record(tree, "one", Phase.SUBMITTED, Phase.CLOSED, status="completed", steps_after=304)
    told = plain(call("dashboard", "--workspace", tree.workspace, "--json"))
    path = tree.workspace / "validation_output" / "reports" / "dashboard.html"
    assert (told["path"], told["sessions"], told["checkpoints"]) == (str(path), 1, 4)
    assert told["bytes"] == path.stat().st_size < 2_500_000
    page = path.read_text("utf-8")
    assert "DQN" in page and "304 of 1,000" in page.replace("<strong>", "").replace("</strong>", "")
    assert page.count(str(tree.workspace)) == 1  # in the command to type, and nowhere else


def test_store_without_a_section_has_a_page(call, tree, tmp_path):
    result = call("dashboard", "--store", tree.root, "--output", tmp_path / "new folder" / "a.html")
    assert result.exit_code == 0 and "0 session(s), 4 checkpoint(s)" in result.stdout
    assert "checkpoints list --store" in (tmp_path / "new folder" / "a.html").read_text("utf-8")


def test_empty_workspace_has_a_page(call, tmp_path):
    assert call("dashboard", "--workspace", tmp_path).exit_code == 0


def test_checkpoints_are_verified_compared_and_linked_to_their_parents(tree):
    tree.damage(200)
    rows = {(row.kind, row.steps): row for row in gatherer(tree, verify=True).gather().checkpoints}
    newest, damaged = rows["checkpoint", 304], rows["checkpoint", 200]
    assert (newest.verified, newest.marks, newest.exactness) == ("ok", ("next",), "exact")
    assert newest.fit == "incompatible" and any(line.startswith("Observation") for line in newest.differences)
    assert (damaged.verified, damaged.tone) == ("damaged", "bad") and damaged.reason
    assert rows["checkpoint", 304].parent and rows["best model", 304].marks == ("best",)


def test_shared_chunks_are_counted_once(tree):
    view = gatherer(tree).gather()
    chunks = sum(path.stat().st_size for path in tree.store.chunks.iterdir())
    parts = {part.name: part.bytes for part in view.disk.parts}
    assert parts["replay chunks"] == chunks
    assert parts["checkpoints"] == sum(path.stat().st_size for path in tree.store.folder.glob("*.zip"))
    assert view.disk.unshared > parts["replay chunks"] + parts["checkpoints"]
    newest = view.checkpoints[0]
    assert newest.own_bytes < newest.bytes


def test_backup_by_links_takes_no_second_place(call, tree):
    before = gatherer(tree).gather().disk.total
    assert call("checkpoints", "backup", "--workspace", tree.workspace).exit_code == 0
    after = gatherer(tree).gather().disk
    copied = sum(path.stat().st_size for path in tree.root.glob("backups/*/**/*") if path.is_file())
    assert after.total - before < copied


def test_unchanged_checkpoints_are_not_read_again(tree, monkeypatch):
    known = gatherer(tree, verify=True)
    first = known.gather().checkpoints
    monkeypatch.setattr("validation_ch7.reporting.dashboard.checkpoint_rows.inspect", None)
    assert known.gather().checkpoints == first


def log_rows(folder, session_id, steps, resumed_at=0):
    rows = [{"session_id": session_id, "step": str(step), "wall_time": "1", "eval/mean_reward": "-5"} for step in steps]
    folder.mkdir(parents=True)
    (folder / PROGRESS_NAME).write_text(csv_text(rows, list(rows[0])), encoding="utf-8")
    write_document(folder / SESSION_NAME, SessionCurve(session_id=session_id, started="2026", resumed_at=resumed_at))


def test_running_session_shows_its_curve_and_log_before_it_is_restored(tree):
    record(tree, "one", Phase.SUBMITTED)
    logs = tree.workspace / "validation_ch7" / SECTION / "data" / "logs" / PREFIX
    log_rows(logs, "zero", [100, 200, 300])
    local = tree.workspace / "validation_output" / "local_sessions" / "one"
    log_rows(local / "working" / SECTION / "data" / "logs" / PREFIX / "one", "one", [250, 400], resumed_at=200)
    (local / "session.log").write_text(f"at {tree.workspace}/x https://u:secret@h.org/p \x1b[2J\n", encoding="utf-8")
    view = gatherer(tree).gather()
    assert view.running and view.sessions[0].seconds == 100.0
    assert view.curve.evaluated.steps == (100, 200, 250, 400)
    assert [(border.step, border.session_id) for border in view.curve.borders] == [(200, "one")]
    assert view.log.lines == ("at ./x https://h.org/… ?[2J",)


def test_evaluation_at_the_end_of_a_session_is_a_point_of_the_curve(tree):
    write_summary(tree.workspace / "validation_output" / "results" / "local_one" / SECTION, "one", -12.5)
    record(tree, "one", Phase.CLOSED, status="completed", steps_after=304, results_dir="elsewhere/local_one")
    view = gatherer(tree).gather()
    assert dict(zip(view.curve.evaluated.steps, view.curve.evaluated.values, strict=True))[304] in (-12.5, 9.5)
    assert view.sessions[0].reward == -12.5


def test_quota_is_what_kaggle_said_last(tree):
    output = tree.workspace / "validation_output"
    assert gatherer(tree).gather().quota is None
    keep_quota(output, 3600.0, 7200.0, None)
    assert gatherer(tree).gather().quota.used_s == 3600.0
    (output / "kaggle_quota.json").write_text("{", encoding="utf-8")
    assert gatherer(tree).gather().quota is None


def test_hostile_journal_changes_nothing_but_texts(call, tree):
    record(tree, "one", Phase.FAILED, error=HOSTILE + "<script>", status="<b>", results_dir="../../..")
    (tree.workspace / "validation_output" / "sessions" / "two.json").write_text("{<i>")
    assert call("dashboard", "--workspace", tree.workspace, "--no-verify").exit_code == 0
    page = (tree.workspace / "validation_output" / "reports" / "dashboard.html").read_text("utf-8")
    assert "&lt;script&gt;" in page and "\x1b" not in page and "\u202e" not in page.split("<script>")[0]
    assert "two.json in the journal cannot be read" in page


@pytest.mark.parametrize(
    "words", [["--port", "70000"], ["--store", "nowhere"], ["--workspace", "nowhere"], ["--scenario", "none"]]
)
def test_wrong_flags_are_usage(call, words):
    assert call("dashboard", *words).exit_code == 2


def test_unwritable_place_is_one_message(call, tree, tmp_path):
    (tmp_path / "file").write_text("")
    result = call("dashboard", "--store", tree.root, "--output", tmp_path / "file" / "page.html")
    assert result.exit_code == 3 and "Traceback" not in result.output


def test_store_curve_is_what_checkpoints_remember(tree):
    view = Gatherer(Sources(CheckpointStore(tree.root, PREFIX)), verify=False, clock=lambda: NOW).gather()
    assert view.curve.evaluated.steps == (304,)


def study(scenario, **changes):
    delay = {"value": 20.0, "low": 18.0, "high": 22.0}
    agent = {"kind": "agent", "training_seeds": [1, 2], "demand_seeds": 10, "delay": delay, "means": {}}
    rival = {"kind": "controller", "training_seeds": [], "demand_seeds": 10, "delay": {**delay, "value": 25.0}}
    case = {"title": "near <saturation>", "policies": {"webster": rival, "ppo": agent}}
    scenarios = {scenario: {"cases": {"near": case}}}
    return {"study": "quick", "reductions": ["2 training seeds instead of 10"], "scenarios": scenarios} | changes


def test_recorded_study_is_shown_with_its_intervals_and_what_it_falls_short_of(tree):
    reports = tree.workspace / "validation_output" / "reports"
    for name, text in (("a", json.dumps(study(PREFIX))), ("b", "{}"), ("c", "["), ("d", json.dumps(study("other")))):
        (reports / name).mkdir(parents=True)
        (reports / name / "summary.json").write_text(text, encoding="utf-8")
    view = gatherer(tree).gather()
    assert [(found.name, found.note) for found in view.evidence] == [
        ("quick: near <saturation>", "Reduced study: 2 training seeds instead of 10")
    ]
    scores = [(score.controller, score.mean, score.episodes) for score in view.evidence[0].scores]
    assert scores == [("ppo (trained)", 20.0, 20), ("webster", 25.0, 10)]
    assert [fault.split("/")[0] for fault in view.faults] == ["b", "c"]
    assert "near &lt;saturation&gt;" in render_page(view)


def test_missing_chart_library_is_one_message_that_says_how_to_install_it(tmp_path):
    code = (
        "import sys; sys.modules['bokeh'] = None\n"
        "from validation_ch7.cli.main import main; main(['dashboard', '--workspace', sys.argv[1]])"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], cwd=ROOT, capture_output=True, text=True, encoding="utf-8"
    )
    assert (ran.returncode, ran.stdout) == (1, "")
    assert "The package 'bokeh" in ran.stderr and "pip install" in ran.stderr and "Traceback" not in ran.stderr
