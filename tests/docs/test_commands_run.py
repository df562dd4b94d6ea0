"""Every command of the documents is typed, in a workspace that holds what the page speaks of, and ends as it says.

The rows of README's "How do I" are typed by ``test_how_do_i.py``, which also looks at their answers. Not typed here,
each with its reason: :data:`ELSEWHERE`.
"""

import re
import shlex
import shutil

import pytest
from click.testing import CliRunner

from tests.chain.conftest import Place
from tests.cli.conftest import SECTION, call, made, tree, write_summary
from tests.cli.test_status import record
from tests.docs.documents import ROOT, commands, starting_with
from tests.docs.test_documentation import MODULE, RUN, VERIFY, arguments
from tests.notify.receiver import receiving
from tests.sharing.conftest import bucket, s3_server
from tests.study.conftest import StudyPlace
from validation_ch7.checkpoints.backup import back_up
from validation_ch7.cli.main import main
from validation_ch7.cli.run_section import run_section
from validation_ch7.cli.verify_system import verify_system
from validation_ch7.config import load_section, section_file
from validation_ch7.files import make_folder
from validation_ch7.journal import Journal, Phase
from validation_ch7.session import write_document
from validation_ch7.sharing import export_store, open_place

__all__ = ["bucket", "call", "made", "s3_server", "tree"]
pytestmark = pytest.mark.slow
ELSEWHERE = {
    "dashboard --serve": "it serves until Ctrl-C: tests/dashboard/test_server.py",
    "--online": "it asks Kaggle: tests/verification/test_online.py asks the emulator",
    "export hf://": "it needs an account: tests/sharing/test_hub.py has a stand-in of the Hub",
    "import hf://": "it needs an account: tests/sharing/test_hub.py has a stand-in of the Hub",
    "kaggle clean --yes": "it needs an account: tests/remote/test_kaggle_submit.py asks the emulator",
    "study run --address": "it needs a cluster: tests/study/test_ray_job.py starts one",
    "study run --executor ray": "it needs the extra ray: tests/study/test_ray.py",
    "checkpoints diff A B": "A and B stand for any two: tests/cli/test_checkpoint_views.py compares two runs",
    "import runs/copy --index 0": "the digest is made up: tests/sharing/test_commands.py brings an earlier state",
}
LONG = ("run", "study", "traffic validate")
PLACEHOLDERS = {"s3://my-bucket/runs": "bucket", "D:/usb stick/runs": "usb stick/runs", "D:/other workspace": "other"}
SMALLER = {"900000": "2048", "20000": "256", "my_section.yml": "section.yml"}
LEFT, CLOSED = "20260101-120000-ab12cd", "20261123-220823-bf8798"


def elsewhere(command: str) -> bool:
    return any(words in command for words in ELSEWHERE)


def typed_here(*, long: bool) -> list[str]:
    spoken = [command.removeprefix(MODULE).strip() for command in starting_with(MODULE)]
    return [words for words in spoken if words and not elsewhere(words) and words.startswith(LONG) is long]


@pytest.fixture
def desk(tree, tmp_path, monkeypatch):
    """The current folder is a workspace with stores, copies, a backup, a closed session and one that was left."""
    monkeypatch.chdir(tree.workspace)
    journal = Journal(tree.workspace / "validation_output" / "sessions")
    results = tree.workspace / "validation_output" / "results" / "local_one"
    write_summary(results / SECTION, CLOSED, -12.5)
    record(journal, CLOSED, status="completed", steps_after=304, results_dir=str(results))
    configs = make_folder(journal.folder.parent / "configs")
    write_document(configs / f"{CLOSED}.json", load_section(section_file(SECTION)))
    back_up(tree.store, "yesterday")
    for name in ("models", "models/a", "models/b", "models/c", f"other/validation_ch7/{SECTION}/data/models"):
        shutil.copytree(tree.root / "checkpoints", tree.workspace / name / "checkpoints")
    back_up(type(tree.store)(tree.workspace / "models", tree.store.prefix), "yesterday")
    export_store(tree.store, open_place("usb stick/runs"))
    return journal


