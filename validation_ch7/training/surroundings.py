"""What a session meets: clocks, console, environments and checkpoints."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TextIO

import psutil

from validation_ch7.environment_config import EnvironmentConfig
from validation_ch7.training.algorithms import MakeEnv, traffic_env
from validation_ch7.training.learner import CheckpointLearner, OpenLearner


def check_traffic(config: EnvironmentConfig) -> None:
    """Stop where an agent could learn nothing; see :mod:`.sanity`."""
    from validation_ch7.training.sanity import check_environment  # it brings numba, which not every caller needs

    check_environment(config)


@dataclass(frozen=True)
class Surroundings:
    """What a session meets; tests have their own."""

    clock: Callable[[], float] = time.monotonic
    """Seconds that never go back."""
    now: Callable[[], float] = time.time
    """Wall time [s since 1970, UTC]."""
    started: float | None = None
    """When the process started, in seconds of ``clock``; None asks the operating system."""
    make_env: MakeEnv = traffic_env
    check: Callable[[EnvironmentConfig], None] = check_traffic
    """Looks at the environment before anything is trained in it."""
    open_learner: OpenLearner = CheckpointLearner
    console: TextIO | None = None

    def start(self) -> float:
        """Return when the process started, in seconds of ``clock``."""
        if self.started is not None:
            return self.started
        return self.clock() - max(0.0, self.now() - psutil.Process().create_time())

    def timestamp(self) -> str:
        """Return the wall time as UTC, ISO 8601."""
        moment = datetime.fromtimestamp(self.now(), UTC)
        return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
