from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from stable_baselines3 import DQN
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.vec_env import VecNormalize

from validation_ch7.checkpoints import CheckpointStore, learn_resumable, save_best
from validation_ch7.cli.main import main
from validation_ch7.session import Exactness, SessionSummary, SummaryStatus, write_document

ROOT = Path(__file__).resolve().parents[2]
PREFIX = "traffic_light_control"
SECTION = "section_7_6_rl_performance"
HOSTILE = "\x1b[2J[red]evil[/red]\u202e✓\nnext line"
STEPS = (104, 200, 304)


@dataclass(frozen=True)
class Tree:
    """A workspace with a small, real training tree."""

    workspace: Path

    @property
    def root(self) -> Path:
        return self.workspace / "validation_ch7" / SECTION / "data" / "models"

    @property
    def store(self) -> CheckpointStore:
        return CheckpointStore(self.root, PREFIX)

    def damage(self, steps: int) -> None:
        path = self.store.path(steps)
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 0xFF
        path.write_bytes(data)


def cart_pole_model() -> DQN:
    env = VecNormalize(make_vec_env("CartPole-v1", 2, seed=1), clip_obs=5.0)
    return DQN(
        "MlpPolicy",
        env,
        policy_kwargs={"net_arch": [8]},
        learning_starts=20,
        buffer_size=400,
        train_freq=4,
        seed=0,
        device="cpu",
    )


@pytest.fixture(scope="session")
def made(tmp_path_factory) -> Tree:
    tree = Tree(tmp_path_factory.mktemp("work space ü"))
    for target, session in ((100, "first"), (200, HOSTILE), (300, "20260101-000000-abcdef")):
        model = cart_pole_model()
        learn_resumable(model, target, tree.store, save_freq=1000, max_keep=3, session_id=session)
    save_best(tree.store, model, {"mean_reward": 9.5, "episodes": 2.0}, "20260101-000000-abcdef")
    return tree


@pytest.fixture
def tree(made, tmp_path) -> Tree:
    shutil.copytree(made.workspace, tmp_path / "a b")
    return Tree(tmp_path / "a b")


@pytest.fixture
def call() -> Callable[..., Result]:
    def invoke(*words: object, env: dict[str, str] | None = None, stdin: str | None = None) -> Result:
        clean: dict[str, str | None] = {"NO_COLOR": None, "FORCE_COLOR": None}  # the terminal of the test, not ours
        return CliRunner().invoke(main, [str(word) for word in words], env=clean | (env or {}), input=stdin)

    return invoke


@pytest.fixture
def ask(call, tree) -> Callable[..., Result]:
    """Call ``checkpoints …`` on the tree as on any store."""
    return lambda *words, **options: call("checkpoints", *words, "--store", tree.root, **options)


def child(*words: object, **environ: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "validation_ch7", *(str(word) for word in words)],
        cwd=ROOT,
        env={**os.environ, **environ},
        capture_output=True,
        check=False,
        timeout=400,
    )


def plain(result: Result) -> dict:
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def write_summary(folder: Path, session_id: str, reward: float) -> None:
    folder.mkdir(parents=True)
    summary = SessionSummary(
        session_id=session_id,
        section=SECTION,
        scenario=PREFIX,
        status=SummaryStatus.COMPLETED,
        steps_before=0,
        steps_after=304,
        stop_at=304,
        target_steps=1000,
        exactness=Exactness.EXACT,
        mean_reward=reward,
    )
    write_document(folder / "session_summary.json", summary)
