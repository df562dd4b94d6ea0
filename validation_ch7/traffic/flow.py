"""Interior of the roads: two-class ARZ, relaxation integrated exactly, HLL fluxes, Euler update.

State of a cell: occupancies a = (a_m, a_c), the shares of lane area that motorbikes and cars fill [-], and
y = a w with w = v + p(r) [m/s], r = a_m + a_c (Aw & Rascle 2000; Zhang 2002). Pressures and equilibrium
speeds follow the creeping model after Fan & Work (2015): p_i = c_i r^2, c_i = Vmax_i / R_i^2,
V_i = Vmax_i (1 - r / R_i)+. Speeds are max(w - p, 0): where r exceeds what a class can pass, it stands.

The waves of a state lie in [min v_i - 2 r sum a_i c_i, max v_i] (coupled spectrum). HLL (Harten, Lax, van Leer
1983) takes the lower bound from both sides and the upper one from the right side: the fastest wave of an ARZ
Riemann problem is the contact, which moves with the speed on its right. So nothing diffuses backwards out of a
standing queue. Since lower <= v_i on the left, upper >= v_i on the right and lower <= 0 <= upper, densities stay
positive, and r <= 1, under the time step that the layout chooses.

The formulas of a cell and a face take scalars or vectors. Loops over slots, for second order, CUDA and the report, are
elementwise over separate arrays, so that LLVM vectorises them without reordering any operation: results do not depend
on the vector width. At first order the processor goes over the cells as :mod:`.lanes` says.
"""

from __future__ import annotations

from typing import Any

from validation_ch7.traffic.arrays import Array
from validation_ch7.traffic.compilation import inlined, loop
from validation_ch7.traffic.vectors import above, greatest, least

PRESENT = 1e-9
"""Occupancy from which a class is there; below it the class moves with the other one [-]."""


@inlined
def coefficients(physics: Array) -> Any:
    """Return what :func:`relaxed` needs of a time step and the classes, as twelve numbers.

    Args:
        physics: see :class:`~validation_ch7.traffic.arrays.Tables`.
    """
    c0, c1 = physics[1, 0], physics[1, 1]
    gain0, gain1 = physics[3, 0] * physics[0, 0], physics[3, 1] * physics[0, 1]
    return (
        *(c0, c1, c0 + c0, c1 + c1),
        *(physics[5, 1] - physics[3, 0], physics[5, 1] - physics[3, 1]),
        *(gain0, gain1, gain0 * physics[2, 0], gain1 * physics[2, 1]),
        *(physics[5, 0], physics[7, 0]),
    )


@inlined
def relaxed(p: Any, q: Any, w0: Any, w1: Any, numbers: Any) -> Any:
    """Relax the speeds of a cell over one time step, then find what its faces need.

    With z = w - p(r), the speed where it is positive, z(t) = V + (z - V) exp(-t / tau) where z >= 0, and z + (1 -
    exp(-t / tau)) V below. Scalars or vectors of four cells.

    Args:
        p: occupancy of motorbikes [-].
        q: occupancy of cars [-].
        w0: w of motorbikes [m/s].
        w1: w of cars [m/s].
        numbers: see :func:`coefficients`.

    Returns:
        a w of both classes [m/s], their speeds [m/s], lowest (<= 0) and highest (> 0) wave speed [m/s].
    """
    c0, c1, twice0, twice1, keep0, keep1, gain0, gain1, fall0, fall1, zero, present = numbers
    r = p + q
    rr = r * r
    pressure0, pressure1 = c0 * rr, c1 * rr
    z0, z1 = w0 - pressure0, w1 - pressure1
    z0 = least(z0, keep0 * z0) + greatest(gain0 - r * fall0, zero)
    z1 = least(z1, keep1 * z1) + greatest(gain1 - r * fall1, zero)
    u0, u1 = greatest(z0, zero), greatest(z1, zero)
    s0, s1 = above(p, present, u0, u1), above(q, present, u1, u0)
    low = least(least(s0, s1) - r * (twice0 * p + twice1 * q), zero)
    return p * (pressure0 + z0), q * (pressure1 + z1), s0, s1, low, greatest(greatest(s0, s1), present)


@inlined
def bounds(low_left: Any, low_right: Any, high_right: Any) -> Any:
    """Return the lower bound of the waves at a face, and the share of it by which the left side counts.

    Args:
        low_left: lowest wave speed on the left [m/s].
        low_right: on the right [m/s].
        high_right: highest wave speed on the right [m/s].
    """
    left = least(low_left, low_right)
    return left, high_right / (high_right - left)


