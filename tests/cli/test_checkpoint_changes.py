from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tests.cli.conftest import plain
from validation_ch7.checkpoints.backup import MAX_BACKUPS, back_up, list_backups
from validation_ch7.checkpoints.lock import exclusive
from validation_ch7.config import section_file


def steps(tree):
    return [entry.steps for entry in tree.store.entries()]


def test_prune_only_says_what_it_would_do(ask, tree):
    for flags in (["--dry-run"], ["--dry-run", "--yes"], []):
        result = ask("prune", *flags)
        assert result.exit_code == 0 and "1 checkpoint(s) would be deleted" in result.stdout
        assert "no policy keeps it" in result.stdout
    assert steps(tree) == [304, 200, 104]


def test_prune_deletes_when_told_so(ask, tree):
    data = plain(ask("prune", "--yes", "--json"))
    assert data["deleted"] and [item["keep"] for item in data["decisions"]] == [True, True, False]
    assert steps(tree) == [304, 200]
    assert "Nothing to delete" in ask("prune", "--yes").stdout


def test_what_was_pruned_is_brought_back_by_the_latest_backup(ask, tree):
    before = tree.store.path(104).read_bytes()
    result = ask("prune", "--yes")
    assert f'restore latest --store "{tree.root}"' in result.stdout and steps(tree) == [304, 200]
    assert ask("restore", "latest").exit_code == 0
    assert steps(tree) == [304, 200, 104] and tree.store.path(104).read_bytes() == before
    assert ask("verify").exit_code == 0


def test_pruning_without_a_backup_frees_the_room_at_once(ask, tree):
    data = plain(ask("prune", "--yes", "--no-backup", "--json"))
    assert data["backup"] is None and list_backups(tree.store) == []


def test_nothing_is_pruned_where_its_backup_cannot_be_made(ask, tree):
    tree.store.backups.write_text("a file where the folder of backups belongs")
    result = ask("prune", "--yes")
    assert result.exit_code == 3 and "--no-backup" in result.stderr
    assert steps(tree) == [304, 200, 104]


@pytest.mark.parametrize(
    "words",
    [["backup"], ["restore", "latest"], ["prune", "--yes", "--max-keep", "2"]],
    ids=lambda words: words[0],
)
def test_every_backup_keeps_the_limit_of_the_configuration(call, tree, tmp_path, words):
    text = section_file("section_7_6_rl_performance").read_text("utf-8")
    text = text.replace("\ncheckpoints:\n", "\ncheckpoints:\n  backup_bytes: 1\n")
    (tmp_path / "small.yml").write_text(text, "utf-8")
    for reason in ("one", "two"):
        back_up(tree.store, reason)
    result = call("checkpoints", *words, "--workspace", tree.workspace, "--config", tmp_path / "small.yml")
    assert result.exit_code == 0, result.output
    assert len(list_backups(tree.store)) == 1


def test_pinned_checkpoint_survives_pruning(ask, tree):
    assert ask("pin", "104").exit_code == 0
    ask("prune", "--yes")
    assert steps(tree) == [304, 200, 104]
    assert "pinned" in ask("list").stdout
    ask("unpin", "104")
    ask("prune", "--yes")
    assert steps(tree) == [304, 200]


def test_only_a_checkpoint_of_the_store_is_pinned(ask):
    result = ask("pin", "best")
    assert (result.exit_code, result.stderr.count("❌")) == (2, 1)


def test_rules_can_be_given(ask):
    decisions = plain(ask("prune", "--keep-every", "100", "--json"))["decisions"]
    assert all(item["keep"] for item in decisions)
    assert ask("prune", "--max-keep", "1").exit_code == 2


def test_backup_is_taken_listed_and_put_back(ask, tree):
    name = plain(ask("backup", "--reason", "Before ../../ big\nchange", "--json"))["name"]
    assert name.endswith("-before-big-change")
    assert name in ask("backup", "--list").stdout
    ask("prune", "--yes")
    result = ask("restore", name)
    assert result.exit_code == 0 and "goes on from step 304" in result.stdout
    assert steps(tree) == [304, 200, 104]
    assert ask("verify").exit_code == 0
    assert [item["reason"] for item in plain(ask("backup", "--list", "--json"))["backups"]] == [
        "before-restore",
        "before-prune",
        "before-big-change",
    ]


def test_list_of_backups_says_how_old_each_is_and_where_it_goes_on(ask, tree):
    back_up(tree.store, "yesterday", now=datetime.now(UTC) - timedelta(days=1, minutes=1))
    [row] = [line for line in ask("backup", "--list").stdout.splitlines() if "yesterday" in line]
    assert row.split()[1:6] == ["1", "d", "304", "3", row.split()[5]]
    assert plain(ask("backup", "--list", "--json"))["backups"][0]["steps"] == 304


def test_restore_can_be_undone(ask, tree):
    ask("backup")
    ask("prune", "--yes", "--no-backup")
    ask("restore", "latest")
    assert steps(tree) == [304, 200, 104]
    ask("restore", "latest")
    assert steps(tree) == [304, 200]


def test_the_oldest_of_many_backups_can_be_put_back(tree, ask):
    oldest = back_up(tree.store, "oldest", keep=99).path.name
    for number in range(MAX_BACKUPS + 1):
        back_up(tree.store, f"later-{number}", keep=99)
    tree.store.path(304).unlink()
    assert ask("restore", oldest).exit_code == 0
    assert steps(tree) == [304, 200, 104]
    assert len(list_backups(tree.store)) == MAX_BACKUPS + 1  # a person's and the program's own rotate apart


def test_damaged_backup_is_not_put_back(ask, tree):
    name = plain(ask("backup", "--json"))["name"]
    for path in (tree.store.backups / name / "checkpoints").glob("*.zip"):
        path.write_bytes(b"")
    before = sorted(path.name for path in tree.root.rglob("*"))
    result = ask("restore", name)
    assert (result.exit_code, result.stderr.count("❌")) == (5, 1)
    assert steps(tree) == [304, 200, 104]
    assert sorted(path.name for path in tree.root.rglob("*")) == before


@pytest.mark.parametrize("name", ["nothing", "../..", "\x1b[2J"])
def test_unknown_backup_is_one_message(ask, name, tree):
    result = ask("restore", name)
    assert (result.exit_code, result.stderr.count("❌")) == (5, 1)
    assert steps(tree) == [304, 200, 104]


def test_nothing_is_backed_up_where_there_is_nothing(call, tmp_path):
    result = call("checkpoints", "backup", "--workspace", tmp_path)
    assert (result.exit_code, list(tmp_path.iterdir())) == (5, [])


@pytest.mark.parametrize("words", [["prune", "--yes"], ["backup"]])
def test_store_in_use_is_left_alone(ask, tree, words):
    with exclusive(tree.root, "training elsewhere"):
        result = ask(*words)
    assert result.exit_code == 3 and "training elsewhere" in result.stderr
    assert steps(tree) == [304, 200, 104]
