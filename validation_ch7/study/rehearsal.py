"""Before any training of a study: each algorithm in each scenario goes the whole way in small, once."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from validation_ch7.config import SectionConfig
from validation_ch7.study.chain import ChainTask
from validation_ch7.training.rehearsal import rehearse

Rehearse = Callable[[SectionConfig, Path], dict[str, float]]


def rehearse_chains(tasks: Sequence[ChainTask], say: Callable[[str], None], run: Rehearse = rehearse) -> None:
    """Take every kind of chain through a session of a few steps: a fault in the last one shows in seconds, not days.

    Args:
        tasks: chains that nobody has begun; of those that differ in the seed alone, the first is taken.
        say: receives one line for each.
        run: rehearses one configuration, in an empty folder.

    Raises:
        SanityError: one of them does not come to its tables, with the reason.
    """
    kinds = {(task.scenario, task.algorithm): task for task in reversed(tasks)}
    for (scenario, algorithm), task in reversed(kinds.items()):
        with tempfile.TemporaryDirectory(prefix="rehearsal_", ignore_cleanup_errors=True) as folder:
            metrics = run(task.config(), Path(folder))
        say(f"[STUDY] rehearsed {algorithm} in {scenario}: mean delay {metrics['mean_delay_s']:.1f} s untrained")
