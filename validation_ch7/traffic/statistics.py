"""What one episode was like for its travellers, overall and by class."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from validation_ch7.traffic.simulator import Simulator

CLASSES = ("motorbike", "car")


def summarise(totals: NDArray[np.float64], simulator: Simulator, rows: Sequence[int]) -> list[dict[str, float]]:
    """Return the statistics of the episodes of some rows so far.

    Delay, travel time and stops are averages over all vehicles that arrived, those still on their way
    included with the time they have spent so far; ``residual_veh`` says how many these are.

    Args:
        totals: (rows, 7, 2) measures of each episode; see :data:`~validation_ch7.traffic.arrays.MEASURES`.
        simulator: the simulator, after the last step.
        rows: the rows of the batch.

    Returns:
        For each row: mean_delay_s, travel_time_s [s], queue_mean_veh, queue_max_veh, throughput_veh, residual_veh,
        arrived_veh [veh], stops_per_veh [-]; and each of them again with ``_motorbike`` and ``_car``.
    """
    residual = simulator.vehicles(list(rows))
    episodes = []
    for total, row, left in zip(totals, rows, residual, strict=True):
        steps = int(simulator.clock[row])
        arrived = simulator.arrivals[row, :steps].sum(axis=(0, 1), dtype=np.int64).astype(np.float64)
        columns = total.T.tolist()
        both = [motorbikes + cars for motorbikes, cars in zip(*columns, strict=True)]
        found = _entries(both, total[6, 0], arrived.sum(), left.sum(), steps, "")
        for k, name in enumerate(CLASSES):
            found |= _entries(columns[k], columns[k][5], arrived[k], left[k], steps, f"_{name}")
        episodes.append(found)
    return episodes


def _entries(
    totals: Sequence[float], queue_max: float, arrived: float, residual: float, steps: int, suffix: str
) -> dict[str, float]:
    each = 1.0 / max(float(arrived), 1.0)
    values = {
        "mean_delay_s": totals[0] * each,
        "travel_time_s": totals[1] * each,
        "queue_mean_veh": totals[2] / max(steps, 1),
        "queue_max_veh": float(queue_max),
        "throughput_veh": totals[4],
        "stops_per_veh": totals[3] * each,
        "residual_veh": float(residual),
        "arrived_veh": float(arrived),
    }
    return {name + suffix: value for name, value in values.items()}
