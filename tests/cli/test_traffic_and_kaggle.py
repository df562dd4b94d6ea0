"""The commands about the traffic model and about what lies on Kaggle."""

import json

from tests.cli.conftest import plain
from tests.remote.kaggle_world import kaggle_world
from tests.remote.sessions import make_request, until_over
from validation_ch7.journal import Journal, JournalEntry, Phase


def test_traffic_validate_writes_its_report_and_says_that_it_passed(call, tmp_path):
    result = call("traffic", "validate", "--output", tmp_path / "r", "--json")
    assert (result.exit_code, json.loads(result.stdout)["status"]) == (0, "passed")
    assert {path.suffix for path in (tmp_path / "r").iterdir()} == {".md", ".json", ".png"}


def entry(session_id, backend, phase):
    return JournalEntry(
        session_id=session_id, section="x", scenario="y", backend=backend, created="2026-01-01T00:00:00Z", phase=phase
    )


def test_kaggle_clean_names_what_finished_sessions_left_and_deletes_that_and_no_more(call, tmp_path):
    clean = ("kaggle", "clean", "--workspace", tmp_path / "workspace", "--json")
    with kaggle_world(tmp_path) as kaggle:
        backend, journal = kaggle.backend(), Journal(tmp_path / "workspace" / "validation_output" / "sessions")
        for session_id, phase in (("done", Phase.CLOSED), ("going", Phase.SUBMITTED)):
            ref = backend.submit(make_request(tmp_path / session_id, session_id))
            until_over(backend, ref)
            journal.record(entry(session_id, "kaggle", phase))
        journal.record(entry("here", "local", Phase.CLOSED))
        kernels, datasets = list(kaggle.world.kernels), list(kaggle.world.datasets)
        wanted = [f"kernel tester/{kernels[0]}", f"dataset tester/{datasets[0]}"]
        asked = kaggle.world.plan.calls.total()
        planned = plain(call(*clean))
        assert (planned["status"], planned["deleted"]) == ("planned", wanted)
        assert kaggle.world.plan.calls.total() == asked  # a plan asks nobody
        done = plain(call(*clean, "--yes"))
        assert (done["status"], done["deleted"]) == ("cleaned", wanted)
        assert (list(kaggle.world.kernels), list(kaggle.world.datasets)) == (kernels[1:], datasets[1:])
        assert plain(call(*clean, "--yes"))["deleted"] == plain(call(*clean))["deleted"] == []
