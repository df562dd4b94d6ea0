"""Who is told what happened: a plain webhook, or any service that Apprise knows."""

from validation_ch7.notify.events import Event, event_of_fault, event_of_run, events_of_session, trial_event
from validation_ch7.notify.notifier import Channel, Notifier
from validation_ch7.notify.settings import addresses, make_notifier, open_channels

__all__ = [
    "Channel",
    "Event",
    "Notifier",
    "addresses",
    "event_of_fault",
    "event_of_run",
    "events_of_session",
    "make_notifier",
    "open_channels",
    "trial_event",
]
