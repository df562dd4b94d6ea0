"""The store: names, retention, lock, backups; and what makes a checkpoint fit a model."""

from __future__ import annotations

import multiprocessing
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stable_baselines3 import A2C, PPO
from stable_baselines3.common.vec_env import VecNormalize

from tests.checkpoints.cases import on_policy, venv
from tests.checkpoints.little import LittleRun, readable, store_at
from validation_ch7.checkpoints import CheckpointStore, Retention, backup, learn_resumable
from validation_ch7.checkpoints.backup import FRESH, archive_all, back_up, list_backups, restore_backup
from validation_ch7.checkpoints.naming import checkpoint_name, checkpoint_steps
from validation_ch7.checkpoints.retention import Entry
from validation_ch7.errors import (
    CheckpointIncompatibleError,
    CheckpointNotFoundError,
    ConfigurationError,
    StorageError,
    WorkspaceLockedError,
)

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def store(ram: Path) -> CheckpointStore:
    return store_at(ram)


@pytest.fixture
def run(store: CheckpointStore) -> LittleRun:
    with store.exclusive("test"):
        return LittleRun(store, max_keep=9)


# Names


@given(st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,50}", fullmatch=True), st.integers(0, 10**17))
def test_name_says_prefix_and_steps(prefix: str, steps: int) -> None:
    assert checkpoint_steps(checkpoint_name(prefix, steps), prefix) == steps
    assert checkpoint_steps(checkpoint_name(prefix + "x", steps), prefix) is None


@pytest.mark.parametrize("prefix", ["", ".", "../up", "a/b", "a b", "-rf", "x" * 101, "a\0"])
def test_prefix_that_cannot_name_files_is_refused(prefix: str) -> None:
    with pytest.raises(ConfigurationError, match="cannot name checkpoint files"):
        CheckpointStore("models", prefix)


def test_checkpoints_are_ordered_by_steps_and_not_by_time(run: LittleRun) -> None:
    paths = [run.save(), run.save(), run.save()]
    os.utime(paths[0], (2e9, 2e9))
    assert run.store.paths() == paths[::-1]


# Retention


ENTRIES = st.lists(
    st.builds(
        Entry,
        name=st.uuids().map(str),
        steps=st.integers(0, 1000),
        digest=st.uuids().map(str),
        bytes=st.integers(1, 100),
        reward=st.none() | st.floats(-9, 9),
        pinned=st.booleans(),
    ),
    unique_by=lambda entry: entry.steps,
    max_size=12,
)


@given(ENTRIES, st.integers(2, 4), st.integers(0, 3), st.none() | st.integers(0, 500))
def test_newest_best_and_pins_always_stay(entries: list[Entry], keep: int, best: int, budget: int | None) -> None:
    decisions = Retention(max_keep=keep, keep_best=best, max_bytes=budget).decide(entries)
    newest = sorted(entries, key=lambda entry: -entry.steps)
    kept = {decision.entry.name for decision in decisions if decision.keep}
    assert {entry.name for entry in (*newest[:2], *(item for item in entries if item.pinned))} <= kept
    assert budget is not None or {entry.name for entry in newest[:keep]} <= kept


@given(ENTRIES)
def test_parent_stays_and_every_decision_has_a_reason(entries: list[Entry]) -> None:
    parent = entries[0].digest if entries else None
    decisions = Retention().decide(entries, parent)
    assert all(decision.reason for decision in decisions)
    assert all(decision.keep for decision in decisions if decision.entry.digest == parent)


def test_one_checkpoint_alone_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 2"):
        Retention(max_keep=1)


def test_pinned_checkpoint_outlives_rotation(run: LittleRun) -> None:
    run.retention = Retention(max_keep=2)
    run.store.pin(run.save())
    for _ in range(4):
        run.save()
    assert readable(run.store) == [25, 20, 5]


def test_dry_run_deletes_nothing(run: LittleRun) -> None:
    for _ in range(4):
        run.save()
    decisions = run.store.plan_retention(Retention())
    assert [decision.keep for decision in decisions] == [True, True, False, False]
    assert readable(run.store) == [20, 15, 10, 5]


def test_best_checkpoint_is_kept(run: LittleRun) -> None:
    run.retention = Retention(max_keep=2, keep_best=1)
    for reward in (1.0, 9.0, 2.0, 3.0):
        run.save(reward=reward)
    assert readable(run.store) == [20, 15, 10]


