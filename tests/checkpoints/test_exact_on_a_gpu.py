"""The same on a CUDA device: however a run is cut or killed, it ends where an uninterrupted run on that device ends."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch as th

from tests.checkpoints import runs
from tests.checkpoints.cases import CASES, DEVICE, SLOW_CASES

pytestmark = pytest.mark.skipif(not th.cuda.is_available(), reason="PyTorch finds no CUDA device")

NAMES = [item.name for item in CASES] + [pytest.param(item.name, marks=pytest.mark.slow) for item in SLOW_CASES]
KILLED = ["ppo-linear-normalized", "ppo-sde-sampled", "dqn", "sac-sde-linear", "td3-ou-noise", "recurrent-ppo"]


@pytest.fixture(autouse=True)
def on_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(DEVICE, "cuda")


@pytest.mark.parametrize("name", NAMES)
def test_sessions_end_where_an_uninterrupted_run_ends(name: str, tmp_path: Path) -> None:
    found, results = runs.sessions(name, tmp_path, 70, 31)
    assert [result.exactness for result in results] == ["exact"] * 3, results[-1].lost
    assert found == runs.uninterrupted(name)


@pytest.mark.parametrize("name", KILLED)
def test_killed_run_ends_where_an_uninterrupted_run_ends(name: str, tmp_path: Path) -> None:
    assert runs.killed(name, tmp_path, seed=len(name)) == runs.uninterrupted(name)


@pytest.mark.parametrize("name", ["ppo-three-envs", "sac"])
def test_fresh_processes_end_where_an_uninterrupted_run_ends(name: str, tmp_path: Path) -> None:
    for steps in ("100", "60", ""):
        command = [sys.executable, "-m", "tests.checkpoints.runs", name, str(tmp_path), *([steps] if steps else [])]
        output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert json.loads(output.splitlines()[-1]) == runs.uninterrupted(name)
