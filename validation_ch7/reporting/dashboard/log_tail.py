"""The end of the log of the newest session that has one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from validation_ch7.files import last_lines
from validation_ch7.journal import JournalEntry
from validation_ch7.reporting.dashboard.view import LogTail
from validation_ch7.session import LOG_NAME

SHOWN_LINES = 80
_LONG = 2_000


def read_log_tail(entries: Sequence[JournalEntry], output: Path) -> LogTail | None:
    """Return the end of the newest log, or None where no session left one.

    Args:
        entries: newest first.
        output: the workspace's ``validation_output``.
    """
    for entry in entries:
        for path in _logs(entry, output):
            lines = last_lines(path, SHOWN_LINES)
            if lines:
                source = path.relative_to(output).as_posix()
                return LogTail(entry.session_id, source, tuple(line[:_LONG] for line in lines))
    return None


def results_folder(entry: JournalEntry, output: Path) -> Path | None:
    """Return where the results of a session lie now; the workspace may have been moved since."""
    name = (entry.results_dir or "").replace("\\", "/").rstrip("/").split("/")[-1]
    return output / "results" / name if name not in ("", ".", "..") else None


def running_logs(entries: Sequence[JournalEntry], output: Path) -> Path | None:
    """Return the folder of learning curves of a local session that is under way."""
    for entry in entries:
        if not entry.phase.over and entry.backend == "local" and (folder := _local(entry, output)):
            return folder / "working" / entry.section / "data" / "logs" / entry.scenario
    return None


def _logs(entry: JournalEntry, output: Path) -> Iterator[Path]:
    if results := results_folder(entry, output):
        yield results / LOG_NAME
        yield results / entry.section / LOG_NAME
    if local := _local(entry, output):
        yield local / LOG_NAME


def _local(entry: JournalEntry, output: Path) -> Path | None:
    plain = entry.session_id.replace("-", "").replace(".", "").replace("_", "").isalnum()
    return output / "local_sessions" / entry.session_id if plain else None
