"""Whether a traffic state is one that roads can have.

Compiled, since whoever searches over copies of an environment puts back thousands of states.
"""

from __future__ import annotations

from typing import Any

from validation_ch7.traffic.arrays import Array
from validation_ch7.traffic.compilation import fused

ROUNDING = 1e-5
"""How far above 1 rounding takes a full lane, in the least precise type [-]."""
FASTEST, MOST = 1e3, 1e9
"""Greatest w [m/s] and greatest number of vehicles outside [veh] that anybody could mean."""
FAULTS = (
    ("x (occupancies [-])", "each at least 0, both together at most 1"),
    ("x (occupancy times w [m/s])", f"0 to {FASTEST:g}"),
    ("queue (vehicles outside [veh])", f"0 to {MOST:g}"),
    ("signal (phase)", "phases of the configuration"),
    ("clock (decisions)", "0 to the decisions of an episode"),
)
"""What is wrong, by the number that :func:`find_impossible` writes less one: where, and what is expected."""


def _find_impossible(x: Array, queue: Array, signal: Array, clock: Array, limits: Array, found: Array) -> None:
    found[0] = 0
    full, fastest, most = 1.0 + ROUNDING, FASTEST, MOST
    for b in range(x.shape[0]):
        for j in range(x.shape[2]):  # comparisons with NaN are false, so that it is found as well
            p, q = x[b, 0, j], x[b, 1, j]
            if not (p >= 0.0 and q >= 0.0 and p + q <= full):
                found[0] = 1
            if not (0.0 <= x[b, 2, j] <= fastest and 0.0 <= x[b, 3, j] <= fastest):
                found[0] = 2
        for j in range(queue.shape[1]):
            if not (0.0 <= queue[b, j, 0] <= most and 0.0 <= queue[b, j, 1] <= most):
                found[0] = 3
        for j in range(signal.shape[1]):
            if not (0 <= signal[b, j, 0] < limits[0] and 0 <= signal[b, j, 1] < limits[0]):
                found[0] = 4
        if not 0 <= clock[b] <= limits[1]:
            found[0] = 5


find_impossible: Any = fused(_find_impossible)
"""Write into ``found[0]`` what is wrong with a state, or 0.

Args:
    x, queue, signal, clock: as in :class:`~validation_ch7.traffic.Simulator`.
    limits: (2,) number of phases, decisions in an episode.
    found: (1,) written.
"""
