"""Riemann problems of one class with p = rho^2: the exact solution, and the scheme's own on a single road.

Exact (Aw & Rascle 2000): the middle state keeps w of the left and v of the right; a shock or fan of the first
family leads to it, a contact of speed v to the right state. Where v on the right exceeds w on the left, a
vacuum opens between them. Everything is in units of the jam density and the free speed.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from validation_ch7.traffic import flow, second_order
from validation_ch7.traffic.arrays import Array

Profile = NDArray[np.float64]
Edge = Literal["open", "periodic", "red"]
GHOSTS = 3
UNIT = np.array([[1.0] * 2, [1.0] * 2, [1.0] * 2, [0.0] * 2, [1.0] * 2, [0, 1], [1e-100, 2], [1e-9, 0], [0.5, 0]])
"""Constants of two equal classes with Vmax = R = 1 and no relaxation; read only."""
UNIT.setflags(write=False)


@dataclass(frozen=True)
class Problem:
    """A Riemann problem on [-1, 1]; densities and speeds as (rho, v).

    Attributes:
        name: what it shows.
        left: state for x < 0.
        right: state for x > 0; for a red light, the mirrored stop (rho*, 0).
        time: when the solution is compared.
    """

    name: str
    left: tuple[float, float]
    right: tuple[float, float]
    time: float


def red_light(density: float, speed: float, time: float) -> Problem:
    """Return the problem whose right half is the stopped queue that a red light makes of the left state.

    >>> problem = red_light(0.3, 0.6, 1.2)
    >>> rho = problem.right[0]
    >>> f"{rho:.4f} {0.3 * -0.6 / (rho - 0.3):.4f}"
    '0.8307 -0.3392'
    """
    return Problem("red light", (density, speed), (math.sqrt(speed + density**2), 0.0), time)


PROBLEMS = (
    Problem("shock + contact", (0.3, 0.6), (0.5, 0.2), 0.8),
    Problem("rarefaction + contact", (0.7, 0.2), (0.4, 0.6), 0.45),
    Problem("contact", (0.7, 0.2), (0.3, 0.2), 0.8),
    Problem("vacuum", (0.3, 0.1), (0.5, 0.6), 0.5),
)


def exact(problem: Problem, x: Profile) -> Profile:
    """Return the exact density at positions x and the problem's time.

    >>> exact(PROBLEMS[2], np.array([0.15, 0.17])).tolist()
    [0.7, 0.3]
    """
    (rho_l, v_l), (rho_r, v_r) = problem.left, problem.right
    w = v_l + rho_l**2
    speed = x / problem.time
    if v_r < v_l:
        middle = math.sqrt(w - v_r)
        shock = (middle * v_r - rho_l * v_l) / (middle - rho_l)
        return np.where(speed < shock, rho_l, np.where(speed < v_r, middle, rho_r))
    middle = math.sqrt(max(w - v_r, 0.0))
    fan = np.sqrt(np.clip(w - speed, 0.0, None) / 3.0)
    result = np.where(speed < v_l - 2 * rho_l**2, rho_l, np.maximum(np.minimum(fan, rho_l), middle))
    return np.asarray(np.where(speed < v_r, result, rho_r))


def average(function: Callable[[Profile], Profile], cells: int, points: int = 40) -> Profile:
    """Return a function's cell averages on [-1, 1], by the midpoint rule with ``points`` points a cell."""
    x = -1.0 + 2.0 * (np.arange(cells * points) + 0.5) / (cells * points)
    return np.asarray(function(x).reshape(cells, points).mean(axis=1))


