import json
from pathlib import Path

import pytest
from stable_baselines3 import PPO

from tests.verification.reading import all_well, only_issue, only_warning
from validation_ch7.verification.stores import check_backups, check_best_models, check_checkpoints, check_metadata

NEWEST, OLDEST = "task_checkpoint_32_steps.zip", "task_checkpoint_16_steps.zip"


def flip_byte(path: Path, at: float = 0.5) -> None:
    data = bytearray(path.read_bytes())
    data[int(len(data) * at)] ^= 0xFF
    path.write_bytes(bytes(data))


def edit_json(path: Path, **changes: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_text("utf-8")) | changes), encoding="utf-8")


@pytest.mark.parametrize("check", [check_checkpoints, check_best_models, check_backups, check_metadata])
def test_intact_workspace_has_no_findings_but_successes(workspace: Path, check) -> None:
    assert all_well(check(workspace))


@pytest.mark.parametrize("check", [check_checkpoints, check_backups])
def test_new_workspace_gets_one_warning_that_says_why(tmp_path: Path, check) -> None:
    assert "yet" in only_warning(check(tmp_path))


@pytest.mark.parametrize("at", [0.1, 0.5, 0.9])
def test_flipped_byte_is_an_issue_that_names_the_file(workspace: Path, models: Path, at: float) -> None:
    flip_byte(models / "checkpoints" / NEWEST, at)
    found = only_issue(check_checkpoints(workspace))
    assert NEWEST in found.text and "quarantine" in str(found.remedy)


def test_truncated_checkpoint_is_an_issue(workspace: Path, models: Path) -> None:
    path = models / "checkpoints" / OLDEST
    path.write_bytes(path.read_bytes()[:1000])
    assert OLDEST in only_issue(check_checkpoints(workspace)).text


def test_missing_chunk_is_an_issue_of_every_checkpoint_that_names_it(workspace: Path, models: Path) -> None:
    for chunk in (models / "checkpoints" / "replay").iterdir():
        chunk.unlink()
    found = [finding for finding in check_checkpoints(workspace) if finding.grade == "issue"]
    assert len(found) == 2 and all("replay chunk" in finding.text for finding in found)


def test_flipped_byte_in_a_chunk_is_an_issue(workspace: Path, models: Path) -> None:
    flip_byte(max((models / "checkpoints" / "replay").iterdir(), key=lambda path: path.stat().st_mtime_ns))
    assert "content differs from its name" in only_issue(check_checkpoints(workspace)).text


def test_chunk_of_no_checkpoint_is_a_warning(workspace: Path, models: Path) -> None:
    (models / "checkpoints" / "replay" / f"{'0' * 64}.npz").write_bytes(b"")
    assert "no checkpoint names" in only_warning(check_checkpoints(workspace))


def test_renamed_checkpoint_is_an_issue_with_its_right_name(workspace: Path, models: Path) -> None:
    (models / "checkpoints" / NEWEST).rename(models / "checkpoints" / "task_checkpoint_99_steps.zip")
    assert NEWEST in str(only_issue(check_checkpoints(workspace)).remedy)


def test_foreign_checkpoint_is_a_warning(workspace: Path, models: Path) -> None:
    PPO("MlpPolicy", "CartPole-v1").save(models / "checkpoints" / "task_checkpoint_64_steps.zip")
    assert "plain Stable-Baselines3" in only_warning(check_checkpoints(workspace))


def test_damaged_best_model_is_an_issue(workspace: Path, models: Path) -> None:
    flip_byte(models / "best_model" / "best_model.zip")
    assert "delete" in str(only_issue(check_best_models(workspace)).remedy)


def test_damaged_backup_is_an_issue_that_names_the_backup(workspace: Path, models: Path) -> None:
    (backup,) = (models / "backups").iterdir()
    flip_byte(backup / "checkpoints" / OLDEST)
    assert str(backup) in str(only_issue(check_backups(workspace)).remedy)


def test_malformed_metadata_is_an_issue(workspace: Path, models: Path) -> None:
    (models / "training_metadata.json").write_text('{"steps": 1', encoding="utf-8")
    assert "delete it" in str(only_issue(check_metadata(workspace)).remedy)


def test_unknown_metadata_field_is_an_issue_that_names_it(workspace: Path, models: Path) -> None:
    """Writer, validator and verifier share one schema, so that names cannot drift apart."""
    edit_json(models / "training_metadata.json", total_steps=32)
    assert "total_steps" in only_issue(check_metadata(workspace)).text


@pytest.mark.parametrize("change", [{"steps": 64}, {"exactness": "statistical"}, {"algorithm": "PPO"}])
def test_metadata_that_contradict_the_manifest_are_an_issue(workspace: Path, models: Path, change) -> None:
    edit_json(models / "training_metadata.json", **change)
    assert next(iter(change)) in only_issue(check_metadata(workspace)).text


def test_metadata_of_another_scenario_are_an_issue(workspace: Path, models: Path) -> None:
    edit_json(models / "training_metadata.json", scenario="other")
    assert "'other'" in only_issue(check_metadata(workspace)).text


def test_metadata_one_save_behind_are_a_warning(workspace: Path, models: Path) -> None:
    edit_json(models / "training_metadata.json", steps=16, checkpoint="1" * 64)
    assert "one save behind" in only_warning(check_metadata(workspace))


def test_missing_metadata_are_a_warning(workspace: Path, models: Path) -> None:
    (models / "training_metadata.json").unlink()
    assert "missing" in only_warning(check_metadata(workspace))
