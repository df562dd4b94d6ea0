from __future__ import annotations

import subprocess
import sys
import zipfile

import pytest

from tests.emulator.world import Rules
from tests.remote.kaggle_world import kaggle_world
from tests.remote.sessions import SECTION, make_request, until_over
from validation_ch7.errors import BackendError
from validation_ch7.remote.backend import SessionState
from validation_ch7.remote.wheels import session_wheels
from validation_ch7.session import read_summary

LACKING = ("stable_baselines3", "gymnasium", "farama_notifications")


def test_installed_packages_become_wheels_that_work_by_themselves(tmp_path):
    wheels = session_wheels(tmp_path / "wheels", ["farama-notifications"], [])
    with zipfile.ZipFile(wheels[0]) as archive:
        archive.extractall(tmp_path / "site")
    code = f"import sys; sys.path = [p for p in sys.path if 'site-packages' not in p] + [{str(tmp_path / 'site')!r}]"
    code += "; import farama_notifications; from importlib.metadata import version; version('farama-notifications')"
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == 0


def test_wheels_are_made_once_and_the_same_everywhere(tmp_path):
    one = session_wheels(tmp_path / "one", ["farama-notifications"], [])
    two = session_wheels(tmp_path / "two", ["farama-notifications"], [])
    assert one[0].read_bytes() == two[0].read_bytes()
    before = one[0].stat().st_mtime_ns
    session_wheels(tmp_path / "one", ["farama-notifications"], [])
    assert one[0].stat().st_mtime_ns == before


def test_missing_package_is_named_with_the_command_that_installs_it(tmp_path):
    with pytest.raises(BackendError, match="pip install no-such-package"):
        session_wheels(tmp_path, ["no-such-package"])


def test_package_with_native_code_is_refused(tmp_path):
    with pytest.raises(BackendError, match="not pure Python"):
        session_wheels(tmp_path, ["numpy"])


def test_session_on_an_image_without_the_packages_takes_them_from_the_bundle(tmp_path):
    wheels = session_wheels(tmp_path / "wheels")
    with kaggle_world(tmp_path, Rules(lacking=LACKING)) as kaggle:
        backend = kaggle.backend()
        ref = backend.submit(make_request(tmp_path, wheels=wheels, find=LACKING))
        assert until_over(backend, ref).state is SessionState.COMPLETE
        found = dict(line.split(": ") for line in backend.logs(ref, 0) if line.startswith(LACKING))
        backend.fetch(ref, tmp_path / "results")
    assert all("validation_session_" in found[name] for name in LACKING)
    summary = read_summary(tmp_path / "results" / SECTION)
    assert summary is not None
    assert summary.environment["stable_baselines3"] == "bundle"


def test_session_on_an_image_without_the_packages_and_without_wheels_says_so(tmp_path):
    with kaggle_world(tmp_path, Rules(lacking=LACKING)) as kaggle:
        backend = kaggle.backend()
        ref = backend.submit(make_request(tmp_path))
        until_over(backend, ref)
        assert any("stable_baselines3=missing" in line for line in backend.logs(ref, 0))