def test_new_checkpoint_is_never_rotated_away_by_later_ones(run: LittleRun) -> None:
    for _ in range(3):
        run.save()
    branch = LittleRun(run.store)
    assert branch.save(7).exists()


def test_parent_of_the_session_outlives_rotation(ram: Path) -> None:
    store = store_at(ram)
    learn_resumable(on_policy(PPO, venv("CartPole-v1")), 32, store)
    learn_resumable(on_policy(PPO, venv("CartPole-v1")), 192, store, save_freq=32)
    assert [entry.steps for entry in store.entries()] == [192, 160, 32]


# Lock


def test_second_process_is_told_who_holds_the_store(store: CheckpointStore) -> None:
    with store.exclusive("training task"):
        context = multiprocessing.get_context("fork")
        answers: Any = context.SimpleQueue()
        child = context.Process(target=_try_to_lock, args=(store, answers))
        child.start()
        found = answers.get()
        child.join()
    assert f"process {os.getpid()} on" in found and "training task" in found


def _try_to_lock(store: CheckpointStore, answers: Any) -> None:
    try:
        with store.exclusive("second"):
            answers.put("not locked")
    except WorkspaceLockedError as error:
        answers.put(str(error))


def test_lock_of_a_finished_run_is_free(store: CheckpointStore) -> None:
    for _ in range(2):
        with store.exclusive("test"):
            pass


def test_chunks_that_checkpoints_share_count_once_in_the_budget(run: LittleRun) -> None:
    for _ in range(3):
        run.save(4)
    entries = run.store.entries()
    sizes = [sum(item.manifest.chunk_bytes.values()) for item in entries if item.manifest]
    once = sum(path.stat().st_size for path in run.store.chunks.iterdir())
    members = sum(item.manifest.member_bytes for item in entries if item.manifest)
    assert sum(sizes) == 2 * once  # the first chunk belongs to three checkpoints, the second to two
    for spare, kept in ((0, 3), (-1, 2)):
        decisions = run.store.plan_retention(Retention(max_keep=3, max_bytes=members + once + spare))
        assert sum(decision.keep for decision in decisions) == kept


# Backups


def test_backups_rotate_and_one_always_stays(run: LittleRun) -> None:
    run.save()
    for minute in range(4):
        back_up(run.store, "test", keep=2, now=NOW + timedelta(minutes=minute))
    names = [backup.path.name for backup in list_backups(run.store)]
    assert names == ["20260101T000300Z-test", "20260101T000200Z-test"]


def test_what_fresh_archived_outlives_every_rotation(run: LittleRun) -> None:
    run.save()
    archived = archive_all(run.store, FRESH)
    run.save()
    for minute in range(4):
        back_up(run.store, "before-restore", keep=2, now=NOW + timedelta(days=9000, minutes=minute))
    assert archived is not None and archived.path.is_dir()
    assert len(list_backups(run.store)) == 3


def test_copies_of_a_person_and_of_the_program_rotate_apart(run: LittleRun) -> None:
    run.save()
    for minute in range(6):
        reason = "before-restore" if minute else "my own"
        back_up(run.store, reason, keep=2, now=NOW + timedelta(minutes=minute))
    assert [item.reason for item in list_backups(run.store)] == ["before-restore", "before-restore", "my-own"]


def test_backup_that_fails_leaves_nothing_behind(run: LittleRun, monkeypatch: pytest.MonkeyPatch) -> None:
    run.save()

    def full(source: Path, target: Path) -> None:
        raise StorageError("The disk refused a read or write.", where=target)

    monkeypatch.setattr(backup, "copy_durably", full)
    with pytest.raises(StorageError, match="refused"):
        back_up(run.store, "test", now=NOW)
    assert list(run.store.backups.iterdir()) == []


def test_two_backups_in_a_second_are_ordered(run: LittleRun) -> None:
    run.save()
    for _ in range(12):
        back_up(run.store, "test", keep=20, now=NOW)
    assert list_backups(run.store)[0].path.name == "20260101T000000Z-12-test"


def test_chunks_are_shared_with_backups(run: LittleRun) -> None:
    run.save()
    back_up(run.store, "test")
    assert all(path.stat().st_nlink == 2 for path in run.store.chunks.iterdir())


def test_restore_brings_back_and_keeps_what_was_there(run: LittleRun) -> None:
    run.save()
    made = back_up(run.store, "first")
    run.save()
    assert made is not None
    restore_backup(run.store, made.path.name)
    assert readable(run.store) == [5]
    assert readable(store_at(list_backups(run.store)[0].path)) == [10, 5]


