"""What one episode was like for its travellers, overall and by class."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from validation_ch7.traffic.arrays import Floats
from validation_ch7.traffic.simulator import Simulator

CLASSES = ("motorbike", "car")
NAMES = (
    "mean_delay_s", "travel_time_s", "queue_mean_veh", "queue_max_veh",
    "throughput_veh", "stops_per_veh", "residual_veh", "arrived_veh",
)  # fmt: skip
_ALL_NAMES = [name + suffix for suffix in ("", *(f"_{kind}" for kind in CLASSES)) for name in NAMES]


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
    chosen = list(rows)
    steps = simulator.clock[chosen]
    begun = (np.arange(simulator.arrivals.shape[1]) < steps[:, None]).astype(np.float64)
    arrivals = simulator.arrivals[chosen].reshape(*begun.shape, -1).astype(np.float64)
    # Whole numbers: exact in any order.
    arrived = _with_overall((begun[:, None] @ arrivals).reshape(len(chosen), -1, len(CLASSES)).sum(axis=1))
    residual = _with_overall(simulator.vehicles(chosen))
    amounts = _with_overall(totals)
    each = 1.0 / np.maximum(arrived, 1.0)
    table = np.empty((len(chosen), 1 + len(CLASSES), len(NAMES)))
    table[:, :, 0] = amounts[:, 0] * each
    table[:, :, 1] = amounts[:, 1] * each
    table[:, :, 2] = amounts[:, 2] / np.maximum(steps, 1)[:, None]
    table[:, 0, 3], table[:, 1:, 3] = totals[:, 6, 0], totals[:, 5]
    table[:, :, 4] = amounts[:, 4]
    table[:, :, 5] = amounts[:, 3] * each
    table[:, :, 6] = residual
    table[:, :, 7] = arrived
    return [dict(zip(_ALL_NAMES, row, strict=True)) for row in table.reshape(len(chosen), -1).tolist()]


def _with_overall(amounts: Floats) -> Floats:
    """Return amounts (..., 2) by class with both together before them, (..., 3)."""
    found = np.empty((*amounts.shape[:-1], 3))
    found[..., 0] = amounts[..., 0] + amounts[..., 1]
    found[..., 1:] = amounts
    return found