@dataclass(frozen=True)
class Road:
    """A road on [-1, 1] solved with the kernel's own functions.

    Attributes:
        order: 1 or 2.
        cfl: dt times the greatest wave speed over dx.
        edges: what lies at both ends; ``red`` closes the right end and leaves the left open.
        share: share of the vehicles that belongs to the first of two equal classes.
    """

    order: int = 1
    cfl: float = 0.9
    edges: Edge = "open"
    share: float = 1.0

    def solve(self, density: Profile, speed: Profile, time: float) -> Profile:
        """Return the total density after a time, from cell averages of density and speed.

        Args:
            density: (cells,) occupancy at the start.
            speed: (cells,) speed at the start.
            time: duration.
        """
        cells = len(density)
        x = np.zeros((4, cells + 2 * GHOSTS))
        inner = slice(GHOSTS, -GHOSTS)
        w = speed + density**2
        x[0, inner], x[1, inner] = self.share * density, (1.0 - self.share) * density
        x[2:, inner] = x[:2, inner] * w
        dx, now = 2.0 / cells, 0.0
        while now < time * (1.0 - 1e-12):
            self._fill(x)
            step = min(self._step(x, dx), time - now)
            x = self._advance(x, step / dx)
            now += step
        return np.asarray(x[:2, inner].sum(axis=0))

    def _fill(self, x: Array) -> None:
        if self.edges == "periodic":
            x[:, :GHOSTS], x[:, -GHOSTS:] = x[:, -2 * GHOSTS : -GHOSTS], x[:, GHOSTS : 2 * GHOSTS]
        else:
            x[:, :GHOSTS], x[:, -GHOSTS:] = x[:, [GHOSTS]], x[:, [-GHOSTS - 1]]

    def _step(self, x: Array, dx: float) -> float:
        v, wave = np.zeros((2, x.shape[1])), np.zeros((2, x.shape[1]))
        flow.relax_and_wave(x, v, wave, UNIT)
        return self.cfl / self.order * dx / float(np.abs(wave).max())

    def _advance(self, x: Array, ratio: float) -> Array:
        if self.order == 1:
            return self._euler(x, ratio)
        after = self._euler(x, ratio)
        self._fill(after)
        return 0.5 * (x + self._euler(after, ratio))

    def _euler(self, x: Array, ratio: float) -> Array:
        x = x.copy()
        rate = np.full(x.shape[1], ratio)
        v, pair = np.zeros((2, x.shape[1])), np.zeros((2, x.shape[1]))
        flux = np.zeros((4, x.shape[1] + 1))
        if self.order == 1:
            flow.relax_and_wave(x, v, pair, UNIT)
            flow.hll_fluxes(x, v, pair, flux, UNIT)
        else:
            slope = np.zeros_like(x)
            second_order.find_slopes(x, pair, slope, rate, UNIT)
            second_order.muscl_fluxes(x, pair, slope, flux, UNIT)
        if self.edges == "red":
            flux[:, -GHOSTS - 1] = 0.0
        flow.update(x, flux, rate, UNIT)
        return x


def riemann_error(problem: Problem, cells: int, order: int = 1, share: float = 1.0) -> float:
    """Return the L1 error of the density at the problem's time.

    Args:
        problem: the problem; a red light is solved as such on the left half, with a wall at x = 0.
        cells: cells on [-1, 1].
        order: of the scheme.
        share: share of the first of two equal classes.
    """
    solution = average(lambda x: exact(problem, x), cells)
    x = -1.0 + (np.arange(cells) + 0.5) * 2.0 / cells
    states = [np.where(x < 0.0, problem.left[k], problem.right[k]) for k in range(2)]
    numerical = Road(order=order, share=share).solve(states[0], states[1], problem.time)
    return float(np.abs(numerical - solution).mean() * 2.0)


def red_light_error(problem: Problem, cells: int, order: int = 1) -> tuple[float, float, float]:
    """Return the errors of jam density, shock speed and mass when a road ends at a red light at x = 1.

    Args:
        problem: from :func:`red_light`.
        cells: cells on [-1, 1].
        order: of the scheme.
    """
    rho, v = problem.left
    numerical = Road(order=order, edges="red").solve(np.full(cells, rho), np.full(cells, v), problem.time)
    jam = problem.right[0]
    arrived = rho * v * problem.time
    stored = float((numerical - rho).sum() * 2.0 / cells)
    shock = -stored / (jam - rho) / problem.time
    return abs(float(numerical[-1]) - jam), abs(shock + rho * v / (jam - rho)), abs(stored - arrived)


def smooth_error(cells: int, order: int = 1) -> float:
    """Return the L1 error, on one period, of a density wave carried at constant speed.

    v = 0.4, rho = 0.5 + 0.1 sin 2 pi x on the period [-1, 1] at time 0.5; the exact solution is a translation.

    Args:
        cells: cells on a period of length 1, so that [-1, 1] has twice as many.
        order: of the scheme.
    """
    speed, time = 0.4, 0.5
    start, end = (
        average(lambda x, shift=shift: 0.5 + 0.1 * np.sin(2.0 * np.pi * (x - shift)), 2 * cells)  # type: ignore[misc]
        for shift in (0.0, speed * time)
    )
    numerical = Road(order=order, edges="periodic").solve(start, np.full(2 * cells, speed), time)
    return float(np.abs(numerical - end).mean())
