"""Where a batch is simulated."""

from __future__ import annotations

from validation_ch7.environment_config import EnvironmentConfig
from validation_ch7.traffic.simulator import Simulator


def make_simulator(config: EnvironmentConfig, size: int) -> Simulator:
    """Return a batch on the device that the configuration names.

    Args:
        config: the configuration; ``solver.device`` decides.
        size: number of environments.

    Raises:
        ConfigurationError: there is no such device here.
    """
    if config.solver.device == "cuda":
        from validation_ch7.traffic.cuda import CudaSimulator

        return CudaSimulator(config, size)
    return Simulator(config, size)