def replaced(command: str, url: str) -> list[str]:
    named = {shown: url if real == "bucket" else real for shown, real in PLACEHOLDERS.items()}
    words = [named.get(word, word) for word in shlex.split(command)]
    if words[0] == "import":
        return [*words, "--store", "brought"]  # the tree of the section trains something else than this one
    return words if {"completion", "notify", "--help", "--store"} & set(words) else [*words, "--workspace", "."]


@pytest.mark.parametrize("command", typed_here(long=False))
def test_documented_command_ends_well(command, desk, call, request, monkeypatch):
    url = request.getfixturevalue("bucket").url if "s3://" in command else ""
    if command.startswith("abandon"):
        record(desk, LEFT, Phase.SUBMITTED)
    if url and command.startswith("import"):
        assert call("export", url, "--workspace", ".").exit_code == 0
    with receiving() as receiver:
        monkeypatch.setenv("VALIDATION_NOTIFY", receiver.url)
        result = call(*replaced(command, url))
    assert result.exit_code == 0, result.output
    assert receiver.kinds == (["test"] if command.startswith("notify") else [])


@pytest.mark.slow
@pytest.mark.parametrize("command", [*starting_with(RUN), *starting_with(f"{MODULE} run")])
def test_documented_run_trains_a_small_section(command, tmp_path, monkeypatch):
    place = Place(tmp_path / "my_workspace")
    monkeypatch.chdir(tmp_path)
    shutil.copy(place.config, "section.yml")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    words = [
        SMALLER.get(word, word) for word in arguments(command, RUN if command.startswith(RUN) else f"{MODULE} run")
    ]
    words += [] if "--config" in words else ["--config", "section.yml", "--workspace", "my_workspace"]
    words += [] if "--backend" in words else ["--backend", "local"]
    result = CliRunner().invoke(run_section, words)
    assert result.exit_code == (3 if "kaggle" in words else 0), result.output
    trained = bool(place.store.paths()) or "dqn" in words
    assert trained is not bool({"--dry-run", "kaggle"} & set(words))


@pytest.mark.slow
def test_documented_study_commands_run_in_the_order_in_which_they_are_needed(tmp_path, call, monkeypatch):
    place = StudyPlace(tmp_path / "work space")
    monkeypatch.chdir(place.root)
    asked = sorted((words for words in typed_here(long=True) if words.startswith("study")), key=order)
    assert len(asked) >= 6
    for command in asked:
        config = [] if "status" in command else ["--config", place.config]
        result = call(*shlex.split(command), *place.flags, *config)
        assert result.exit_code == 0, f"{command}\n{result.output}"
    assert (place.root / "thesis" / "figures" / "section_7_6.tex").is_file()


def order(command: str) -> tuple[bool, str]:
    return not command.startswith("study run"), command


@pytest.mark.slow
@pytest.mark.parametrize("command", [words for words in typed_here(long=True) if words.startswith("traffic")])
def test_documented_traffic_command_passes(command, tmp_path, call, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = shlex.split(command)
    result = call(*words, *([] if "--output" in words else ["--output", "report"]))
    assert (result.exit_code, "passed" in result.stdout) == (0, True), result.output


@pytest.mark.slow
@pytest.mark.parametrize("command", [words for words in starting_with(VERIFY) if not elsewhere(words)])
def test_documented_verifier_verifies(command, tree):
    result = CliRunner().invoke(verify_system, [*arguments(command, VERIFY), "--workspace", str(tree.workspace)])
    assert result.exit_code == 0, result.output


@pytest.mark.parametrize(("words", "where"), ELSEWHERE.items())
def test_what_is_not_typed_here_is_tested_where_the_reason_says(words, where):
    [path] = re.findall(r"tests/\S+\.py", where)
    assert (ROOT / path).is_file()
    assert words.startswith("import hf") or any(words in command for command in commands())


def test_every_command_of_the_module_is_typed_somewhere():
    spoken = [command.removeprefix(MODULE).strip() for command in starting_with(MODULE)]
    here = {*typed_here(long=False), *typed_here(long=True), ""}
    assert [words for words in spoken if words not in here and not elsewhere(words)] == []
    assert all(words.split()[0] in main.commands for words in here - {"", "--help"})
