"""Completion of words, as the shells ask for it; bash is asked for real, the others through their protocol."""

import json
import os
import shutil
import subprocess
import sys

import pytest

from tests.cli.conftest import ROOT, call
from validation_ch7.cli.completion import SHELLS

__all__ = ["call"]


def ask(shell, words, position, **environ):
    """Return what the program answers a shell that completes ``words``."""
    told = {"_VALIDATION_CH7_COMPLETE": f"{shell}_complete", "COMP_WORDS": words, "COMP_CWORD": str(position)}
    code = "from validation_ch7.cli.main import main; main(prog_name='validation-ch7')"
    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env={**os.environ, **told, **environ}, capture_output=True, text=True
    )
    return ran.stdout


@pytest.mark.parametrize("shell", SHELLS)
def test_script_names_program_and_variable(call, shell):
    result = call("completion", shell)
    assert result.exit_code == 0, result.output
    assert "validation-ch7" in result.stdout and "_VALIDATION_CH7_COMPLETE" in result.stdout
    assert "%(" not in result.stdout


def test_script_comes_as_json_too(call):
    told = json.loads(call("completion", "bash", "--json").stdout)
    assert told == {"shell": "bash", "script": call("completion", "bash").stdout.rstrip("\n")}


def test_unknown_shell_is_usage(call):
    assert call("completion", "tcsh").exit_code == 2


@pytest.mark.parametrize(
    ("shell", "words", "position", "environ"),
    [
        ("bash", "validation-ch7 checkpoints export-", 2, {}),
        ("zsh", "validation-ch7 checkpoints export-", 2, {}),
        ("fish", "validation-ch7 checkpoints export-", 2, {"COMP_CWORD": "export-"}),
        ("powershell", "validation-ch7 checkpoints export-", 2, {"COMP_INCOMPLETE": "export-"}),
    ],
)
def test_commands_are_completed(shell, words, position, environ):
    assert "export-sb3" in ask(shell, words, position, **environ)


def test_powershell_is_offered_everything_after_a_blank():
    offered = ask("powershell", "validation-ch7 ", 1, COMP_INCOMPLETE="")
    assert "run\tTrain in sessions" in offered and "doctor\t" in offered


def test_sessions_of_the_workspace_are_offered(tmp_path):
    folder = tmp_path / "validation_output" / "sessions"
    folder.mkdir(parents=True)
    (folder / "20260101-000000-abcdef.json").write_text("{}")
    words = f"validation-ch7 attach --workspace {tmp_path.as_posix()} 2026"
    assert "20260101-000000-abcdef" in ask("bash", words, 4)


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash on this machine")
def test_bash_itself_completes(call, tmp_path):
    program = tmp_path / "validation-ch7"
    program.write_text(
        f"#!{sys.executable}\nimport sys; sys.path.insert(0, {str(ROOT)!r})\n"
        "from validation_ch7.cli.main import main; main(prog_name='validation-ch7')\n"
    )
    program.chmod(0o755)
    (tmp_path / "completion.sh").write_text(call("completion", "bash").stdout)
    script = (
        "source completion.sh; COMP_WORDS=(validation-ch7 doc); COMP_CWORD=1; "
        '_validation_ch7_completion validation-ch7; echo "${COMPREPLY[@]}"'
    )
    environ = {**os.environ, "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"}
    ran = subprocess.run(["bash", "-c", script], cwd=tmp_path, env=environ, capture_output=True, text=True)
    assert ran.stdout.split() == ["doctor"], ran.stderr
