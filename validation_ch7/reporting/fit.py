"""Whether the next run can resume from a checkpoint, as far as the configuration says what that run would build."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from validation_ch7.checkpoints.compatibility import CompatibilityReport, report
from validation_ch7.checkpoints.manifest import Manifest
from validation_ch7.config import SectionConfig
from validation_ch7.errors import ConfigurationError
from validation_ch7.training.facts import current_facts


@dataclass(frozen=True)
class Fit:
    """A checkpoint against the present configuration.

    Attributes:
        algorithm: the algorithm that the run must be told with ``--algorithm``, or None for the configured one.
    """

    report: CompatibilityReport
    algorithm: str | None


def find_fit(manifest: Manifest, config: Callable[[str | None], SectionConfig]) -> Fit:
    """Return how ``manifest`` fits what ``config`` gives for its algorithm; a model is built for that.

    Args:
        config: the configuration with an algorithm by name, or with the configured one for None.

    Raises:
        ConfigurationError: no model can be built from the configuration.
    """
    configured = config(None)
    trained = manifest.compatibility.algorithm.lower()
    if trained != configured.training.algorithm:
        try:
            return Fit(report(manifest, current_facts(config(trained))), trained)
        except ConfigurationError:
            pass  # not among the configured algorithms: the difference itself says so
    return Fit(report(manifest, current_facts(configured)), None)
