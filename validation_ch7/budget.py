"""How many steps a session may train: one pure function, asked by everyone."""

from __future__ import annotations


def remaining(target: int, done: int, session_limit: int | None) -> int:
    """Return the steps that the next session trains; ``target`` and ``done`` are cumulative.

    >>> remaining(100, 0, None), remaining(100, 60, 30), remaining(100, 90, 30)
    (100, 30, 10)
    >>> remaining(100, 100, 30), remaining(100, 6000, None)
    (0, 0)
    """
    left = max(0, target - done)
    return left if session_limit is None else min(left, session_limit)