def test_restore_mends_a_chunk(run: LittleRun) -> None:
    run.save()
    made = back_up(run.store, "first")
    chunk = next(run.store.chunks.iterdir())
    chunk.unlink()
    chunk.write_bytes(b"broken")
    assert made is not None
    restore_backup(run.store, made.path.name)
    assert readable(run.store) == [5]


def test_unknown_backup_is_an_error_that_lists_the_known(run: LittleRun) -> None:
    run.save()
    back_up(run.store, "test", now=NOW)
    with pytest.raises(CheckpointNotFoundError, match=r"no such backup(.|\n)*20260101T000000Z-test"):
        restore_backup(run.store, "../../etc")


def test_empty_store_has_nothing_to_back_up(store: CheckpointStore) -> None:
    assert back_up(store, "test") is None and archive_all(store, "fresh") is None


# Compatibility


def _learn(model: Any, root: Path, **options: Any) -> Any:
    return learn_resumable(model, 96, store_at(root), session_timesteps=32, **options)


INCOMPATIBLE: dict[str, tuple[Any, str]] = {
    "network": (lambda: on_policy(PPO, venv("CartPole-v1"), policy_kwargs={"net_arch": [9]}),
                r"Architecture: checkpoint=\[8\], current=\[9\]"),
    "algorithm": (lambda: on_policy(A2C, venv("CartPole-v1")), "Algorithm: checkpoint=PPO, current=A2C"),
    "action space": (lambda: on_policy(PPO, venv("Acrobot-v1")),
                     r"Action space: checkpoint=Discrete\(2\), current=Discrete\(3\)"),
    "normalization": (lambda: on_policy(PPO, VecNormalize(venv("CartPole-v1"))),
                      "VecNormalize: checkpoint=False, current=True"),
}  # fmt: skip


@pytest.mark.parametrize("name", INCOMPATIBLE)
def test_incompatible_checkpoint_is_refused_and_kept(ram: Path, name: str) -> None:
    _learn(on_policy(PPO, venv("CartPole-v1")), ram)
    build, message = INCOMPATIBLE[name]
    with pytest.raises(CheckpointIncompatibleError, match=message):
        _learn(build(), ram)
    assert [entry.steps for entry in store_at(ram).entries()] == [32]


def test_all_incompatibilities_stand_in_one_message(ram: Path) -> None:
    _learn(on_policy(PPO, venv("CartPole-v1")), ram)
    other = on_policy(A2C, VecNormalize(venv("Acrobot-v1")), policy_kwargs={"net_arch": [9]})
    with pytest.raises(CheckpointIncompatibleError, match=r"Algorithm(.|\n)*Observation(.|\n)*VecNo"):
        _learn(other, ram)


@pytest.mark.parametrize("option", [{"learning_rate": 1e-4}, {"gamma": 0.9}, {"batch_size": 8}, {"ent_coef": 0.1}])
def test_other_hyperparameter_warns_and_goes_on(ram: Path, option: dict[str, float]) -> None:
    _learn(on_policy(PPO, venv("CartPole-v1")), ram)
    result = _learn(on_policy(PPO, venv("CartPole-v1"), **option), ram)
    assert result.steps_after == 64
    assert [warning.split(":")[0] for warning in result.warnings] == list(option)


def test_other_environment_parameter_warns(ram: Path) -> None:
    _learn(on_policy(PPO, venv("CartPole-v1")), ram, environment={"road": "short"})
    result = _learn(on_policy(PPO, venv("CartPole-v1")), ram, environment={"road": "long"})
    assert result.warnings == ("environment.road: checkpoint=short, current=long",)


def test_session_refuses_another_parent_than_the_expected(ram: Path) -> None:
    _learn(on_policy(PPO, venv("CartPole-v1")), ram)
    with pytest.raises(CheckpointNotFoundError, match="does not start at zero"):
        _learn(on_policy(PPO, venv("CartPole-v1")), ram, expected_parent="0" * 64)


def test_chain_of_parents_is_recorded(ram: Path) -> None:
    first = _learn(on_policy(PPO, venv("CartPole-v1")), ram)
    _learn(on_policy(PPO, venv("CartPole-v1")), ram, expected_parent=first.digest)
    newest = store_at(ram).entries()[0].manifest
    assert newest is not None and newest.parent == first.digest
