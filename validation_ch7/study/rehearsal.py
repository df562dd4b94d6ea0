"""Before a study: each of its algorithms in each of its scenarios goes the whole way in small, once."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

from validation_ch7.config import Overrides, load_section
from validation_ch7.study.spec import StudySpec
from validation_ch7.training.rehearsal import rehearse


def rehearse_study(spec: StudySpec, section: Path, say: Callable[[str], None]) -> None:
    """Take every kind of chain through a session of a few steps; seconds, before hours are spent on the first one.

    Raises:
        ConfigurationError: an algorithm or a scenario is not in the section's file.
        SanityError: one of them does not come to its tables, with the reason.
    """
    for scenario in spec.scenarios:
        for algorithm in spec.algorithms:
            config = load_section(section, Overrides(scenario=scenario, algorithm=algorithm))
            with tempfile.TemporaryDirectory(prefix="rehearsal_", ignore_cleanup_errors=True) as folder:
                metrics = rehearse(config, Path(folder))
            say(f"[STUDY] rehearsed {algorithm} in {scenario}: mean delay {metrics['mean_delay_s']:.1f} s untrained")
