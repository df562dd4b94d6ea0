"""Which checkpoint to keep, and why: one to use, one to train on; pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from validation_ch7.reporting.comparison.run import Candidate

_ORDER = {"exact": 2, "statistical": 1}


@dataclass(frozen=True)
class Advice:
    """What to keep.

    Attributes:
        use: the checkpoint with the best evaluation.
        use_reason: why that one, and how sure that is.
        resume: the checkpoint from which training goes on best.
        resume_reason: why that one.
    """

    use: Candidate | None
    use_reason: str
    resume: Candidate | None
    resume_reason: str


def advise(candidates: Sequence[Candidate]) -> Advice:
    """Return which of several checkpoints, of one run or of many, is worth keeping.

    A full evaluation outranks a short one; among equals the higher reward wins, then more steps. Training goes on
    from the run whose model is kept: from its newest checkpoint, the most exact first.
    """
    rated = sorted((item for item in candidates if _finite(item)), key=_rank, reverse=True)
    use = rated[0] if rated else None
    resumable = [item for item in candidates if not item.best]
    kin = [item for item in resumable if use is not None and item.run == use.run] or resumable
    resume = max(kin, key=lambda item: (_ORDER.get(item.exactness, 0), item.steps), default=None)
    return Advice(use, _why_used(rated), resume, _why_resumed(resume, use))


def _finite(item: Candidate) -> bool:
    return item.reward is not None and math.isfinite(item.reward)


def _rank(item: Candidate) -> tuple[bool, float, int, bool]:
    return (not item.provisional, item.reward or 0.0, item.steps, item.best)


def _why_used(rated: Sequence[Candidate]) -> str:
    if not rated:
        return "none was evaluated, so none can be called the best"
    first, *others = rated
    why = f"mean reward {first.reward:.2f} over {first.episodes or 'an unknown number of'} held-out episode(s)"
    if first.provisional:
        return f"{why}, the short evaluation of a quick session: evaluate it in full before you rely on it"
    rival = next((item for item in others if item.digest != first.digest and item.run != first.run), None)
    if rival is None:
        return f"{why}, the highest there is"
    if rival.provisional:
        return f"{why}; those of the other runs were evaluated only shortly, so the order may change"
    return f"{why}, {_lead(first, rival)}"


def _lead(first: Candidate, rival: Candidate) -> str:
    ahead = (first.reward or 0.0) - (rival.reward or 0.0)
    errors = [_standard_error(item) for item in (first, rival)]
    text = f"{ahead:.2f} above the best of {rival.run}"
    if None in errors:
        return text
    both = math.hypot(*(error or 0.0 for error in errors))
    doubt = "more than" if ahead > 2 * both else "NOT more than"
    return f"{text}, {doubt} twice the standard error of that difference ({both:.2f})"


def _standard_error(item: Candidate) -> float | None:
    return item.spread / math.sqrt(item.episodes - 1) if item.spread is not None and item.episodes > 1 else None


def _why_resumed(resume: Candidate | None, use: Candidate | None) -> str:
    if resume is None:
        return "there is no checkpoint with a whole training state"
    kin = "of the same run" if use is not None and use.run == resume.run else "that there is"
    return f"the newest {resume.exactness} checkpoint {kin}, at {resume.steps:,} steps"
