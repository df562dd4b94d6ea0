"""The commands about the traffic model and about what lies on Kaggle."""

import json

from validation_ch7.journal import Journal, JournalEntry, Phase


def test_traffic_validate_writes_its_report_and_says_that_it_passed(call, tmp_path):
    result = call("traffic", "validate", "--output", tmp_path / "r", "--json")
    assert (result.exit_code, json.loads(result.stdout)["status"]) == (0, "passed")
    assert {path.suffix for path in (tmp_path / "r").iterdir()} == {".md", ".json", ".png"}


def entry(session_id, backend, phase):
    return JournalEntry(
        session_id=session_id, section="x", scenario="y", backend=backend, created="2026-01-01T00:00:00Z", phase=phase
    )


def test_kaggle_clean_names_only_finished_sessions_of_kaggle_and_deletes_nothing_unasked(call, tmp_path):
    journal = Journal(tmp_path / "validation_output" / "sessions")
    for session_id, backend, phase in (
        ("done", "kaggle", Phase.CLOSED),
        ("going", "kaggle", Phase.SUBMITTED),
        ("here", "local", Phase.CLOSED),
    ):
        journal.record(entry(session_id, backend, phase))
    result = call("kaggle", "clean", "--workspace", tmp_path, "--json")
    answer = json.loads(result.stdout)
    assert (answer["status"], answer["deleted"]) == ("planned", ["what session done left"])
