from __future__ import annotations

import json
import re
import subprocess
import sys

import pytest

from tests.cli.conftest import HOSTILE, ROOT, SECTION, child, write_summary

COLOUR = re.compile(r"\x1b\[[0-9;]*m")
TERMINAL = {"FORCE_COLOR": "1", "COLUMNS": "80", "TERM": "xterm"}
VIEWS = [["list"], ["show", "200"], ["diff", "104", "304"], ["prune", "--dry-run"], ["verify"], ["backup", "--list"]]


@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
@pytest.mark.parametrize("words", VIEWS[:2], ids=" ".join)
def test_console_without_some_signs_is_enough(tree, encoding, words):
    tree.damage(104)
    ran = child("checkpoints", *words, "--workspace", tree.workspace, PYTHONIOENCODING=encoding)
    assert (ran.returncode, ran.stderr) == (0, b"")
    assert "evil" in ran.stdout.decode(encoding)


def test_messages_reach_an_ascii_console_too(tree):
    ran = child("checkpoints", "show", "nothing", "--workspace", tree.workspace, PYTHONIOENCODING="ascii")
    assert ran.returncode == 5 and ran.stderr.startswith(b"[X] There is no such checkpoint.")


@pytest.mark.parametrize("words", VIEWS, ids=" ".join)
def test_everything_fits_into_80_columns(ask, tree, words):
    tree.store.quarantine(tree.store.path(104), "reason " * 40) if "104" not in words else None
    result = ask(*words, env=TERMINAL)
    lines = COLOUR.sub("", result.stdout).splitlines()
    folded = [line for line in lines if str(tree.root) not in line]  # paths are left whole, to be copied
    assert folded and max(len(line) for line in folded) <= 80


OTHER_VIEWS = [["status"], ["doctor"], ["compare", "latest", "best"], ["checkpoints", "backup"], ["study", "status"]]


@pytest.mark.parametrize("words", OTHER_VIEWS, ids=" ".join)
def test_other_views_fit_into_80_columns(call, tree, words):
    write_summary(tree.workspace / "validation_output" / "results" / "local_one" / SECTION, HOSTILE, -12.5)
    shown = call(*words, "--workspace", tree.workspace, env=TERMINAL)
    assert shown.exit_code == 0, shown.output
    lines = COLOUR.sub("", shown.stdout).splitlines()
    folded = [line for line in lines if str(tree.workspace) not in line and "python -m" not in line]  # to be copied
    assert folded and max(len(line) for line in folded) <= 80


@pytest.mark.parametrize("words", [["status"], ["compare", "latest", "best"]], ids=" ".join)
def test_no_color_is_obeyed_by_other_views(call, tree, words):
    tree.damage(104)
    assert "\x1b" in call(*words, "--workspace", tree.workspace, env=TERMINAL).stdout
    assert "\x1b" not in call(*words, "--workspace", tree.workspace, env=TERMINAL | {"NO_COLOR": "1"}).stdout


def test_no_color_is_obeyed_by_every_view_of_checkpoints(ask, tree):
    tree.damage(304)
    for words in VIEWS:
        assert "\x1b" not in ask(*words, env=TERMINAL | {"NO_COLOR": "1"}).stdout, words


def test_rows_with_usual_names_stand_on_one_line(ask, tree):
    rows = [line for line in ask("list", env=TERMINAL | {"NO_COLOR": "1"}).stdout.splitlines() if "304" in line]
    assert [row.split("…")[1].split()[0] for row in rows] == ["000000-abcdef", "000000-abcdef"]
    assert rows[0].endswith("next, ok") and rows[1].endswith("best, ok")


@pytest.mark.parametrize("words", VIEWS, ids=" ".join)
def test_texts_from_files_cannot_steer_the_terminal(ask, words):
    assert HOSTILE.startswith("\x1b")
    for env in (TERMINAL, TERMINAL | {"NO_COLOR": "1"}, {}):
        text = ask(*words, env=env).stdout
        assert "\x1b[2J" not in text and "\u202e" not in text


def test_markup_in_a_text_stays_text(ask):
    assert "[red]evil[/red]" in ask("list").stdout


def test_colour_only_where_it_is_wanted(ask, tree):
    tree.damage(304)
    assert "\x1b[" in ask("list", env=TERMINAL).stdout
    assert "\x1b" not in ask("list", env=TERMINAL | {"NO_COLOR": "1"}).stdout
    assert "\x1b" not in ask("list", env=TERMINAL | {"TERM": "dumb"}).stdout
    assert "\x1b" not in ask("list").stdout


def test_pipe_gets_one_line_for_each_thing(ask, tree):
    tree.store.quarantine(tree.store.path(104), "reason " * 100)
    (line,) = [line for line in ask("quarantine", "list").stdout.splitlines() if "reason" in line]
    assert line.count("reason") == 100


def test_json_is_ascii_and_holds_hostile_texts_unchanged(tree):
    ran = child("checkpoints", "list", "--json", "--workspace", tree.workspace, PYTHONIOENCODING="ascii")
    assert HOSTILE in {item["session_id"] for item in json.loads(ran.stdout.decode("ascii"))["checkpoints"]}


def test_closed_pipe_ends_quietly(tree):
    words = [sys.executable, "-m", "validation_ch7", "checkpoints", "show", "304", "--workspace", str(tree.workspace)]
    with subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.close()
        fault = process.stderr.read()
    assert b"Traceback" not in fault


def test_help_does_not_import_what_is_slow():
    code = (
        "import sys; from click.testing import CliRunner; from validation_ch7.cli.main import main\n"
        "for words in (['--help'], ['run', '--help'], ['status', '-h'], ['checkpoints', 'list', '--help']):\n"
        "    assert CliRunner().invoke(main, words).exit_code == 0\n"
        "slow = {'torch', 'numpy', 'stable_baselines3', 'gymnasium', 'pydantic', 'numba'} & set(sys.modules)\n"
        "assert not slow, slow"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, timeout=60)
