"""Texts as a page may show them: no secret, no sign that steers, no path of this machine without need."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from validation_ch7.console import harmless
from validation_ch7.masking import masked_text
from validation_ch7.reporting.curves import Curve

T = TypeVar("T")
_LONG = 4_000


def cleaned(view: T, workspace: Path) -> T:
    """Return ``view`` with every text in it made fit to be shown."""
    home = str(Path.home())
    places = [(str(workspace.resolve()), "."), (str(workspace), "."), (home, "~")]
    return _clean(view, lambda text: shown(text, places))  # type: ignore[no-any-return]


def shown(text: str, places: list[tuple[str, str]]) -> str:
    """Return a text as a page may show it.

    >>> shown("/home/me/ws/a.zip at https://me:pw@x.org/t\\x1b[2J", [("/home/me/ws", "."), ("/home/me", "~")])
    './a.zip at https://x.org/…'
    """
    for place, short in places:
        if len(place) > 3:
            text = text.replace(place, short)
    return harmless(masked_text(text[:_LONG]))


def _clean(value: Any, clean: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return clean(value) if type(value) is str else value
    if isinstance(value, tuple):
        return tuple(_clean(item, clean) for item in value)
    if is_dataclass(value) and not isinstance(value, (type, Curve)):
        return replace(value, **{item.name: _clean(getattr(value, item.name), clean) for item in fields(value)})
    return value
