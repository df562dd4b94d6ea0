import json
import os
import shutil
from pathlib import Path

import pytest

from tests.verification.reading import all_well, only_issue, only_warning
from validation_ch7.checkpoints.lock import exclusive
from validation_ch7.verification.trees import check_locks, check_structure, find_trees


def test_trained_tree_is_in_order(workspace: Path) -> None:
    assert all_well(check_structure(workspace))


def test_new_workspace_says_how_to_start(tmp_path: Path) -> None:
    assert "nothing has been trained" in only_warning(check_structure(tmp_path))


def test_each_further_scenario_is_a_tree_of_its_own(workspace: Path, models: Path) -> None:
    shutil.copytree(models / "checkpoints", models / "night" / "checkpoints")
    assert [tree.label for tree in find_trees(workspace)] == ["section_x", "section_x/night"]


@pytest.mark.parametrize("name", ["checkpoints", "best_model", "backups"])
def test_file_in_place_of_a_folder_is_an_issue(workspace: Path, models: Path, name: str) -> None:
    shutil.rmtree(models / name)
    (models / name).write_text("", encoding="utf-8")
    assert name in only_issue(check_structure(workspace)).text


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="permissions do not bind this user")
def test_folder_without_write_permission_is_an_issue(workspace: Path, models: Path) -> None:
    (models / "checkpoints").chmod(0o500)
    assert "cannot be written" in only_issue(check_structure(workspace)).text


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("checkpoints/.partial-0123", "unfinished"),
        ("checkpoints/model_final.zip", "model_final.zip"),
        ("notes.txt", "notes.txt"),
        ("checkpoints/quarantine/task_checkpoint_1_steps.zip", "quarantine"),
    ],
)
def test_strays_are_warnings(workspace: Path, models: Path, name: str, word: str) -> None:
    (models / name).parent.mkdir(exist_ok=True)
    (models / name).write_bytes(b"")
    assert word in only_warning(check_structure(workspace))


def test_free_lock_is_a_success(workspace: Path) -> None:
    assert all_well(check_locks(workspace))


def test_lock_of_a_killed_process_is_a_warning(workspace: Path, models: Path) -> None:
    (models / ".lock-owner.json").write_text(json.dumps({"pid": 1}), encoding="utf-8")
    assert "was killed" in only_warning(check_locks(workspace))


def test_held_lock_is_a_warning_that_says_who(workspace: Path, models: Path) -> None:
    with exclusive(models, "training task"):
        assert "training task" in only_warning(check_locks(workspace))
