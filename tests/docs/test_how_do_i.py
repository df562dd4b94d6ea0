"""The table "How do I …" of the README: each command is run as it stands there, and answers the question."""

import re
import subprocess
import sys

import pytest

from tests.cli.conftest import SECTION, call, made, tree, write_summary
from tests.cli.test_status import record
from tests.docs.documents import ROOT
from tests.sharing.conftest import bucket, s3_server
from validation_ch7.checkpoints.backup import back_up
from validation_ch7.journal import Journal

__all__ = ["bucket", "call", "made", "s3_server", "tree"]
TABLE = (ROOT / "README.md").read_text("utf-8").split("## How do I …")[1].split("\n\n")[1]
ROWS = dict(line.strip("|").split("|") for line in TABLE.splitlines()[2:])
COMMANDS = {
    question.strip(): re.findall(r"`python -m validation_ch7 ([^`]+)`", answer) for question, answer in ROWS.items()
}


@pytest.fixture
def ask(call, tree, tmp_path, monkeypatch):
    """Type the commands that answer a question, where the tree is the workspace."""
    monkeypatch.chdir(tmp_path)

    def typed(question, **replaced):
        results = []
        for command in COMMANDS[question]:
            words = command.split()
            words = [replaced.get(word, word) for word in words]
            results.append(call(*words, "--workspace", tree.workspace))
            assert results[-1].exit_code == 0, results[-1].output
        return results[-1].stdout

    return typed


def test_every_question_has_a_command():
    assert len(COMMANDS) == 7 and all(COMMANDS.values())


def test_reward_of_the_last_session(ask, tree):
    journal = Journal(tree.workspace / "validation_output" / "sessions")
    write_summary(tree.workspace / "validation_output" / "results" / "local_one" / SECTION, "one", -12.5)
    record(journal, "one", status="completed", steps_after=304, results_dir="local_one")
    assert "last reward        -12.50" in ask("see the reward of the last session")


def test_why_a_checkpoint_was_not_used(ask, tree):
    tree.damage(304)
    tree.store.quarantine(tree.store.path(200), "the reason of a run")
    shown = ask("learn why a checkpoint was not used")
    assert "the reason of a run" in shown and "traffic_light_control_checkpoint_304_steps.zip" in shown


def test_back_to_yesterday(ask, tree):
    back_up(tree.store, "yesterday")
    tree.store.path(304).unlink()
    assert "goes on from step 304" in ask("go back to yesterday's")
    assert tree.store.verify(tree.store.path(304)).steps == 304


def test_model_in_plain_sb3(ask, tmp_path):
    ask("get the model into plain SB3")
    code = "from stable_baselines3 import DQN; print(DQN.load('exported/best/model.zip').num_timesteps)"
    ran = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert ran.stdout.split()[-1] == "304"


def test_store_on_s3(ask, bucket):
    shown = ask("send the store to S3", **{"s3://my-bucket/runs": bucket.url})
    assert "sent and compared" in shown and bucket.url in shown


def test_what_was_left_and_what_is_missing(ask):
    assert "Nothing is left unfinished" in ask("finish what a closed notebook left")
    assert "Training works on this machine." in ask("find out what is missing, also for Kaggle")
