"""The whole chain on Kaggle, as the real client sees it: through the emulator, bit for bit the local one."""

import json
import zipfile

import pytest

from tests.chain.conftest import Place
from tests.cli.test_secrets import holding
from tests.emulator.world import Rules
from tests.remote.kaggle_world import kaggle_world
from validation_ch7.checkpoints.archive import read_archive
from validation_ch7.checkpoints.state_digest import state_digest

SECRETS = ("planted0secret0key", "planted0secret0token")


@pytest.mark.slow
def test_two_quick_runs_on_kaggle_end_where_two_local_ones_end_and_leave_no_secret(tmp_path, monkeypatch):
    remote, local = Place(tmp_path / "remote"), Place(tmp_path / "local")
    runs = []
    with kaggle_world(tmp_path, Rules(queued_for=1)) as kaggle:
        kaggle.world.key, kaggle.world.token = SECRETS
        for variable, secret in zip(("KAGGLE_KEY", "KAGGLE_API_TOKEN"), SECRETS, strict=True):
            monkeypatch.setenv(variable, secret)  # first with the key alone, then with the token
            manager = remote.manager(backend="kaggle")
            runs.append(manager.run_validation_section(config=remote.config, quick=True))
            manager = local.manager(backend="local")
            manager.run_validation_section(config=local.config, quick=True)
        asked = kaggle.world.plan.requests
    assert [(run.steps_before, run.steps_after, run.success) for run in runs] == [(0, 256, True), (256, 512, True)]
    assert runs[1].resumed_from == "traffic_light_control_checkpoint_256_steps.zip"
    ends = [state_digest(read_archive(place.store.paths()[0])) for place in (remote, local)]
    assert ends[0] == ends[1]
    assert "IntrospectToken" in [call for call, _ in asked]
    bodies = json.dumps([body for call, body in asked if call != "IntrospectToken"])
    assert [secret for secret in SECRETS if secret in bodies or secret in remote.said] == []
    assert holding(remote.root, *SECRETS) + holding(kaggle.world.root, *SECRETS) == []
    assert [run.backend for run in runs] == ["kaggle", "kaggle"]
    assert {entry.backend for entry in local.manager().journal.entries()} == {"local"}
    (sent,) = (remote.root / "validation_output" / "bundles").rglob("validation_session.bundle")
    with zipfile.ZipFile(sent) as bundle:
        assert any(name.startswith("wheels/stable_baselines3-") for name in bundle.namelist())


@pytest.mark.slow
def test_three_runs_that_relay_end_where_three_local_ones_end_and_upload_no_checkpoint(tmp_path):
    remote, local = Place(tmp_path / "remote"), Place(tmp_path / "local")
    runs = []
    with kaggle_world(tmp_path, Rules(kernel_mount="notebooks/{owner}/{slug}", unpack_outputs=True)) as kaggle:
        for _ in range(3):
            manager = remote.manager(backend="kaggle")
            runs.append(manager.run_validation_section(config=remote.config, quick=True, relay=True))
            local.run(quick=True)
        calls = kaggle.world.plan.calls
    assert [(run.steps_before, run.steps_after) for run in runs] == [(0, 256), (256, 512), (512, 768)]
    ends = [state_digest(read_archive(place.store.paths()[0])) for place in (remote, local)]
    assert ends[0] == ends[1]
    assert calls["StartBlobUpload"] == 1  # the code, once
    (sent,) = (remote.root / "validation_output" / "bundles").rglob("validation_session.bundle")
    with zipfile.ZipFile(sent) as bundle:
        assert not any(name.startswith("checkpoints/") for name in bundle.namelist())
