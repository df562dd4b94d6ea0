"""Lines for people, on consoles of any kind: what a console cannot print is replaced, never an exception."""

from __future__ import annotations

import sys
from typing import TextIO

_PLAIN = {
    "✓": "OK",
    "✗": "x",
    "✅": "[OK]",
    "⚠️": "[!]",
    "⚠": "[!]",
    "❌": "[X]",
    "⏸": "[-]",
    "…": "...",
    "→": "->",
    "—": "-",
    "–": "-",
    "·": "-",
    "×": "x",
    "≥": ">=",
    "≤": "<=",
    "\ufe0f": "",
}


def printable(text: str, encoding: str | None) -> str:
    """Return ``text`` with every sign replaced that ``encoding`` does not have.

    >>> printable("✅ done → next…", "ascii")
    '[OK] done -> next...'
    >>> printable("✅ done", "utf-8")
    '✅ done'
    """
    try:
        text.encode(encoding or "ascii")
        return text
    except (UnicodeEncodeError, LookupError):
        for sign, plain in _PLAIN.items():
            text = text.replace(sign, plain)
        known = encoding if encoding and _exists(encoding) else "ascii"
        return text.encode(known, errors="replace").decode(known)


def harmless(text: str) -> str:
    """Return ``text`` with every sign replaced that steers a terminal or turns the writing direction.

    >>> harmless("a\\x1b[2Jb\\u202ec"), harmless("two\\nlines")
    ('a?[2Jb?c', 'two\\nlines')
    """
    return "".join(sign if sign.isprintable() or sign in "\n\ufe0f" else "?" for sign in text)


def _exists(encoding: str) -> bool:
    try:
        "".encode(encoding)
    except LookupError:
        return False
    return True


class Console:
    """Writes whole lines to a stream at once.

    Args:
        stream: where to write; default: standard output as it is at that moment.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream
        self._gone = False

    def say(self, text: str = "") -> None:
        """Write one line; a closed pipe ends the output, not the run."""
        stream = self._stream or sys.stdout
        if self._gone:
            return
        try:
            stream.write(printable(text, getattr(stream, "encoding", None)) + "\n")
            stream.flush()
        except (BrokenPipeError, ValueError):
            self._gone = True
