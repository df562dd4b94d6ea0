"""Backups that are taken on the way keep the limit that was configured."""

import pytest
from stable_baselines3 import PPO

from tests.checkpoints.little import LittleRun, store_at
from validation_ch7.checkpoints import CheckpointStore, Retention, learn_resumable
from validation_ch7.checkpoints.admission import admit
from validation_ch7.checkpoints.backup import FRESH, back_up, list_backups


@pytest.mark.parametrize(("limit", "expected"), [(1, ["before-restore"]), (None, ["before-restore", "two", "one"])])
def test_admission_leaves_as_many_backups_as_have_room(tmp_path, limit, expected):
    store, session = store_at(tmp_path / "tree"), store_at(tmp_path / "session")
    for held, saves in ((store, 1), (session, 2)):
        with held.exclusive("test"):
            run = LittleRun(held)
            for _ in range(saves):
                run.save()
    back_up(store, "one")
    back_up(store, "two")
    with store.exclusive("test"):
        assert admit(store, session, Retention(backup_bytes=limit), print).restored
    assert [backup.reason for backup in list_backups(store)] == expected


def test_branch_from_an_earlier_step_keeps_the_limit_too(tmp_path):
    def train(total, **options):
        model = PPO("MlpPolicy", "CartPole-v1", seed=0, n_steps=32, batch_size=32, n_epochs=1, device="cpu")
        kept = Retention(max_keep=9, backup_bytes=1)
        return learn_resumable(model, total, store, save_freq=32, retention=kept, asynchronous=False, **options)

    store = CheckpointStore(tmp_path, "task")
    train(96)
    for reason in ("one", FRESH, "two"):
        back_up(store, reason)
    assert train(64, resume=store.path(32)).steps_before == 32
    assert [backup.reason for backup in list_backups(store)] == ["before-rewind", FRESH]
