"""Nothing on the resume path reads a pickle, whatever is trained and whoever asks."""

from __future__ import annotations

import os
import pickle
import shutil
from _pickle import loads as early_bound
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.checkpoints import runs
from tests.checkpoints.pickle_watch import classes_unpickled, refuse_pickles
from tests.training.sessions import Scene
from tests.training.worlds import section_config
from validation_ch7.checkpoints import CheckpointStore
from validation_ch7.training.learner import CheckpointLearner

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="watches a forked child")
KINDS = ["ppo-linear-normalized", "her", "recurrent-ppo", "dqn"]
"""VecNormalize with evaluations and a best model; infos in a replay buffer; recurrent states; a target network."""


@pytest.mark.parametrize("load", [pickle.loads, pickle._loads, early_bound], ids=["pickle", "python", "early bound"])
def test_the_watch_sees_every_way_to_unpickle(load: Callable[[bytes], object]) -> None:
    bomb = pickle.dumps(os.getcwd)
    assert classes_unpickled(lambda: load(bomb)) == ["posix.getcwd"]


@pytest.mark.parametrize("name", KINDS)
def test_resume_reads_no_pickle(name: str, ram: Path) -> None:
    runs.session(name, ram, session_timesteps=70)

    def resume() -> None:
        refuse_pickles(setattr)
        _, result = runs.session(name, ram)
        assert result.done and result.steps_before >= 70 and result.exactness == "exact"

    assert classes_unpickled(resume) == []


def test_a_session_reads_no_pickle(ram: Path) -> None:
    first = _scene(ram / "first")
    assert first.run(config=section_config(normalize={}), stop_at=64) == 0
    parent = CheckpointStore(first.tree, "traffic_light_control").entries()[0].digest
    second = _scene(ram / "second")
    shutil.copytree(first.tree, ram / "second" / "inputs")

    def resume() -> None:
        refuse_pickles(setattr)
        assert second.run(config=section_config(normalize={}), session_id="s2", parent=parent) == 0, second.log

    assert classes_unpickled(resume) == []
    assert (second.summary.steps_before, second.summary.steps_after) == (64, 128)


def _scene(folder: Path) -> Scene:
    folder.mkdir()
    return Scene(folder, learner=CheckpointLearner)
