"""The traffic model's validation report: table, figures and JSON from computations in ``traffic/``."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from validation_ch7.files import commit_bytes, commit_file, commit_json, make_folder
from validation_ch7.traffic import riemann
from validation_ch7.traffic.checks import Check, run_checks

CELLS = (100, 200, 400, 800)
SMOOTH_CELLS = (20, 40, 80, 160)
GREATEST_ERRORS = {
    "shock + contact": (1.24e-2, 4.2e-3),  # an exact Riemann solver has 1.17e-2 on the coarsest
    "rarefaction + contact": (9.1e-3, 2.7e-3),
    "contact": (4.5e-2, 1.7e-2),
    "vacuum": (1.4e-2, 3.1e-3),
    "smooth wave": (2.6e-3, 3.3e-4),
}
"""Greatest L1 errors on the coarsest and the finest grid that a first-order Godunov or HLL scheme needs."""


@dataclass(frozen=True)
class Convergence:
    """Errors of one problem on ever finer grids.

    Attributes:
        name: the problem.
        order: of the scheme.
        cells: of each grid.
        errors: L1 errors of the density.
        most: greatest errors on the coarsest and on the finest grid that pass.
        least_rate: smallest rate that passes; claimed on smooth solutions only.
    """

    name: str
    order: int
    cells: tuple[int, ...]
    errors: tuple[float, ...]
    most: tuple[float, float]
    least_rate: float | None = None

    @property
    def rate(self) -> float:
        """Mean order of convergence over the grids.

        >>> Convergence("a", 1, (10, 20, 40), (0.4, 0.2, 0.1), (1.0, 1.0)).rate
        1.0
        """
        return math.log2(self.errors[0] / self.errors[-1]) / (len(self.errors) - 1)

    @property
    def passed(self) -> bool:
        """Whether both errors and, where claimed, the rate are met."""
        small = self.errors[0] <= self.most[0] and self.errors[-1] <= self.most[1]
        return small and (self.least_rate is None or self.rate >= self.least_rate)


def converge() -> list[Convergence]:
    """Return the convergence of every Riemann problem and of the smooth wave, for both schemes."""
    rows = []
    for order in (1, 2):
        for problem in riemann.PROBLEMS:
            errors = tuple(riemann.riemann_error(problem, cells, order) for cells in CELLS)
            rows.append(Convergence(problem.name, order, CELLS, errors, GREATEST_ERRORS[problem.name]))
        errors = tuple(riemann.smooth_error(cells, order) for cells in SMOOTH_CELLS)
        rows.append(
            Convergence("smooth wave", order, SMOOTH_CELLS, errors, GREATEST_ERRORS["smooth wave"], order - 0.1)
        )
    return rows


def red_light_checks() -> list[Check]:
    """Return the errors of the jam behind a red light at the end of a road, for both schemes."""
    checks = []
    for order in (1, 2):
        found = riemann.red_light_error(riemann.red_light(0.3, 0.6, 1.2), CELLS[0], order)
        names = ("jam density .8307 [-]", "shock speed -.3392, from the stored mass [-]", "mass [-]")
        limits = (3.7e-5, 3.7e-5, 1e-12)
        checks += [
            Check(f"red light, order {order}", f"error of {name}", value, 0.0, limit)
            for name, value, limit in zip(names, found, limits, strict=True)
        ]
    return checks


def table(rows: Sequence[Convergence], checks: Sequence[Check]) -> str:
    """Return the report as Markdown."""
    lines = [
        "# Validation of the traffic model",
        "",
        "L1 error of the density; p = rho^2 on [-1, 1]. Orders are claimed on smooth solutions only.",
        "",
        "| problem | order | cells | errors | rate | first and last at most | |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        errors = " ".join(f"{error:.2e}" for error in row.errors)
        cells, most = f"{row.cells[0]}-{row.cells[-1]}", " ".join(f"{error:.2e}" for error in row.most)
        lines.append(
            f"| {row.name} | {row.order} | {cells} | {errors} | {row.rate:.2f} | {most} | {_word(row.passed)} |"
        )
    lines += ["", "| check | quantity | measured | theory | tolerance | |", "|---|---|---|---|---|---|"]
    for check in checks:
        numbers = f"{check.value:.6g} | {check.expected:.6g} | {check.tolerance:.2g}"
        lines.append(f"| {check.name} | {check.quantity} | {numbers} | {_word(check.passed)} |")
    return "\n".join(lines) + "\n"


def _word(passed: bool) -> str:
    return "ok" if passed else "**fails**"


def as_json(rows: Sequence[Convergence], checks: Sequence[Check]) -> dict[str, Any]:
    """Return the report as plain data."""
    return {
        "passed": all(row.passed for row in rows) and all(check.passed for check in checks),
        "convergence": [{**asdict(row), "rate": row.rate, "passed": row.passed} for row in rows],
        "checks": [{**asdict(check), "passed": check.passed} for check in checks],
    }


def draw_profiles() -> Figure:
    """Return a figure of the Riemann problems: both schemes on 100 cells, and the exact solution."""
    figure = Figure(figsize=(9, 6), layout="constrained")
    cells = CELLS[0]
    x = -1.0 + (np.arange(cells) + 0.5) * 2.0 / cells
    fine = np.linspace(-1, 1, 2001)
    for axes, problem in zip(figure.subplots(2, 2).flat, riemann.PROBLEMS, strict=True):
        states = [np.where(x < 0.0, problem.left[k], problem.right[k]) for k in range(2)]
        axes.plot(fine, riemann.exact(problem, fine), color="0.6", label="exact")
        for order, style in ((1, "C0."), (2, "C3.")):
            numerical = riemann.Road(order=order).solve(states[0], states[1], problem.time)
            axes.plot(x, numerical, style, markersize=3, label=f"order {order}")
        axes.set(title=problem.name, xlabel="x", ylabel="density")
    figure.axes[0].legend()
    return figure


def draw_convergence(rows: Sequence[Convergence]) -> Figure:
    """Return a figure of error over number of cells."""
    figure = Figure(figsize=(6, 4.5), layout="constrained")
    axes = figure.subplots()
    for row in rows:
        colour = f"C{[other.name for other in rows].index(row.name)}"
        axes.loglog(
            row.cells, row.errors, "o-" if row.order == 1 else "s--", color=colour, label=f"{row.name}, {row.order}"
        )
    axes.set(xlabel="cells", ylabel="L1 error of the density")
    axes.legend(fontsize="x-small", title="problem, order of the scheme")
    return figure


def main(output_dir: Path) -> int:
    """Write ``traffic_validation.md``, ``.json`` and two figures; return 0 if everything passed, else 1.

    Args:
        output_dir: made if it is not there.
    """
    rows = converge()
    checks = [*red_light_checks(), *run_checks()]
    result = as_json(rows, checks)
    make_folder(output_dir)
    commit_bytes(output_dir / "traffic_validation.md", table(rows, checks).encode())
    commit_json(output_dir / "traffic_validation.json", result)
    for name, figure in (("riemann", draw_profiles()), ("convergence", draw_convergence(rows))):
        commit_file(output_dir / f"traffic_{name}.png", FigureCanvasAgg(figure).print_png)
    return 0 if result["passed"] else 1
