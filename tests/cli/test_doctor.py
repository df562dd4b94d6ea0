"""``doctor``: what is there and what is missing, without a secret and without the network."""

import json
import subprocess
import sys

import pytest

from tests.cli.conftest import ROOT, call, plain
from validation_ch7.errors import BackendError
from validation_ch7.verification import machine, requirements
from validation_ch7.verification.doctor import check_places
from validation_ch7.verification.finding import Grade
from validation_ch7.verification.machine import check_console, check_torch, check_write_access, judge_long_paths

__all__ = ["call"]
SECRET = "0123456789abcdef" * 2


@pytest.fixture
def home(tmp_path, monkeypatch):
    for name in ("KAGGLE_API_TOKEN", "KAGGLE_USERNAME", "KAGGLE_KEY", "KAGGLE_CONFIG_DIR", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".kaggle").mkdir()
    return tmp_path


def states(told):
    return {item["check"]: item["state"] for item in told["findings"]}


def test_machine_that_can_train_is_well_also_without_kaggle(call, home):
    told = plain(call("doctor", "--workspace", home / "not there yet", "--json"))
    found = states(told)
    assert told["success"] and found["torch"] == found["dependencies"] == found["disk"] == "ok"
    assert found["credentials"] == "warning" and found["kaggle-client"] == "ok"
    assert all(item["next"] for item in told["findings"] if item["state"] != "ok")
    assert not (home / "not there yet").exists()


def test_every_place_of_the_client_is_told_and_no_value(call, home, monkeypatch):
    monkeypatch.setenv("KAGGLE_API_TOKEN", SECRET)
    (home / ".kaggle" / "kaggle.json").write_text(json.dumps({"username": "me", "key": SECRET}))
    result = call("doctor", "--workspace", home)
    assert "KAGGLE_API_TOKEN: there: this one is used" in result.stdout
    assert "~/.kaggle/kaggle.json: there, and not used" in result.stdout
    assert SECRET not in result.output and str(home / ".kaggle") not in result.output


def test_half_of_a_pair_is_a_warning(home):
    [pair, none] = check_places({"HOME": str(home), "KAGGLE_KEY": SECRET})
    assert pair.text.endswith("only KAGGLE_KEY is set") and pair.grade is none.grade is Grade.WARNING
    assert "~/.kaggle/access_token" in none.text and "credentials.json" in none.text


def test_missing_torch_is_exit_code_3_with_the_next_step():
    code = "import sys; sys.modules['torch'] = None; from validation_ch7.cli.main import main; main(['doctor'])"
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, encoding="utf-8")
    assert ran.returncode == 3 and "missing  torch: torch cannot be imported" in ran.stdout
    assert "next: python -m pip install" in ran.stdout and "Traceback" not in ran.stderr


def test_missing_package_of_the_doctor_itself_is_exit_code_3():
    code = "import sys; sys.modules['packaging.requirements'] = None; from validation_ch7.cli.main import main\n"
    ran = subprocess.run([sys.executable, "-c", code + "main(['doctor'])"], cwd=ROOT, capture_output=True, text=True)
    assert ran.returncode == 3 and "A package is missing" in ran.stderr and "pip install" in ran.stderr


def test_library_that_cannot_be_loaded_is_an_issue(monkeypatch):
    monkeypatch.setattr(machine, "TRAINS", ("no_such_module_at_all",))
    [finding] = check_torch()
    assert finding.grade is Grade.ISSUE and "no_such_module_at_all" in finding.text


def test_folder_that_cannot_be_written_is_an_issue(tmp_path, monkeypatch):
    def refused(**options):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(machine.tempfile, "TemporaryFile", refused)
    [finding] = check_write_access(tmp_path / "deep" / "er")
    assert finding.grade is Grade.ISSUE and "Permission denied" in finding.text and str(tmp_path) in finding.text


def test_deep_workspace_on_windows_without_long_paths_is_a_warning():
    finding = judge_long_paths(False, 140)
    assert finding.grade is Grade.WARNING and "LongPathsEnabled" in finding.remedy


@pytest.mark.parametrize(("encoding", "word"), [("utf-8", "prints every sign"), ("cp1252", "are replaced")])
def test_console_is_judged_by_its_encoding(encoding, word):
    [finding] = check_console(encoding)
    assert word in finding.text


def test_absent_client_of_kaggle_is_a_warning_and_no_issue(monkeypatch):
    known = requirements.metadata.version

    def version(name):
        if name in ("kaggle", "six"):
            raise requirements.metadata.PackageNotFoundError(name)
        return known(name)

    monkeypatch.setattr(requirements.metadata, "version", version)
    [finding] = requirements.check_kaggle_client()
    assert finding.grade is Grade.WARNING and "kaggle, six" in finding.text
    assert Grade.ISSUE not in {item.grade for item in requirements.check_needed(ROOT)}


def test_extras_are_told_with_the_command_that_installs_them(monkeypatch):
    monkeypatch.setattr(requirements, "installed", lambda name: None)
    found = {finding.text.split(":")[0]: finding for finding in requirements.check_extras(ROOT)}
    assert {"cloud", "hub", "notify", "compression"} <= set(found) and "test" not in found
    assert found["cloud"].remedy == 'python -m pip install -c constraints.txt -e ".[cloud]"'
    installed = requirements.extras(None)
    assert {item.name for item in installed["notify"]} == {"apprise"}


def test_network_is_asked_only_where_wanted(call, home, monkeypatch):
    from validation_ch7.remote.kaggle import KaggleBackend

    monkeypatch.setenv("KAGGLE_API_TOKEN", SECRET)
    asked = []

    def account(self):
        asked.append("account")
        raise BackendError("no network")

    monkeypatch.setattr(KaggleBackend, "account", account)
    call("doctor", "--workspace", home)
    assert asked == []
    told = plain(call("doctor", "--workspace", home, "--online", "--json"))
    assert asked == ["account"] and states(told)["kaggle"] == "warning"
