"""What one run of a section did, decided from facts alone: status, exit code, what to say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from validation_ch7.files import last_lines
from validation_ch7.journal import JournalEntry
from validation_ch7.notebook import html_table
from validation_ch7.session import LOG_NAME, Exactness, SessionPlan, SessionSummary, SummaryStatus

EXIT_DONE, EXIT_FAILED, EXIT_UNUSABLE, EXIT_INTERRUPTED, EXIT_CTRL_C = 0, 4, 5, 75, 130
_GOOD = frozenset({SummaryStatus.COMPLETED, SummaryStatus.STOPPED_AT_DEADLINE, SummaryStatus.ALREADY_COMPLETE})
_RESUMABLE = frozenset({"timeout", "cancelled", "interrupted"})


@dataclass(frozen=True)
class SectionRun:
    """What one run of a section did; ``as_json()`` is what ``--json`` prints."""

    success: bool
    status: str
    backend: str
    scenario: str
    steps_before: int
    steps_after: int
    target_steps: int
    training_dir: str
    kernel_slug: str = ""
    session_id: str = ""
    resumed_from: str | None = None
    exactness: str = Exactness.EXACT.value
    restored_files: tuple[str, ...] = ()
    results_dir: str | None = None
    mean_reward: float | None = None
    warnings: tuple[str, ...] = ()
    error: str | None = None
    exit_code: int = EXIT_DONE
    sessions: int = 1

    def as_json(self) -> dict[str, Any]:
        """Return the fields as data that JSON can hold."""
        return asdict(self)

    def _repr_html_(self) -> str:
        rows = [
            ("status", self.status),
            ("steps", f"{self.steps_before:,} → {self.steps_after:,} of {self.target_steps:,}"),
            ("resumed from", self.resumed_from or "nothing"),
            ("exactness", self.exactness),
            ("mean reward", self.mean_reward),
            ("session", f"{self.session_id} on {self.backend}"),
            ("results", self.results_dir),
            ("training tree", self.training_dir),
            ("error", self.error),
            *(("warning", warning) for warning in self.warnings),
        ]
        return html_table(f"Run of {self.scenario}", (), [row for row in rows if row[1] is not None])


@dataclass(frozen=True)
class Ending:
    """How a session ended, judged."""

    status: str
    success: bool
    exit_code: int
    error: str | None


def judge(
    backend_state: str,
    backend_message: str,
    summary: SessionSummary | None,
    complete: bool,
    by_ctrl_c: bool,
    stopped: bool = False,
) -> Ending:
    """Decide how a session ended; without a complete output manifest there is no success.

    Args:
        backend_state: last state that the backend told.
        summary: what the session said of itself, or None where it was killed.
        complete: whether the output manifest is there and every file matches it.
        by_ctrl_c: whether the stop came from the keyboard.
        stopped: whether this run was asked to stop, and passed that on.

    >>> judge("complete", "", None, False, False).status
    'killed'
    >>> judge("timeout", "12 h", None, False, False).exit_code
    75
    """
    if summary is not None and summary.status in _GOOD and complete:
        return Ending(summary.status.value, True, EXIT_DONE, None)
    if summary is not None and summary.status is SummaryStatus.INTERRUPTED:
        code = EXIT_CTRL_C if by_ctrl_c else EXIT_INTERRUPTED
        return Ending("interrupted", False, code, summary.error)
    if summary is not None and summary.status is SummaryStatus.FAILED:
        return Ending("failed", False, EXIT_FAILED, summary.error or "the session failed without a reason")
    if stopped and summary is None:
        code = EXIT_CTRL_C if by_ctrl_c else EXIT_INTERRUPTED
        return Ending("interrupted", False, code, "stopped before the session could save; the last checkpoint holds")
    if backend_state in _RESUMABLE:
        return Ending(
            backend_state, False, EXIT_INTERRUPTED, backend_message or f"the session ended as {backend_state}"
        )
    missing = "its outputs are incomplete" if summary is not None else "it left no summary"
    status = "failed" if summary is not None else "killed"
    return Ending(
        status, False, EXIT_FAILED, f"the session ended as {backend_state}, and {missing}. {backend_message}".strip()
    )


@dataclass(frozen=True)
class Tree:
    """The training tree after a session's results were admitted."""

    root: str
    steps: int
    exactness: Exactness | None
    restored: tuple[str, ...]
    rejected: tuple[str, ...]


