"""``attach``: what was left unfinished is finished, and nothing is started."""

import json
import os

import pytest

from tests.chain.conftest import Place
from tests.cli.conftest import call, child
from validation_ch7.journal import Journal, Phase
from validation_kaggle_manager import ValidationKaggleManager

__all__ = ["call"]


@pytest.fixture
def place(tmp_path):
    return Place(tmp_path / "work space ü")


def entries(place):
    return Journal(place.root / "validation_output" / "sessions").entries()


def test_nothing_unfinished_is_said_and_is_no_fault(call, tmp_path):
    result = call("attach", "--workspace", tmp_path)
    assert result.exit_code == 0 and "Nothing is left unfinished" in result.stdout
    answer = call("attach", "--workspace", tmp_path, "--json")
    assert json.loads(answer.stdout) == {"success": True, "attached": 0, "sessions": []}


@pytest.mark.slow
def test_submitted_session_outlives_its_starter_and_is_followed_and_brought(place):
    manager = ValidationKaggleManager(place.root, "local", say=place.lines.append)
    handle = manager.submit(config=place.config, quick=True)
    if hasattr(os, "getpgid"):
        assert os.getpgid(int(handle.status().message.removeprefix("process "))) != os.getpgid(0)
    session_id = handle.session_id
    del manager, handle
    ran = child("attach", "--workspace", place.root, "--json")
    told = json.loads(ran.stdout)
    [run] = told["sessions"]
    assert (ran.returncode, told["attached"], run["session_id"], run["steps_after"]) == (0, 1, session_id, 256)
    assert b"Attaching to session" in ran.stderr and b"[TRAINING] completed" in ran.stderr
    assert [entry.phase for entry in entries(place)] == [Phase.CLOSED]
    assert place.store.newest_steps() == 256
    again = child("attach", session_id, "--workspace", place.root)
    assert again.returncode == 0 and "completed" in again.stdout.decode()


def test_unknown_session_is_usage(call, tmp_path):
    result = call("attach", "nothing", "--workspace", tmp_path)
    assert result.exit_code == 2 and "no such session" in result.stderr


def test_next_commands_name_the_chain_as_it_was_begun(place, call):
    run = place.run(quick=True, algorithm="dqn", seed=7)
    assert entries(place)[0].flags == {"algorithm": "dqn", "config": str(place.config), "seed": "7"}
    answer = call("attach", run.session_id, "--workspace", place.root)
    first = answer.stdout.split("Next:")[1].splitlines()[1]
    assert f'--algorithm dqn --config "{place.config}" --seed 7' in first and "--quick" in first
