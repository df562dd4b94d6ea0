import dataclasses
import io

import rich.console

from validation_ch7.cli.transfer import TransferBar, progress_of
from validation_ch7.remote.progress import Tally, TransferProgress

HALF = TransferProgress("download", 1, 2, 50_000_000, 100_000_000, 50_000_000, 5.0)


def console(terminal):
    """Return a screen of a known size, and what is drawn on it."""
    stream = io.StringIO()
    return rich.console.Console(file=stream, force_terminal=terminal, width=120, _environ={"TERM": "xterm"}), stream


def shown(terminal, moments):
    """Return what a bar draws and says, for (time, progress) pairs."""
    (screen, stream), lines, now = console(terminal), [], [0.0]
    bar = TransferBar(lines.append, screen, lambda: now[0])
    for now[0], progress in moments:
        bar(progress)
    return stream.getvalue(), lines


def test_terminal_has_a_bar_with_rate_and_time_left_and_gets_its_line_back():
    drawn, lines = shown(True, [(5.0, HALF), (6.0, dataclasses.replace(HALF, over=True))])
    assert "50.0 of 100.0 MB, 1 of 2 files, 10.0 MB/s, 5 s left" in drawn
    assert drawn.endswith("\x1b[2K")  # transient: the line is empty again
    assert lines == []


def test_pipe_has_plain_lines_at_a_bounded_rate():
    moments = [(float(second), dataclasses.replace(HALF, seconds=float(second))) for second in range(40)]
    drawn, lines = shown(False, moments)
    assert drawn == ""
    assert len(lines) == 3
    assert lines[0].startswith("[DOWNLOAD] 50.0 of 100.0 MB")


def test_short_transfer_shows_nothing():
    quick = dataclasses.replace(HALF, seconds=0.2)
    assert shown(True, [(0.2, quick), (0.3, dataclasses.replace(quick, over=True))]) == ("", [])


def test_what_an_earlier_try_had_brought_counts_as_done_but_not_as_speed():
    seen, now = [], [0.0]
    tally = Tally("download", seen.append, lambda: now[0], bytes_total=1000)
    now[0] = 2.0
    tally.begin("a", 600)
    tally.block("a", 100)
    tally.begin("a", 0)  # its digest was wrong: once more from the beginning
    tally.block("a", 300)
    assert [progress.bytes_done for progress in seen] == [600, 700, 0, 300]
    assert seen[-1].rate == 200.0


def moved(terminal, quiet=False):
    """Move 40 MB in 40 s, and return what is drawn."""
    (screen, stream), now = console(terminal), [0.0]
    with progress_of("export", quiet=quiet, terminal=screen, clock=lambda: now[0]) as report:
        for second in range(41):
            now[0] = float(second)
            report(second * 1_000_000, 40_000_000)
    return stream.getvalue()


def test_block_that_moves_bytes_has_the_same_bar_and_gives_its_line_back(capsys):
    drawn = moved(True)
    assert "40.0 of 40.0 MB, 1.0 MB/s, 0 s left" in drawn
    assert drawn.endswith("\x1b[2K")
    assert capsys.readouterr() == ("", "")


def test_block_that_moves_bytes_says_plain_lines_in_a_pipe(capsys):
    assert moved(False) == ""
    out, err = capsys.readouterr()
    assert out == ""
    assert [line.split(" of")[0] for line in err.splitlines()] == [f"[EXPORT] {part}.0" for part in (10, 20, 30, 40)]


def test_nothing_is_shown_beside_json(capsys):
    assert moved(True, quiet=True) == ""
    assert capsys.readouterr() == ("", "")
