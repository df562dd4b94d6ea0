"""What a checkpoint must agree with: facts of the model that a configuration describes."""

from __future__ import annotations

from validation_ch7.checkpoints.compatibility import describe_model
from validation_ch7.checkpoints.manifest import Compatibility
from validation_ch7.config import SectionConfig
from validation_ch7.training.algorithms import build_training


def current_facts(config: SectionConfig) -> Compatibility:
    """Return the facts of the model that ``config`` describes; it is built for that, and thrown away.

    Raises:
        ConfigurationError: no model can be built from it.
    """
    model = build_training(config)
    try:
        return describe_model(model, config.environment_facts())
    finally:
        if model.env is not None:
            model.env.close()
