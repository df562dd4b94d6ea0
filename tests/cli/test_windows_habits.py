"""What a person on Windows does: blanks and backslashes, reserved names, names in another case, old consoles."""

import io
import sys
from pathlib import Path

import pytest

from tests.checkpoints.little import LittleRun, store_at
from tests.cli.conftest import call, child, made, tree
from tests.notify.receiver import receiving
from validation_ch7.checkpoints import CheckpointStore
from validation_ch7.checkpoints.backup import back_up
from validation_ch7.cli.leaf import PROGRAM
from validation_ch7.cli.main import main
from validation_ch7.cli.outcome import default_workspace
from validation_ch7.config import load_section, section_file
from validation_ch7.errors import ConfigurationError, StorageError
from validation_ch7.files import confined
from validation_ch7.planning import same_place
from validation_ch7.sharing import export_store, open_place
from validation_ch7.sharing.places import scheme_of
from validation_ch7.verification.machine import LONGEST_BELOW

__all__ = ["call", "made", "tree"]
RESERVED = ["con", "CON", "nul", "aux", "prn", "com1", "LPT9", "con.backup"]


@pytest.mark.parametrize("encoding", ["cp1252", "ascii"])
@pytest.mark.parametrize(
    "words", [["--help"], ["doctor"], ["completion", "powershell"], ["status"], ["attach"]], ids=" ".join
)
def test_old_console_is_enough(words, encoding, tmp_path):
    place = ["--workspace", str(tmp_path)] if words[0] in ("status", "attach", "doctor") else []
    ran = child(*words, *place, PYTHONIOENCODING=encoding, HOME=str(tmp_path))
    assert ran.returncode == 0 and b"Traceback" not in ran.stderr, ran.stderr
    assert ran.stdout.decode(encoding).strip()


VIEWS_AND_CHANGES = [
    ["dashboard", "--output", "page.html"],
    ["compare", "latest", "best"],
    ["export", "usb stick"],
    ["import", "brought"],
    ["checkpoints", "restore", "latest"],
    ["checkpoints", "prune", "--yes"],
]


@pytest.mark.parametrize("encoding", ["cp1252", "ascii"])
@pytest.mark.parametrize("words", VIEWS_AND_CHANGES, ids=" ".join)
def test_old_console_is_enough_for_what_shows_and_changes_stores(words, encoding, tree, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    back_up(tree.store, "yesterday")
    export_store(tree.store, open_place("brought"))
    place = ["--store", "new"] if words[0] == "import" else ["--workspace", str(tree.workspace)]
    told = OldConsole(encoding)
    monkeypatch.setattr(sys, "stdout", told)
    monkeypatch.setattr(sys, "stderr", told)
    with pytest.raises(SystemExit) as ended:
        main([*words, *place], prog_name=PROGRAM)
    text = told.text()
    assert ended.value.code == 0, text
    assert text.strip() and "Traceback" not in text


@pytest.mark.parametrize("encoding", ["cp1252", "ascii"])
def test_old_console_is_enough_for_a_notification(encoding, tmp_path):
    with receiving() as receiver:
        ran = child("notify", "test", PYTHONIOENCODING=encoding, VALIDATION_NOTIFY=receiver.url)
    assert (ran.returncode, receiver.kinds) == (0, ["test"]) and ran.stdout.decode(encoding).strip()


class OldConsole(io.TextIOWrapper):
    """A console that can print the signs of its encoding and raises at any other."""

    def __init__(self, encoding):
        self.bytes = io.BytesIO()
        super().__init__(self.bytes, encoding=encoding, errors="strict")

    def text(self):
        self.flush()
        return self.bytes.getvalue().decode(self.encoding)


@pytest.mark.parametrize("name", RESERVED)
def test_prefix_that_windows_reserves_is_refused(tmp_path, name):
    with pytest.raises(ConfigurationError, match="cannot name"):
        CheckpointStore(tmp_path, name)


def test_prefix_that_only_begins_like_a_reserved_one_is_fine(tmp_path):
    assert CheckpointStore(tmp_path, "console").prefix == "console"
    with pytest.raises(ConfigurationError, match="cannot name"):
        CheckpointStore(tmp_path, "ends.with.")


def test_scenario_that_windows_reserves_is_refused(tmp_path):
    text = section_file("section_7_6_rl_performance").read_text("utf-8")
    path = tmp_path / "section.yml"
    path.write_text(text.replace("  arterial:\n", "  nul:\n    environment: {}\n  arterial:\n", 1), encoding="utf-8")
    with pytest.raises(ConfigurationError) as caught:
        load_section(path)
    assert "nul" in str(caught.value) and "Windows" in str(caught.value)


def test_two_stores_that_differ_in_case_only_do_not_share_a_folder(tmp_path):
    lower = store_at(tmp_path, "task")
    with lower.exclusive("test"):
        LittleRun(lower).save()
    upper = store_at(tmp_path, "Task")
    with pytest.raises(ConfigurationError, match="differs only in case"), upper.exclusive("test"):
        pass
    with lower.exclusive("test"), pytest.raises(ConfigurationError, match="differs only in case"):
        store_at(tmp_path, "TASK").refuse_other_case()


@pytest.mark.parametrize("address", ["C:\\runs\\my copy", "D:/usb stick", "\\\\server\\share\\runs", ".\\copy"])
def test_path_of_windows_is_a_path_and_no_address(address):
    assert scheme_of(address) == "file"


@pytest.mark.parametrize("name", ["a\\b", "C:x", "a/../../b", "a:stream", "/a"])
def test_name_from_outside_that_means_more_on_windows_is_refused(tmp_path, name):
    with pytest.raises(StorageError, match="leave its folder"):
        confined(tmp_path, name)


def test_recommended_command_quotes_as_cmd_powershell_and_bash_understand():
    flags = same_place("local", Path("C:/Users/Jane Doe/work"), {"config": "C:\\my files\\section.yml"})
    assert '"C:\\my files\\section.yml"' in flags and flags.count('"') == 4 and "'" not in flags


def test_export_takes_a_folder_with_blanks_and_comes_back(call, tmp_path):
    store = store_at(tmp_path / "a b", "task")
    with store.exclusive("test"):
        LittleRun(store).save()
    sent = call("export", tmp_path / "usb stick ü", "--store", tmp_path / "a b")
    got = call("import", tmp_path / "usb stick ü", "--store", tmp_path / "new one")
    assert (sent.exit_code, got.exit_code) == (0, 0), sent.output + got.output


def test_store_works_far_below_260_letters(tmp_path):
    deep = tmp_path.joinpath(*["a folder with a long name"] * 12)
    assert len(str(deep)) > 300
    store = store_at(deep, "task")
    with store.exclusive("test"):
        path = LittleRun(store).save()
    assert store.verify(path).steps == 5


def test_longest_path_below_a_workspace_is_the_one_that_the_doctor_reckons_with():
    session = "validation_output/results/local_section-7-6-rl-performance-00000000/section_7_6_rl_performance"
    longest = f"{session}/data/models/checkpoints/replay/{'0' * 64}.npz.zst"
    assert LONGEST_BELOW - 20 < len(longest) <= LONGEST_BELOW
    assert default_workspace().is_absolute()
