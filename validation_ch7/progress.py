"""How far a training is, as a line of a log and back: sessions write such lines, whoever watches reads them."""

from __future__ import annotations

import re
from dataclasses import dataclass

_LINE = re.compile(
    r"\[TRAINING\] ([\d,]+) / ([\d,]+) steps(?:  ([\d,]+) steps/s)?(?:  reward (-?[\d.]+|nan))?", re.ASCII
)


@dataclass(frozen=True)
class Standing:
    """One moment of the training."""

    steps: int
    """Cumulative steps."""
    target: int
    """Cumulative steps at which this session ends."""
    rate: float | None = None
    """Environment steps per second, or None before it is known."""
    reward: float | None = None
    """Mean return of the latest training episodes."""


def progress_line(standing: Standing) -> str:
    """Return the standing as a line of a log.

    >>> progress_line(Standing(8192, 200_000, 1234.4, -12.34))
    '[TRAINING] 8,192 / 200,000 steps  1,234 steps/s  reward -12.3'
    """
    rate = "" if standing.rate is None else f"  {standing.rate:,.0f} steps/s"
    reward = "" if standing.reward is None else f"  reward {standing.reward:.1f}"
    return f"[TRAINING] {standing.steps:,} / {standing.target:,} steps{rate}{reward}"


def read_progress(line: str) -> Standing | None:
    """Return the standing that a line of a log tells, or None where it tells none.

    >>> read_progress("[TRAINING] 8,192 / 200,000 steps  1,234 steps/s  reward -12.3")
    Standing(steps=8192, target=200000, rate=1234.0, reward=-12.3)
    >>> read_progress("[TRAINING] 16 / 32 steps"), read_progress("[TRAINING] soon")
    (Standing(steps=16, target=32, rate=None, reward=None), None)
    """
    match = _LINE.search(line)
    if match is None:
        return None
    steps, target, rate, reward = match.groups()
    return Standing(_count(steps), _count(target), _number(rate), _number(reward))


def _count(text: str) -> int:
    return int(text.replace(",", "") or 0)


def _number(text: str | None) -> float | None:
    try:
        return None if text is None else float(text.replace(",", ""))
    except ValueError:
        return None
