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

Loops are elementwise over separate arrays, so that LLVM vectorises them without reordering any operation:
results do not depend on the vector width.
"""

from __future__ import annotations

from typing import Any

from validation_ch7.traffic.arrays import Array
from validation_ch7.traffic.compilation import loop

PRESENT = 1e-9
"""Occupancy from which a class is there; below it the class moves with the other one [-]."""


@loop
def relax_and_wave(x: Array, v: Array, wave: Array, physics: Array) -> None:
    """Relax the speeds over one time step, then find speeds and wave bounds.

    Args:
        x: (4, slots) a_m, a_c [-], y_m, y_c [m/s]; y is updated.
        v: (2, slots) speeds [m/s], written.
        wave: (2, slots) lowest (<= 0) and highest wave speed [m/s], written.
        physics: see :class:`~validation_ch7.traffic.arrays.Tables`.
    """
    vmax0, vmax1, c0, c1 = physics[0, 0], physics[0, 1], physics[1, 0], physics[1, 1]
    ijam0, ijam1, k0, k1 = physics[2, 0], physics[2, 1], physics[3, 0], physics[3, 1]
    zero, one, tiny, two = physics[5, 0], physics[5, 1], physics[6, 0], physics[6, 1]
    present = physics[7, 0]
    a0, a1, y0, y1 = x[0], x[1], x[2], x[3]
    v0, v1, low, high = v[0], v[1], wave[0], wave[1]
    for j in range(a0.size):
        p, q = a0[j], a1[j]
        r = p + q
        rr = r * r
        w0 = min(y0[j] / max(p, tiny), vmax0)
        w1 = min(y1[j] / max(q, tiny), vmax1)
        u0 = max(w0 - c0 * rr, zero)
        u1 = max(w1 - c1 * rr, zero)
        w0 = w0 + k0 * (vmax0 * max(one - r * ijam0, zero) - u0)
        w1 = w1 + k1 * (vmax1 * max(one - r * ijam1, zero) - u1)
        y0[j] = p * w0
        y1[j] = q * w1
        u0 = max(w0 - c0 * rr, zero)
        u1 = max(w1 - c1 * rr, zero)
        s0 = u0 if p > present else u1
        s1 = u1 if q > present else u0
        v0[j] = s0
        v1[j] = s1
        low[j] = min(min(s0, s1) - two * r * (c0 * p + c1 * q), zero)
        high[j] = max(s0, s1)


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
    one, tiny = physics[5, 1], physics[7, 0]
    a0, a1, y0, y1 = x[0], x[1], x[2], x[3]
    v0, v1, low, high = v[0], v[1], wave[0], wave[1]
    f0, f1, f2, f3 = flux[0], flux[1], flux[2], flux[3]
    for j in range(1, a0.size):
        left = min(low[j - 1], low[j])
        right = max(high[j], tiny)
        scale = one / (right - left)
        from_left = right * scale
        from_right = left * scale
        up = from_left * (v0[j - 1] - left)
        down = from_right * (right - v0[j])
        f0[j] = up * a0[j - 1] + down * a0[j]
        f2[j] = up * y0[j - 1] + down * y0[j]
        up = from_left * (v1[j - 1] - left)
        down = from_right * (right - v1[j])
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


KERNELS: tuple[Any, ...] = (relax_and_wave, hll_fluxes, update, find_speeds)
"""What the fused kernel inlines from here."""
