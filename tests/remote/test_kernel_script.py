from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.remote.sessions import SECTION, make_bundle, make_code_root, make_plan
from validation_ch7.errors import ConfigurationError
from validation_ch7.remote.bundle import Bundle, build_bundle
from validation_ch7.remote.kernel_script import render_kernel_script
from validation_ch7.session import SummaryStatus, read_output_manifest, read_summary


def run(folder: Path, bundle: Bundle | None, mount: str = "validation", sha256: str = "0" * 64) -> tuple[int, str]:
    """Run the script as a platform would, with the bundle below ``mount``; return exit status and log."""
    place = folder / "input" / mount
    place.mkdir(parents=True, exist_ok=True)
    if bundle:
        (place / bundle.path.name).write_bytes(bundle.path.read_bytes())
    (folder / "working").mkdir(exist_ok=True)
    script = folder / "kernel.py"
    script.write_text(render_kernel_script("session-1", bundle.sha256 if bundle else sha256, SECTION), encoding="utf-8")
    environ = {
        **os.environ,
        "VALIDATION_INPUT_ROOT": str(folder / "input"),
        "VALIDATION_WORKING_ROOT": str(folder / "working"),
    }
    done = subprocess.run([sys.executable, str(script)], env=environ, capture_output=True, encoding="utf-8", timeout=60)
    return done.returncode, done.stdout + done.stderr


def test_script_imports_nothing_but_the_standard_library():
    tree = ast.parse(render_kernel_script("session-1", "0" * 64, SECTION))
    imported = {
        alias.name.split(".")[0] for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names
    }
    imported |= {str(node.module).split(".")[0] for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert imported <= sys.stdlib_module_names


@pytest.mark.parametrize("mount", ["validation", "datasets/owner/validation", "notebooks/owner/validation"])
def test_bundle_is_found_in_every_mount_layout(tmp_path, mount):
    status, log = run(tmp_path, make_bundle(tmp_path, steps=10), mount)
    assert status == 0, log
    summary = read_summary(tmp_path / "working" / SECTION)
    assert summary is not None
    assert summary.steps_after == 10
    assert summary.environment["network"] in ("yes", "no")
    assert summary.environment["cuda_devices"].isdigit()
    assert read_output_manifest(tmp_path / "working" / SECTION) is not None


def test_missing_bundle_fails_and_the_summary_says_so(tmp_path):
    status, log = run(tmp_path, None)
    summary = read_summary(tmp_path / "working" / SECTION)
    assert status != 0
    assert "No bundle" in log
    assert summary is not None
    assert summary.status is SummaryStatus.FAILED
    assert "No bundle" in str(summary.error)
    assert read_output_manifest(tmp_path / "working" / SECTION) is None


def test_bundle_of_an_older_dataset_version_is_not_run(tmp_path):
    make_bundle(tmp_path, steps=1)
    old = make_bundle(tmp_path, steps=2)
    status, log = run(tmp_path, Bundle(old.path, "1" * 64, old.bytes))
    assert status != 0
    assert "No bundle 111111111111" in log


def test_exit_status_of_the_session_is_that_of_the_script(tmp_path):
    assert run(tmp_path, make_bundle(tmp_path, exit=4))[0] == 4


def test_failure_inside_the_session_leaves_a_failed_summary(tmp_path):
    status, log = run(tmp_path, make_bundle(tmp_path, fail="loss is nan"))
    summary = read_summary(tmp_path / "working" / SECTION)
    assert status == 1
    assert "Traceback" in log
    assert summary is not None
    assert summary.error == "RuntimeError: loss is nan"


def test_start_from_zero_is_refused_where_a_parent_was_expected(tmp_path):
    plan = make_plan(parent="a" * 64)
    bundle = build_bundle(tmp_path / "x.bundle", plan=plan, code_root=make_code_root(tmp_path / "code"))
    renamed = bundle.path.rename(tmp_path / "validation_session.bundle")
    status, log = run(tmp_path, Bundle(renamed, bundle.sha256, bundle.bytes))
    assert status != 0
    assert "carries no checkpoint" in log


def test_outputs_hold_nothing_of_the_unpacked_bundle(tmp_path):
    run(tmp_path, make_bundle(tmp_path))
    names = {path.name for path in (tmp_path / "working").rglob("*")}
    assert not {"code", "validation_ch7", "session_plan.json", "bundle.json"} & names


def test_unpacked_code_wins_over_an_installed_one(tmp_path, monkeypatch):
    old = tmp_path / "old" / "validation_ch7" / "training"
    old.mkdir(parents=True)
    for folder in (old, old.parent):
        (folder / "__init__.py").write_text("", encoding="utf-8")
    (old / "run_session.py").write_text("raise SystemExit('old code ran')", encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "old"))
    status, log = run(tmp_path, make_bundle(tmp_path))
    assert status == 0, log


def test_facts_of_the_machine_are_in_the_summary(tmp_path):
    run(tmp_path, make_bundle(tmp_path))
    facts = json.loads((tmp_path / "working" / SECTION / "session_summary.json").read_text())["environment"]
    assert {"python", "platform", "cpus", "stable_baselines3", "cuda_devices", "network", "code_sha256"} <= set(facts)


@pytest.mark.parametrize("name", ["a b", "'; import os", "../x", ""])
def test_names_that_could_be_code_are_refused(name):
    with pytest.raises(ConfigurationError, match="cannot be used"):
        render_kernel_script(name, "0" * 64, SECTION)