def concluded(
    entry: JournalEntry, kernel_slug: str, ending: Ending, summary: SessionSummary | None, tree: Tree, results_dir: str
) -> SectionRun:
    """Return the run of one session; its steps are those that the training tree really holds."""
    grade = tree.exactness or (summary.exactness if summary else Exactness.EXACT)
    return SectionRun(
        success=ending.success,
        status=ending.status,
        backend=entry.backend,
        scenario=entry.scenario,
        steps_before=max(summary.steps_before if summary else 0, entry.steps_before),  # it may have died before it knew
        steps_after=tree.steps,
        target_steps=entry.target_steps,
        training_dir=tree.root,
        kernel_slug=kernel_slug,
        session_id=entry.session_id,
        resumed_from=summary.resumed_from if summary else None,
        exactness=grade.value,
        restored_files=tree.restored,
        results_dir=results_dir,
        mean_reward=summary.mean_reward if summary else None,
        warnings=(*(summary.warnings if summary else ()), *tree.rejected, *lacking(entry, summary)),
        error=ending.error,
        exit_code=ending.exit_code,
    )


def lacking(entry: JournalEntry, summary: SessionSummary | None) -> tuple[str, ...]:
    """Return a warning where a session on Kaggle, which asks for a GPU, found none."""
    without = summary is not None and summary.environment.get("cuda_devices") == "0"
    text = "The session got no GPU. Is your phone number verified? See: python verify_checkpoint_system.py --online"
    return (text,) if entry.backend == "kaggle" and without else ()


def recalled(entry: JournalEntry, summary: SessionSummary | None, training_dir: str) -> SectionRun:
    """Return the run of a session that is over, as the journal and its summary tell it."""
    good = entry.status in _GOOD
    resumable = entry.status in _RESUMABLE
    return SectionRun(
        success=good,
        status=entry.status if good or resumable or entry.status == "killed" else "failed",
        backend=entry.backend,
        scenario=entry.scenario,
        steps_before=entry.steps_before,
        steps_after=entry.steps_before if entry.steps_after is None else entry.steps_after,
        target_steps=entry.target_steps,
        training_dir=training_dir,
        kernel_slug=entry.kernel_slug,
        session_id=entry.session_id,
        resumed_from=summary.resumed_from if summary else None,
        exactness=(summary.exactness if summary else Exactness.EXACT).value,
        restored_files=entry.restored_files,
        results_dir=entry.results_dir,
        mean_reward=summary.mean_reward if summary else None,
        warnings=tuple(summary.warnings) if summary else (),
        error=entry.error,
        exit_code=EXIT_DONE if good else EXIT_INTERRUPTED if resumable else EXIT_FAILED,
    )


def planned(
    plan: SessionPlan, backend: str, done: int, name: str | None, training_dir: str, warnings: tuple[str, ...]
) -> SectionRun:
    """Return what a dry run found: nothing was started."""
    return SectionRun(
        success=True,
        status="planned",
        backend=backend,
        scenario=plan.scenario,
        steps_before=done,
        steps_after=done,
        target_steps=plan.target_steps,
        resumed_from=name,
        training_dir=training_dir,
        warnings=warnings,
        sessions=0,
    )


def goes_on(runs: Sequence[SectionRun], steps: int) -> bool:
    """Decide whether a chain has a next session: not when done, stopped, or failed twice in the same way."""
    last = runs[-1]
    if last.exit_code in (EXIT_INTERRUPTED, EXIT_CTRL_C, EXIT_UNUSABLE) or steps >= last.target_steps:
        return False
    if last.success:
        return True
    return len(runs) < 2 or runs[-2].success or runs[-2].error != last.error


def stopped_between(run: SectionRun, by_ctrl_c: bool) -> SectionRun:
    """Return a chain that was stopped between two sessions: what is done is done, and it has not reached its end."""
    code = EXIT_CTRL_C if by_ctrl_c else EXIT_INTERRUPTED
    return replace(run, success=False, status="interrupted", exit_code=code, error="stopped between two sessions")


def end_of_log(run: SectionRun) -> list[str]:
    """Return the last lines of the log of a session that failed, for a person to read; none of any other."""
    if run.status not in ("failed", "killed") or not run.results_dir:
        return []
    return ["The last lines of its log:", *(f"   {line}" for line in last_lines(Path(run.results_dir) / LOG_NAME, 8))]


def joined(runs: Sequence[SectionRun]) -> SectionRun:
    """Return the sessions of one chain as one run: it begins as the first and ends as the last."""
    first, last = runs[0], runs[-1]
    warnings = tuple(dict.fromkeys(text for run in runs for text in run.warnings))
    return replace(
        last,
        steps_before=first.steps_before,
        resumed_from=first.resumed_from,
        warnings=warnings,
        sessions=len(runs),
    )
