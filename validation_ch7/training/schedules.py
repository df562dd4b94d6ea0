"""Numbers and schedules as configuration files spell them.

PyYAML reads ``7e-4`` as text (YAML 1.1 wants a dot), and RL Zoo writes a linear schedule as ``lin_3e-4``.
The schedule is Stable-Baselines3's own class, so that a saved model opens without this package.
"""

from __future__ import annotations

import math
from typing import Any

from stable_baselines3.common.utils import LinearSchedule

SCHEDULE_PREFIX = "lin_"


def spelled_number(value: Any) -> Any:
    """Return the number that a text spells, and everything else unchanged.

    >>> spelled_number("7e-4"), spelled_number("64"), spelled_number("auto"), spelled_number(0.5)
    (0.0007, 64, 'auto', 0.5)
    """
    if not isinstance(value, str):
        return value
    for kind in (int, float):
        try:
            number = kind(value)
        except ValueError:
            continue
        return number if math.isfinite(number) else value
    return value


def is_schedule(value: Any) -> bool:
    """Whether the value is written as a schedule.

    >>> is_schedule("lin_3e-4"), is_schedule("3e-4")
    (True, False)
    """
    return isinstance(value, str) and value.startswith(SCHEDULE_PREFIX)


def linear_schedule(text: str) -> LinearSchedule:
    """Return the schedule that falls from the number in ``text`` to zero at the target of the chain.

    Raises:
        ValueError: there is no finite, positive number after ``lin_``.

    >>> linear_schedule("lin_3e-4")(0.5)
    0.00015
    """
    start = float(text.removeprefix(SCHEDULE_PREFIX))
    if not (math.isfinite(start) and start > 0):
        raise ValueError(f"{text} does not start above zero")
    return LinearSchedule(start, 0.0, 1.0)
