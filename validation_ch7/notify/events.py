"""What is worth telling, decided from what a run or a fault says of itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from validation_ch7.errors import (
    CheckpointIncompatibleError,
    DetachedError,
    InterruptedRunError,
    RefusedError,
    ValidationError,
)
from validation_ch7.masking import masked_text
from validation_ch7.notify_config import EventKind
from validation_ch7.section_run import EXIT_CTRL_C, EXIT_INTERRUPTED, SectionRun

Facts = dict[str, str | int | float | None]
BEST_FILE = "best_model.zip"


@dataclass(frozen=True)
class Event:
    """One thing that happened, for a person and for a program."""

    kind: EventKind
    title: str
    body: str
    facts: Facts = field(default_factory=dict)

    @property
    def bad(self) -> bool:
        """Whether somebody has to act."""
        return self.kind in (EventKind.FAILURE, EventKind.INCOMPATIBLE, EventKind.QUOTA)

    def as_json(self) -> dict[str, object]:
        """Return what the plain webhook sends; ``text`` is what chat services show."""
        text = f"{self.title}\n{self.body}" if self.body else self.title
        told = {"event": self.kind.value, "title": self.title, "body": self.body, "text": text}
        return {**told, "facts": dict(self.facts)}


def event_of_run(run: SectionRun) -> Event | None:
    """Return what the end of a run is worth, or None where a person at the keyboard ended it."""
    if run.exit_code == EXIT_CTRL_C:
        return None
    body = _lines(f"steps {run.steps_before:,} -> {run.steps_after:,} of {run.target_steps:,}", _reward(run), run.error)
    if run.success or run.exit_code == EXIT_INTERRUPTED:
        return Event(EventKind.END, f"{run.scenario}: {run.status}", body, _facts(run))
    return Event(EventKind.FAILURE, f"{run.scenario}: {run.status}", body, _facts(run))


def events_of_session(run: SectionRun, best_reward: float | None, incompatible: Sequence[str] = ()) -> list[Event]:
    """Return what one session of a chain is worth telling besides its end.

    Args:
        best_reward: mean evaluation reward of the best model in the training tree.
        incompatible: why its checkpoints do not fit the present configuration.
    """
    events = []
    if BEST_FILE in run.restored_files:
        shown = "unknown" if best_reward is None else f"{best_reward:.3f}"
        title = f"{run.scenario}: new best model, reward {shown}"
        facts = _facts(run) | {"best_reward": best_reward}
        events.append(Event(EventKind.NEW_BEST, title, f"session {run.session_id}, step {run.steps_after:,}", facts))
    if incompatible:
        title = f"{run.scenario}: the session's checkpoints do not fit the configuration"
        events.append(Event(EventKind.INCOMPATIBLE, title, "\n".join(incompatible), _facts(run)))
    return events


def event_of_fault(fault: ValidationError) -> Event | None:
    """Return what a fault that ended a run is worth, or None where a person at the keyboard caused it."""
    if isinstance(fault, DetachedError):
        return None
    facts: Facts = {"error": type(fault).__name__, "exit_code": fault.exit_code}
    if isinstance(fault, RefusedError):
        facts["retry_at"] = fault.retry_at
    return Event(_kind(fault), fault.what, masked_text(str(fault).removeprefix(fault.what).lstrip("\n")), facts)


def _kind(fault: ValidationError) -> EventKind:
    if isinstance(fault, CheckpointIncompatibleError):
        return EventKind.INCOMPATIBLE
    if isinstance(fault, RefusedError):
        return EventKind.QUOTA
    return EventKind.END if isinstance(fault, InterruptedRunError) else EventKind.FAILURE


def trial_event() -> Event:
    """Return what ``notify test`` sends."""
    return Event(EventKind.TEST, "validation-ch7: this is a test", "Notifications arrive here.")


def _reward(run: SectionRun) -> str | None:
    return None if run.mean_reward is None else f"mean reward {run.mean_reward:.3f}"


def _lines(*parts: str | None) -> str:
    return "\n".join(part for part in parts if part)


def _facts(run: SectionRun) -> Facts:
    return {
        "scenario": run.scenario,
        "status": run.status,
        "backend": run.backend,
        "session_id": run.session_id,
        "kernel_slug": run.kernel_slug,
        "steps_before": run.steps_before,
        "steps_after": run.steps_after,
        "target_steps": run.target_steps,
        "mean_reward": run.mean_reward,
        "exactness": run.exactness,
        "exit_code": run.exit_code,
        "sessions": run.sessions,
        "error": run.error,
    }
