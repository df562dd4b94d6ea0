"""Backups within a budget of bytes: which go, and that links cost nothing."""

import pytest

from tests.checkpoints.little import LittleRun, store_at
from validation_ch7.checkpoints.backup import FRESH, back_up, list_backups
from validation_ch7.checkpoints.backup_limit import limit_backups


@pytest.fixture
def store(tmp_path):
    store = store_at(tmp_path)
    with store.exclusive("test"):
        LittleRun(store).save()
    return store


def named(store):
    return [backup.reason for backup in list_backups(store)]


def zips(backup):
    return sum(path.stat().st_size for path in backup.path.rglob("*") if path.suffix in (".zip", ".json"))


def test_oldest_go_and_the_newest_stays_whatever_its_size(store):
    for reason in ("one", "two", "three"):
        back_up(store, reason)
    size = zips(list_backups(store)[0])
    limit_backups(store, 2 * size)
    assert named(store) == ["three", "two"]
    limit_backups(store, 1)
    assert named(store) == ["three"]


def test_links_to_chunks_of_the_store_cost_nothing(store):
    made = back_up(store, "one")
    assert made.bytes > zips(made)
    assert limit_backups(store, zips(made)) == []


def test_archive_of_a_fresh_start_is_never_removed(store):
    for reason in (FRESH, "one", "two"):
        back_up(store, reason)
    limit_backups(store, 1)
    assert named(store) == ["two", FRESH]


def test_enough_room_removes_nothing(store):
    back_up(store, "one")
    back_up(store, "two")
    assert limit_backups(store, 10**9) == [] and named(store) == ["two", "one"]
