"""A whole session in small, before a long one: an error in the second scenario shows in seconds, not after hours."""

from __future__ import annotations

import io
import math
from dataclasses import replace
from pathlib import Path

from validation_ch7.config import SectionConfig
from validation_ch7.errors import SanityError
from validation_ch7.session import (
    PLAN_NAME,
    SessionPlan,
    SessionSummary,
    SummaryStatus,
    logs_tree,
    read_summary,
    write_document,
)
from validation_ch7.training.curve import PROGRESS_NAME, read_rows
from validation_ch7.training.run_session import run_session
from validation_ch7.training.surroundings import Surroundings

_LIMIT_S = 600.0
_ROLLOUTS = 2
"""On-policy algorithms learn after each; the others learn from the second step on."""


def shortened(config: SectionConfig) -> SectionConfig:
    """Return the configuration with one rollout of a few steps and one episode of evaluation, all else as it is."""
    given = dict(config.training.hyperparameters)
    if "n_steps" in given:
        batches = math.ceil(int(given.get("batch_size", 1)) / config.training.n_envs)
        given["n_steps"] = min(int(given["n_steps"]), max(2, batches))
    if "learning_starts" in given:
        given["learning_starts"] = config.training.n_envs
    training = config.training.model_copy(update={"hyperparameters": given})
    evaluation = config.evaluation.model_copy(update={"episodes": 1, "quick_episodes": 1})
    return config.model_copy(update={"training": training, "evaluation": evaluation})


def rehearse(config: SectionConfig, folder: Path, surroundings: Surroundings | None = None) -> dict[str, float]:
    """Take a configuration through a whole session of a few steps, to its tables, and return the metrics.

    The checks of :mod:`.sanity`, building, learning, checkpoint, evaluation, summary and table of progress.

    Args:
        config: what is to be trained.
        folder: where the session leaves its files; empty.
        surroundings: what the session meets; by default, a console that nobody sees.

    Raises:
        SanityError: one of them failed; the reason is that of the session.
    """
    small = shortened(config)
    steps = _ROLLOUTS * int(small.training.hyperparameters.get("n_steps", 2)) * small.training.n_envs
    plan = SessionPlan(
        session_id="rehearsal",
        section=small.section,
        scenario=small.scenario,
        config=small.plain(),
        stop_at=steps,
        target_steps=steps,
        limit_s=_LIMIT_S,
    )
    write_document(folder / PLAN_NAME, plan)
    (folder / "inputs").mkdir()
    around = surroundings or Surroundings(console=io.StringIO())
    around = replace(around, started=around.clock())  # this process may be old; the rehearsal is not
    run_session(folder / PLAN_NAME, folder / "inputs", folder, {}, around)
    outputs = folder / small.section
    summary = read_summary(outputs)
    rows = read_rows(logs_tree(outputs, small.scenario) / plan.session_id / PROGRESS_NAME)
    fault = _fault(summary, len(rows))
    if summary is None or fault:
        raise SanityError(
            "A rehearsal of a few steps failed; nothing was trained.",
            where=f"scenario {config.scenario}, algorithm {config.training.algorithm}",
            expected="a whole session, from the checks of the environment to the table of progress",
            found=fault,
            remedy="correct the configuration, then run the same command again",
        )
    return summary.metrics


def _fault(summary: SessionSummary | None, rows: int) -> str | None:
    """Return why a rehearsal did not come to its end, or None where it did."""
    if summary is None:
        return "the session left no summary"
    if summary.status is not SummaryStatus.COMPLETED:
        return summary.error or f"the session ended as {summary.status}"
    if "mean_delay_s" not in summary.metrics:
        return f"the evaluation measured no mean_delay_s, but {', '.join(sorted(summary.metrics)) or 'nothing'}"
    return None if rows else "the table of progress has no row"
