"""Who is told of what: the key ``notify`` of ``section.yml``, which names addresses and never holds them."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from validation_ch7.schema import Document

Reference = Annotated[str, Field(pattern=r"^\$\{[A-Za-z_][A-Za-z0-9_]*\}$")]


class EventKind(StrEnum):
    """What can happen that somebody may want to know of."""

    END = "end"
    """A run has ended well, or was stopped and can go on."""
    FAILURE = "failure"
    INCOMPATIBLE = "incompatible"
    """A checkpoint does not fit the present configuration."""
    QUOTA = "quota"
    """The backend refuses sessions for now."""
    NEW_BEST = "new_best"
    TEST = "test"


class NotifyConfig(Document):
    """Who is told of what.

    The file travels into sessions with the code, and an address often is a password: so the file names the
    environment variable that holds it.
    """

    urls: tuple[Reference, ...] = ()
    """Environment variables that hold addresses: ``${TEAM_HOOK}``."""
    events: tuple[EventKind, ...] = tuple(EventKind)