@inlined
def sides(left: Any, weight: Any, right: Any, v_left: Any, v_right: Any, one: Any) -> Any:
    """Return by how much the left state flows in, and the right one out, at a face: the HLL flux of a class.

    Args:
        left: lower bound of the waves [m/s].
        weight: see :func:`bounds`.
        right: their upper bound [m/s].
        v_left: speed on the left [m/s].
        v_right: speed on the right [m/s].
        one: 1 of the same type.
    """
    return weight * (v_left - left), (weight - one) * (right - v_right)


@loop
def relax_and_wave(x: Array, v: Array, wave: Array, physics: Array) -> None:
    """Relax the speeds over one time step, then find speeds and wave bounds.

    Args:
        x: (4, slots) a_m, a_c [-], y_m, y_c [m/s]; y is updated.
        v: (2, slots) speeds [m/s], written.
        wave: (2, slots) lowest (<= 0) and highest (> 0) wave speed [m/s], written.
        physics: see :class:`~validation_ch7.traffic.arrays.Tables`.
    """
    tiny, vmax0, vmax1, numbers = physics[6, 0], physics[0, 0], physics[0, 1], coefficients(physics)
    a0, a1, y0, y1 = x[0], x[1], x[2], x[3]
    v0, v1, low, high = v[0], v[1], wave[0], wave[1]
    for j in range(a0.size):
        p, q = a0[j], a1[j]
        w0, w1 = least(y0[j] / greatest(p, tiny), vmax0), least(y1[j] / greatest(q, tiny), vmax1)
        y0[j], y1[j], v0[j], v1[j], low[j], high[j] = relaxed(p, q, w0, w1, numbers)


@loop
def hll_fluxes(x: Array, v: Array, wave: Array, flux: Array, physics: Array) -> None:
    """Write the HLL flux of x through the left face of every slot but the first.

    Args:
        x: (4, slots) state.
        v: (2, slots) speeds [m/s].
        wave: (2, slots) wave bounds [m/s].
        flux: (4, slots + 1) fluxes [m/s, m/s, m2/s2, m2/s2], written.
        physics: constants.
    """
    one = physics[5, 1]
    a0, a1, y0, y1 = x[0], x[1], x[2], x[3]
    v0, v1, low, high = v[0], v[1], wave[0], wave[1]
    f0, f1, f2, f3 = flux[0], flux[1], flux[2], flux[3]
    for j in range(1, a0.size):
        left, weight = bounds(low[j - 1], low[j], high[j])
        up, down = sides(left, weight, high[j], v0[j - 1], v0[j], one)
        f0[j] = up * a0[j - 1] + down * a0[j]
        f2[j] = up * y0[j - 1] + down * y0[j]
        up, down = sides(left, weight, high[j], v1[j - 1], v1[j], one)
        f1[j] = up * a1[j - 1] + down * a1[j]
        f3[j] = up * y1[j - 1] + down * y1[j]


@loop
def update(x: Array, flux: Array, rate: Array, physics: Array) -> None:
    """Add what flowed in and out over one time step; rounding below zero becomes zero.

    Args:
        x: (4, slots) state, updated.
        flux: (4, slots + 1) fluxes.
        rate: (slots,) time step over cell length [s/m]; 0 where there is no cell.
        physics: constants.
    """
    zero, tiny = physics[5, 0], physics[6, 0]
    for k in range(4):
        state, through = x[k], flux[k]
        for j in range(state.size):
            value = state[j] + rate[j] * (through[j] - through[j + 1])
            state[j] = value if value > tiny else zero


@loop
def find_speeds(x: Array, v: Array, physics: Array) -> None:
    """Write the speeds of both classes, without touching the state.

    Args:
        x: (4, slots) state.
        v: (2, slots) speeds [m/s], written; where a class is absent, those of free flow.
        physics: constants.
    """
    zero, tiny = physics[5, 0], physics[6, 0]
    a0, a1 = x[0], x[1]
    for k in range(2):
        vmax, c = physics[0, k], physics[1, k]
        a, y, speed = x[k], x[2 + k], v[k]
        for j in range(a.size):
            r = a0[j] + a1[j]
            w = min(y[j] / a[j], vmax) if a[j] > tiny else vmax
            speed[j] = max(w - c * (r * r), zero)


KERNELS: tuple[Any, ...] = (coefficients, relaxed, bounds, sides, relax_and_wave, hll_fluxes, update, find_speeds)
"""What compiled kernels inline from here."""
