"""Tells every channel at once, waits for a bounded time, and turns whatever goes wrong into one warning.

A delivery runs in a thread of its own that dies with the process: a receiver that hangs, or a name that does
not resolve, costs the run at most ``patience_s`` and never its result.
"""

from __future__ import annotations

import dataclasses
import queue
import threading
import time
from collections.abc import Callable, Sequence
from typing import Protocol

from validation_ch7.console import harmless
from validation_ch7.errors import ValidationError
from validation_ch7.masking import masked_text
from validation_ch7.notify.events import Event, event_of_fault, event_of_run, events_of_session
from validation_ch7.notify_config import EventKind
from validation_ch7.section_run import SectionRun

PATIENCE_S = 20.0
"""Time that all deliveries of one event may take together [s]."""
TAG = "[NOTIFY]"


class Channel(Protocol):
    """A way to one receiver."""

    name: str
    """What may be shown of it; never its address."""

    def deliver(self, event: Event) -> str | None:
        """Hand over the event and return None, or why it could not be handed over."""
        ...


class Notifier:
    """Tells channels what happens in a run; never raises, never breaks a run.

    Args:
        channels: where to tell it.
        say: receives one line of text at a time.
        kinds: what is told; the rest is not.
        patience_s: time that all deliveries of one event may take together [s].
        faults: what is wrong already, such as an address that cannot be used.
    """

    def __init__(
        self,
        channels: Sequence[Channel] = (),
        say: Callable[[str], None] = lambda text: None,
        *,
        kinds: Sequence[EventKind] = tuple(EventKind),
        patience_s: float = PATIENCE_S,
        faults: Sequence[str] = (),
    ) -> None:
        self._channels = tuple(channels)
        self._say = say
        self._kinds = frozenset(kinds)
        self._patience_s = patience_s
        self._faults = tuple(faults)
        self.warnings: list[str] = []
        """Every different warning so far, each said once."""

    def following(self, run: Callable[[], SectionRun]) -> SectionRun:
        """Run ``run``, tell how it ended, and return its result with the warnings of deliveries added."""
        if self._faults:
            self._warn(self._faults)
        try:
            done = run()
        except ValidationError as fault:
            self.tell(event_of_fault(fault))
            raise
        self.tell(event_of_run(done))
        return dataclasses.replace(done, warnings=(*done.warnings, *self.warnings)) if self.warnings else done

    def session_over(self, run: SectionRun, best_reward: float | None, incompatible: Sequence[str]) -> None:
        """Tell what one session of a chain brought besides its end."""
        for event in events_of_session(run, best_reward, incompatible):
            self.tell(event)

    def tell(self, event: Event | None) -> None:
        """Tell one event to every channel, if it is of a kind that is told."""
        if event is None or event.kind not in self._kinds or not self._channels:
            return
        failures = [f"{name}: {reason}" for name, reason in self.deliver(event).items() if reason is not None]
        if failures:
            self._warn(failures)

    def deliver(self, event: Event) -> dict[str, str | None]:
        """Tell one event to every channel and return, by its name, None or why it did not arrive."""
        answers: queue.SimpleQueue[tuple[str, str | None]] = queue.SimpleQueue()
        outcome: dict[str, str | None] = {
            channel.name: f"no answer within {self._patience_s:.0f} s" for channel in self._channels
        }
        for channel in self._channels:
            threading.Thread(target=_deliver, args=(channel, event, answers), daemon=True).start()
        ends = time.monotonic() + self._patience_s
        for _ in self._channels:
            try:
                name, reason = answers.get(timeout=max(0.0, ends - time.monotonic()))
            except queue.Empty:
                break
            outcome[name] = reason
        return outcome

    def _warn(self, reasons: Sequence[str]) -> None:
        warning = harmless(f"{TAG} ✗ {len(reasons)} notification(s) did not go out: {'; '.join(reasons)}")
        if warning not in self.warnings:
            self.warnings.append(warning)
            self._say(warning)


def _deliver(channel: Channel, event: Event, answers: queue.SimpleQueue[tuple[str, str | None]]) -> None:
    try:
        reason = channel.deliver(event)
    except Exception as fault:  # noqa: BLE001  whatever a library raises, it must not end a training run
        reason = masked_text(type(fault).__name__)
    answers.put((channel.name, reason))
