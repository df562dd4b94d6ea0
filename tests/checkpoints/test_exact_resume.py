"""However a run is cut, it ends bit for bit where an uninterrupted ``model.learn()`` ends."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.checkpoints import runs
from tests.checkpoints.cases import CASES, SLOW_CASES, case

ALL = [item.name for item in CASES] + [pytest.param(item.name, marks=pytest.mark.slow) for item in SLOW_CASES]
KILLED = ["ppo-linear-normalized", "dqn", "sac-sde-linear", "td3-ou-noise", "her", "qrdqn"]
UNCUT = ["ppo-three-envs", "a2c-sde", "dqn-memory", "sac", "td3-episodes", "recurrent-ppo"]
REST_UNCUT = [
    pytest.param(item.name, marks=pytest.mark.slow) for item in (*CASES, *SLOW_CASES) if item.name not in UNCUT
]
REST = [pytest.param(item.name, marks=pytest.mark.slow) for item in (*CASES, *SLOW_CASES) if item.name not in KILLED]


@pytest.mark.parametrize("name", ALL)
def test_sessions_end_where_an_uninterrupted_run_ends(name: str, tmp_path: Path) -> None:
    found, results = runs.sessions(name, tmp_path, 70, 31)
    assert [result.exactness for result in results] == ["exact"] * 3, results[-1].lost
    assert results[1].steps_before == results[0].steps_after > 0
    assert found == runs.uninterrupted(name)


@pytest.mark.parametrize("name", [*UNCUT, *REST_UNCUT])
def test_saving_changes_nothing(name: str, tmp_path: Path) -> None:
    assert runs.one_run(name, tmp_path, asynchronous=False) == runs.uninterrupted(name)


def test_compressed_replay_of_dictionaries_ends_where_an_uninterrupted_run_ends(tmp_path: Path) -> None:
    found, results = runs.sessions("dqn-dict", tmp_path, 70, 31, compress_replay=True)
    assert [result.exactness for result in results] == ["exact"] * 3
    assert any(tmp_path.rglob("*.npz.zst"))
    assert found == runs.uninterrupted("dqn-dict")


@pytest.mark.parametrize("name", [*KILLED, *REST])
def test_killed_run_ends_where_an_uninterrupted_run_ends(name: str, tmp_path: Path) -> None:
    assert runs.killed(name, tmp_path, seed=len(name)) == runs.uninterrupted(name)


@pytest.mark.parametrize("name", ["dqn-linear-workers", pytest.param("ppo-three-envs", marks=pytest.mark.slow)])
def test_fresh_processes_end_where_an_uninterrupted_run_ends(name: str, tmp_path: Path) -> None:
    for steps in ("100", "60", ""):
        command = [sys.executable, "-m", "tests.checkpoints.runs", name, str(tmp_path), *([steps] if steps else [])]
        output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert json.loads(output.splitlines()[-1]) == runs.uninterrupted(name)


@pytest.mark.parametrize("name", ["ppo", "dqn-n-step", "td3-normal-noise", "ppo-sde-sampled"])
def test_target_raised_after_completion_equals_one_longer_run(name: str, tmp_path: Path) -> None:
    total = case(name).total
    runs.one_run(name, tmp_path)
    assert runs.one_run(name, tmp_path, total=2 * total) == runs.uninterrupted(name, 2 * total)
