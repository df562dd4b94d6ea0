"""Everything else than a plain webhook, through Apprise: chat, mail, telephones, some 170 services."""

from __future__ import annotations

import logging
from typing import Any

from validation_ch7.errors import ConfigurationError
from validation_ch7.extras import load_extra
from validation_ch7.notify.events import Event

EXTRA = "notify"


class Service:
    """A receiver that Apprise knows by the scheme of its address, such as ``mailto://`` or ``ntfy://``.

    Args:
        name: what may be shown of it.
        address: in Apprise's notation; never shown.

    Raises:
        ConfigurationError: Apprise is not installed, or knows no such address.
    """

    def __init__(self, name: str, address: str) -> None:
        self.name = name
        apprise: Any = load_extra("apprise", EXTRA, "for notifications other than http:// and https://")
        logger = logging.getLogger("apprise")  # what it logs may quote the address
        logger.propagate = False
        if not logger.handlers:
            logger.addHandler(logging.NullHandler())
        self._service: Any = apprise.Apprise()
        self._kinds = {True: apprise.NotifyType.FAILURE, False: apprise.NotifyType.INFO}
        if not self._service.add(address):
            raise ConfigurationError(
                "An address for notifications cannot be used.",
                where=name,
                expected="an http(s) address, or one in the notation of Apprise",
                remedy="compare it with https://appriseit.com/services/",
            )

    def deliver(self, event: Event) -> str | None:
        """Hand over the event and return None, or why it could not be handed over."""
        arrived = self._service.notify(
            title=event.title, body=event.body or event.title, notify_type=self._kinds[event.bad]
        )
        return None if arrived else "the service did not take it"
