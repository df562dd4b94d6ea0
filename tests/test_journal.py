from __future__ import annotations

import errno
from dataclasses import asdict
from pathlib import Path

import pytest

from validation_ch7.errors import ConfigurationError, StorageError, WorkspaceError
from validation_ch7.journal import Journal, JournalEntry, Phase
from validation_ch7.remote.backend import SessionRef


class Clock:
    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        self.now += 1.0
        return self.now


@pytest.fixture
def journal(tmp_path):
    return Journal(tmp_path / "sessions", Clock())


def entry(journal: Journal, session_id: str, scenario: str = "traffic_light_control") -> JournalEntry:
    return JournalEntry(
        session_id=session_id, section="section_7_6", scenario=scenario, backend="local", created=journal.now()
    )


def test_entry_is_read_back_as_it_was_written(journal):
    written = journal.record(entry(journal, "a"))
    assert journal.entries() == [written]
    assert journal.get("a") == written


def test_every_step_is_kept_in_the_history(journal):
    journal.record(entry(journal, "a"))
    journal.advance("a", Phase.BUNDLED, note="230 MB")
    last = journal.advance("a", "submitting")
    assert [event.phase for event in last.history] == ["planned", "bundled", "submitting"]
    assert last.history[1].note == "230 MB"
    assert [event.time for event in last.history] == sorted(event.time for event in last.history)


def test_reference_passes_through_as_plain_data(journal):
    ref = SessionRef("kaggle", "a", "owner/kernel", version=3, location="https://x")
    journal.record(entry(journal, "a"))
    journal.advance("a", Phase.SUBMITTED, ref=asdict(ref))
    assert SessionRef(**journal.get("a").ref) == ref


def test_newest_come_first_and_chains_are_kept_apart(journal):
    for name, scenario in (("b", "one"), ("a", "two"), ("c", "one")):
        journal.record(entry(journal, name, scenario))
    assert [found.session_id for found in journal.entries()] == ["c", "a", "b"]
    assert journal.latest("section_7_6", "two").session_id == "a"
    assert journal.latest("section_7_6", "three") is None


def test_unfinished_are_those_with_something_left_to_do(journal):
    for name in ("a", "b", "c"):
        journal.record(entry(journal, name))
    journal.advance("a", Phase.CLOSED)
    journal.advance("b", Phase.FAILED, error="out of memory")
    assert [found.session_id for found in journal.unfinished("section_7_6", "traffic_light_control")] == ["c"]


@pytest.mark.parametrize("rubbish", [b"", b"{", b"[]", b"\xff\xfe", b'{"session_id": "bad"}'])
def test_corrupt_file_is_reported_never_fatal_never_lost(journal, rubbish, caplog):
    good = journal.record(entry(journal, "good"))
    (journal.folder / "bad.json").write_bytes(rubbish)
    assert journal.entries() == [good]
    assert "bad.json" in caplog.text
    assert [fault.path.name for fault in journal.faults()] == ["bad.json"]
    assert (journal.folder / "bad.json").read_bytes() == rubbish


def test_corrupt_file_is_set_aside_before_its_name_is_used_again(journal):
    journal.record(entry(journal, "other"))
    (journal.folder / "a.json").write_bytes(b"half of an en")
    journal.record(entry(journal, "a"))
    assert [path.read_bytes() for path in journal.folder.glob("a.json.unreadable-*")] == [b"half of an en"]
    assert journal.get("a") is not None


def test_unknown_field_or_phase_is_refused_and_nothing_is_written(journal):
    before = journal.record(entry(journal, "a"))
    for change in ({"stepz": 3}, {"steps_after": -1}):
        with pytest.raises(ConfigurationError, match="cannot be used"):
            journal.advance("a", Phase.CLOSED, **change)
    with pytest.raises(ConfigurationError, match="phase"):
        journal.advance("a", "done")
    assert journal.get("a") == before


def test_advancing_an_unknown_session_is_refused(journal):
    with pytest.raises(WorkspaceError, match="cannot be read"):
        journal.advance("nobody", Phase.CLOSED)


def test_hostile_session_name_is_refused(journal, tmp_path):
    with pytest.raises(StorageError, match="leave its folder"):
        journal.record(entry(journal, "../evil"))
    assert not (tmp_path / "evil.json").exists()


def test_write_that_fails_keeps_the_entry_before(journal, monkeypatch):
    before = journal.record(entry(journal, "a"))

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(StorageError, match="No space left"):
        journal.advance("a", Phase.CLOSED)
    assert journal.entries() == [before]


def test_empty_workspace_has_no_sessions(tmp_path):
    assert Journal(tmp_path / "nowhere").entries() == []


def test_clock_that_is_set_back_does_not_change_the_order(tmp_path):
    clock = Clock()
    journal = Journal(tmp_path / "sessions", clock)
    journal.record(entry(journal, "z-first"))
    clock.now -= 86_400.0  # a day back: the second one seems the older
    journal.record(entry(journal, "a-second"))
    journal.advance("z-first", Phase.BUNDLED)
    assert [known.session_id for known in journal.entries()] == ["a-second", "z-first"]
    assert journal.latest("section_7_6", "traffic_light_control").session_id == "a-second"


def test_entries_of_an_older_journal_come_before_those_with_a_number(journal):
    old = journal.record(entry(journal, "old"))
    path = journal.folder / "old.json"
    path.write_text(path.read_text().replace('"number": 1', '"number": 0'))
    assert journal.record(entry(journal, "new")).number == 1
    assert [known.session_id for known in journal.entries()] == ["new", old.session_id]
    assert journal.advance("old", Phase.BUNDLED).number == 0
