"""Second order in space: MUSCL with the monotonised-central limiter (van Leer 1977) on occupancies and w.

Slopes of w are limited to its neighbours' range, so that w stays below Vmax at the faces; slopes of a keep it
positive there, and the total occupancy below 1 (Zhang & Shu 2010). Cells at the ends of a road are taken as
constant. In time the kernel uses SSP-RK2 (Shu & Osher 1988) between two half steps of the relaxation (Strang
1968). Formal order holds where the solution is smooth; at shocks and contacts no such scheme reaches it.
"""

from __future__ import annotations

from typing import Any

from validation_ch7.traffic.arrays import Array
from validation_ch7.traffic.compilation import inlined, loop


@inlined
def limited(below: float, here: float, above: float) -> float:
    """Return the monotonised-central slope across a cell, from three neighbouring averages.

    >>> limited(0.0, 1.0, 2.0), limited(0.0, 1.0, 0.0), limited(0.0, 0.1, 2.0)
    (1.0, 0.0, 0.2)
    """
    back, forth = here - below, above - here
    if back * forth <= 0.0:
        return 0.0
    middle = 0.5 * (above - below)
    if middle > 0.0:
        return min(middle, 2.0 * min(back, forth))
    return max(middle, 2.0 * max(back, forth))


@loop
def find_slopes(x: Array, w: Array, slope: Array, rate: Array, physics: Array) -> None:
    """Write w and the limited slopes of occupancies and w in every cell.

    Args:
        x: (4, slots) state.
        w: (2, slots) w of both classes [m/s], written.
        slope: (4, slots) differences across each cell of a_m, a_c, w_m, w_c, written; 0 at road ends.
        rate: (slots,) time step over cell length; 0 where there is no cell.
        physics: constants.
    """
    tiny = physics[6, 0]
    for k in range(2):
        for j in range(rate.size):
            w[k, j] = min(x[2 + k, j] / x[k, j], physics[0, k]) if x[k, j] > tiny else physics[0, k]
    slope[:] = 0.0
    for j in range(1, rate.size - 1):
        if rate[j - 1] > 0.0 and rate[j] > 0.0 and rate[j + 1] > 0.0:
            for k in range(2):
                slope[k, j] = limited(x[k, j - 1], x[k, j], x[k, j + 1])
                slope[2 + k, j] = limited(w[k, j - 1], w[k, j], w[k, j + 1])
            room = max(1.0 - x[0, j] - x[1, j], 0.0)
            rise = 0.5 * abs(slope[0, j] + slope[1, j])
            if rise > room:
                slope[0, j] *= room / rise
                slope[1, j] *= room / rise


@inlined
def speeds_at(a0: float, a1: float, w0: float, w1: float, physics: Array) -> tuple[float, float, float]:
    """Return both speeds and the lower wave bound of one state [m/s].

    Args:
        a0: occupancy of motorbikes [-].
        a1: occupancy of cars [-].
        w0: w of motorbikes [m/s].
        w1: w of cars [m/s].
        physics: constants.
    """
    r = a0 + a1
    u0 = max(w0 - physics[1, 0] * r * r, 0.0)
    u1 = max(w1 - physics[1, 1] * r * r, 0.0)
    v0 = u0 if a0 > physics[7, 0] else u1
    v1 = u1 if a1 > physics[7, 0] else u0
    return v0, v1, min(min(v0, v1) - 2.0 * r * (physics[1, 0] * a0 + physics[1, 1] * a1), 0.0)


@loop
def muscl_fluxes(x: Array, w: Array, slope: Array, flux: Array, physics: Array) -> None:
    """Write the HLL flux between the reconstructed states on both sides of every face but the first.

    Args:
        x: (4, slots) state.
        w: (2, slots) w of both classes [m/s].
        slope: (4, slots) from :func:`find_slopes`.
        flux: (4, slots + 1) fluxes, written.
        physics: constants.
    """
    for j in range(1, x.shape[1]):
        i = j - 1
        a0, a1 = x[0, i] + 0.5 * slope[0, i], x[1, i] + 0.5 * slope[1, i]
        w0, w1 = w[0, i] + 0.5 * slope[2, i], w[1, i] + 0.5 * slope[3, i]
        b0, b1 = x[0, j] - 0.5 * slope[0, j], x[1, j] - 0.5 * slope[1, j]
        z0, z1 = w[0, j] - 0.5 * slope[2, j], w[1, j] - 0.5 * slope[3, j]
        v0, v1, low = speeds_at(a0, a1, w0, w1, physics)
        u0, u1, other = speeds_at(b0, b1, z0, z1, physics)
        left = min(low, other)
        right = max(max(u0, u1), physics[7, 0])
        up, down = right / (right - left), left / (right - left)
        flux[0, j] = up * (v0 - left) * a0 + down * (right - u0) * b0
        flux[1, j] = up * (v1 - left) * a1 + down * (right - u1) * b1
        flux[2, j] = up * (v0 - left) * a0 * w0 + down * (right - u0) * b0 * z0
        flux[3, j] = up * (v1 - left) * a1 * w1 + down * (right - u1) * b1 * z1


KERNELS: tuple[Any, ...] = (limited, find_slopes, speeds_at, muscl_fluxes)
"""What the fused kernel inlines from here."""
