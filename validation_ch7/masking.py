"""Addresses, shown without what they may hide: user names, passwords, tokens in paths and queries."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^\s'\"<>]*")
_WEB = frozenset({"http", "https"})


def masked_address(address: str) -> str:
    """Return ``address`` with its scheme, and for the web its host, and nothing else.

    The host of any other scheme may itself be a token, as in ``tgram://token/chat``.

    >>> masked_address("https://me:pw@hooks.example.org:8443/T0/B0?key=1"), masked_address("tgram://token/chat")
    ('https://hooks.example.org/…', 'tgram://…')
    """
    scheme, marked, _ = address.partition("://")
    if not marked:
        return "…"
    return f"{scheme}://{_host(address)}…" if scheme.lower() in _WEB else f"{scheme}://…"


def _host(address: str) -> str:
    try:
        host = urlsplit(address).hostname
    except ValueError:
        host = None
    return f"{host}/" if host else ""


def masked_text(text: str) -> str:
    """Return ``text`` with every address in it masked.

    >>> masked_text("cannot reach https://example.org/secret now")
    'cannot reach https://example.org/… now'
    """
    return _ADDRESS.sub(lambda match: masked_address(match[0]), text)


def without_login(address: str) -> str:
    """Return a place in a storage without user name, password and query.

    >>> without_login("s3://key:secret@bucket/runs?x=1"), without_login("/data/runs")
    ('s3://bucket/runs', '/data/runs')
    """
    scheme, marked, rest = address.partition("://")
    if not marked:
        return address
    place, slash, path = rest.split("?")[0].split("#")[0].partition("/")
    return f"{scheme}://{place.rpartition('@')[2]}{slash}{path}"
