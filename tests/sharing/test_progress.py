"""Progress of a transfer, as a terminal, a pipe and a reader of JSON see it."""

import os
import subprocess
import sys

import pytest

from validation_ch7.cli.transfer import progress_of

CODE = """
import sys
from validation_ch7.cli.transfer import progress_of
with progress_of("Sending", quiet=False) as report:
    for done in range(0, 1_000_001, 100_000):
        report(done, 1_000_000)
"""


def test_pipe_gets_plain_lines_on_standard_error(capsys):
    with progress_of("Sending", quiet=False) as report:
        for done in range(0, 101, 10):
            report(done, 100)
    out, err = capsys.readouterr()
    assert out == "" and "\x1b" not in err
    assert err.splitlines() == [f"Sending: {part} % of 100 B" for part in (25, 50, 75, 100)]


def test_nothing_is_said_beside_json(capsys):
    with progress_of("Sending", quiet=True) as report:
        report(100, 100)
    assert capsys.readouterr() == ("", "")


@pytest.mark.skipif(os.name == "nt", reason="needs a pseudo-terminal")
def test_terminal_gets_a_bar():
    import pty

    leader, follower = pty.openpty()
    environ = {**os.environ, "TERM": "xterm", "COLUMNS": "80", "PYTHONIOENCODING": "utf-8"}
    environ.pop("NO_COLOR", None)
    subprocess.run([sys.executable, "-c", CODE], stderr=follower, check=True, env=environ, timeout=120)
    os.close(follower)
    drawn = os.read(leader, 1 << 16).decode("utf-8", "replace")
    os.close(leader)
    assert "Sending" in drawn and "MB" in drawn and "\x1b[" in drawn
