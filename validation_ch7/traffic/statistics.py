"""What one episode was like for its travellers, overall and by class."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from validation_ch7.traffic.simulator import Simulator

CLASSES = ("motorbike", "car")


def summarise(totals: NDArray[np.float64], simulator: Simulator, row: int) -> dict[str, float]:
    """Return the statistics of one row's episode so far.

    Delay, travel time and stops are averages over all vehicles that arrived, those still on their way
    included with the time they have spent so far; ``residual_veh`` says how many these are.

    Args:
        totals: (7, 2) measures of the episode; see :data:`~validation_ch7.traffic.arrays.MEASURES`.
        simulator: the simulator, after the last step.
        row: the row of the batch.

    Returns:
        mean_delay_s, travel_time_s [s], queue_mean_veh, queue_max_veh, throughput_veh, residual_veh,
        arrived_veh [veh], stops_per_veh [-]; and each of them again with ``_motorbike`` and ``_car``.
    """
    steps = int(simulator.clock[row])
    arrived = simulator.arrivals[row, :steps].sum(axis=(0, 1), dtype=np.float64)
    residual = simulator.vehicles(slice(row, row + 1))[0]
    result = _entries(totals.sum(axis=1), float(totals[6, 0]), float(arrived.sum()), float(residual.sum()), steps, "")
    for k, name in enumerate(CLASSES):
        column = totals[:, k]
        result |= _entries(column, float(column[5]), float(arrived[k]), float(residual[k]), steps, f"_{name}")
    return result


def _entries(
    totals: NDArray[np.float64], queue_max: float, arrived: float, residual: float, steps: int, suffix: str
) -> dict[str, float]:
    each = 1.0 / max(arrived, 1.0)
    values = {
        "mean_delay_s": float(totals[0]) * each,
        "travel_time_s": float(totals[1]) * each,
        "queue_mean_veh": float(totals[2]) / max(steps, 1),
        "queue_max_veh": queue_max,
        "throughput_veh": float(totals[4]),
        "stops_per_veh": float(totals[3]) * each,
        "residual_veh": residual,
        "arrived_veh": arrived,
    }
    return {name + suffix: value for name, value in values.items()}
