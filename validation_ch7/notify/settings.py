"""Where notifications go: ``VALIDATION_NOTIFY``, or the key ``notify`` of the section's file."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from urllib.parse import urlsplit

from validation_ch7.errors import ConfigurationError
from validation_ch7.masking import masked_address
from validation_ch7.notify.notifier import Channel, Notifier
from validation_ch7.notify.service import Service
from validation_ch7.notify.webhook import Webhook
from validation_ch7.notify_config import NotifyConfig

VARIABLE = "VALIDATION_NOTIFY"
_BETWEEN = re.compile(r"[,\s]+(?=[A-Za-z][A-Za-z0-9+.-]*://)")


def split_addresses(text: str) -> list[str]:
    """Return the addresses in ``text``; a comma within an address does not end it.

    >>> split_addresses(" https://a.example/x?to=b,c, json://d ")
    ['https://a.example/x?to=b,c', 'json://d']
    """
    return [part.strip(" \t\r\n,") for part in _BETWEEN.split(text.strip()) if part.strip(" \t\r\n,")]


def addresses(environ: Mapping[str, str], config: NotifyConfig) -> list[str]:
    """Return where to send notifications: what the environment says, else what the file refers to.

    >>> addresses({"HOOK": "http://a"}, NotifyConfig(urls=("${HOOK}",)))
    ['http://a']
    """
    if VARIABLE in environ:
        return split_addresses(environ[VARIABLE])
    return [address for name in config.urls for address in split_addresses(environ.get(name[2:-1], ""))]


def open_channels(found: Sequence[str]) -> tuple[list[Channel], list[str]]:
    """Return a channel for each address, and one line for each that cannot be used."""
    channels: list[Channel] = []
    faults = []
    for number, address in enumerate(found, 1):
        name = f"#{number} {masked_address(address)}"
        try:
            channels.append(_open(name, address))
        except ConfigurationError as fault:
            faults.append(" ".join(f"{name}: {fault.what} {fault.remedy or ''}".split()))
    return channels, faults


def _open(name: str, address: str) -> Channel:
    scheme = address.partition("://")[0].lower()
    if scheme not in ("http", "https"):
        return Service(name, address)
    try:
        usable = urlsplit(address).hostname is not None and urlsplit(address).port != 0
    except ValueError:
        usable = False
    if not usable:
        raise ConfigurationError("The address has no usable host.", where=name, remedy=f"correct it in {VARIABLE}")
    return Webhook(name, address)


def make_notifier(environ: Mapping[str, str], config: NotifyConfig, say: Callable[[str], None]) -> Notifier:
    """Return the notifier that environment and file ask for; without an address it tells nobody."""
    channels, faults = open_channels(addresses(environ, config))
    unset = [f"{name} is not set" for name in config.urls if VARIABLE not in environ and not environ.get(name[2:-1])]
    return Notifier(channels, say, kinds=config.events, faults=[*faults, *unset])
