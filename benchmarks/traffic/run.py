"""The traffic benchmark: ``python benchmarks/traffic/run.py [--rivals PYTHON] [--seconds S] [--rounds N]``.

``--rivals`` is the interpreter of a virtual environment with the rivals: ``pip install eclipse-sumo libsumo sumo-rl
uxsim`` and LightSim from its repository (github.com/AnthonySu/LightSim). Contenders run one at a time, each in its
own process on one core, in interleaved rounds; the table holds medians. Results go to
``results.json`` and ``results.md`` in ``benchmarks/traffic/``, or in ``--output``.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import subprocess
import sys
from pathlib import Path
from statistics import median
from typing import Any

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parents[1])]
THREADS = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")
os.environ.update(THREADS)

import against_c  # noqa: E402
import contenders  # noqa: E402
import figures  # noqa: E402
import training  # noqa: E402

REFERENCE = "sumo-rl, libsumo"
LOOPS = "interior, {}, float64 [million cell updates/s]"  # C: gcc -O3 -march=native
UPDATES = 12_000
"""Two-class cell updates in a step of the default environment: 400 cells, 30 substeps."""


def race(rivals: str, seconds: float, rounds: int) -> dict[str, dict[str, Any]]:
    """Return each contender's rates, or why it has none."""
    found: dict[str, list[dict[str, float]]] = {name: [] for name in contenders.CONTENDERS}
    missing: dict[str, str] = {}
    for _ in range(rounds):
        for name, (foreign, _) in contenders.CONTENDERS.items():
            if name in missing:
                continue
            command = [rivals if foreign else sys.executable, str(HERE / "contenders.py"), name, str(seconds)]
            done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
            if done.returncode:
                missing[name] = [line for line in done.stderr.splitlines() if line.strip() and line[0] != " "][-1]
            else:
                answer = [line for line in done.stdout.splitlines() if line.startswith("{")]
                found[name].append(json.loads(answer[-1]))
    result: dict[str, dict[str, Any]] = {}
    for name, runs in found.items():
        if name in missing:
            result[name] = {"missing": missing[name]}
        else:
            rate = median(run["steps_per_s"] for run in runs)
            result[name] = {"steps_per_s": rate, "sim_s_per_s": rate * runs[0]["decision_s"]}
            result[name]["rounds"] = [run["steps_per_s"] for run in runs]
    return result


def machine() -> dict[str, Any]:
    """Return what the figures were measured on."""
    model = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    return {
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "processor": model[0].split(":")[1].strip() if model else platform.processor(),
        "cores": os.cpu_count(),
        "load": os.getloadavg()[0],
        "python": platform.python_version(),
    }


def as_table(result: dict[str, Any]) -> str:
    """Return the results as Markdown."""
    facts = result["machine"]
    lines = [
        "# Traffic benchmark",
        "",
        f"{facts['date']}, {facts['processor']}, {facts['cores']} cores shared with other work (load"
        f" {facts['load']:.1f} at the start), Python {facts['python']}.",
        "Seconds are processor time of one core, except for TraCI (two processes), several cores, CUDA, the first step",
        "and training, which take the wall clock. Contenders run in interleaved rounds; medians.",
        "",
        "| contender | env steps/s | simulated s per s | ratio of steps to sumo-rl (libsumo) |",
        "|---|---|---|---|",
    ]
    reference = result["race"][REFERENCE].get("steps_per_s")
    for name, row in result["race"].items():
        if "missing" in row:
            lines.append(f"| {name} | not measured: {row['missing']} | | |")
        else:
            ratio = f"{row['steps_per_s'] / reference:.1f}" if reference else "-"
            lines.append(f"| {name} | {row['steps_per_s']:,.0f} | {row['sim_s_per_s']:,.0f} | {ratio} |")
    for language in ("C", "Numba"):
        rate = result["figures"][LOOPS.format(language)] * 1e6 / UPDATES
        ratio = f"{rate / reference:.1f}" if reference else "-"
        lines.append(f"| the loops alone in {language}, without road ends and wrappers | {rate:,.0f} | | {ratio} |")
    kinds = list(training.ENVIRONMENTS)
    shares = [f"{kind} / {ceiling}" for kind, ceiling in training.SHARES]
    lines += ["", f"| training steps/s | environments | {' | '.join(kinds)} |", "|---" * (len(kinds) + 2) + "|"]
    for row in result["training"]:
        rates = " | ".join(f"{row[kind]:,.0f}" for kind in kinds)
        lines.append(f"| {row['algorithm']} | {row['environments']} | {rates} |")
    lines += ["", f"| share of the ceiling | environments | {' | '.join(shares)} |", "|---" * (len(shares) + 2) + "|"]
    for row in result["training"]:
        ratios = " | ".join(f"{row[kind] / row[ceiling]:.2f}" for kind, ceiling in training.SHARES)
        lines.append(f"| {row['algorithm']} | {row['environments']} | {ratios} |")
    lines += [
        "",
        "| intersections | cells | environments | us per environment step | ns per cell update |",
        "|---|---|---|---|---|",
    ]
    for row in result["scaling"]:
        numbers = f"{row['us_per_environment_step']:.1f} | {row['ns_per_cell_update']:.2f}"
        lines.append(f"| {row['intersections']} | {row['cells']} | {row['environments']} | {numbers} |")
    lines += ["", "| figure | value |", "|---|---|"]
    lines += [f"| {name} | {value:.4g} |" for name, value in result["figures"].items()]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Run everything and write the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rivals", default=sys.executable)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--output", type=Path, default=HERE, help="folder of the results (default: beside this file)")
    options = parser.parse_args()
    result: dict[str, Any] = {"machine": machine()}
    result["race"] = race(options.rivals, options.seconds, options.rounds)
    plain, tuned = against_c.compare(), against_c.compare(("-fno-trapping-math", "-ffp-contract=off"))
    result["figures"] = {
        LOOPS.format("Numba"): plain["numba"],
        LOOPS.format("C"): plain["c"],
        "Numba over C": plain["ratio"],
        "Numba over C, gcc also -fno-trapping-math -ffp-contract=off": tuned["ratio"],
        "greatest difference of the two results, same flags": tuned["difference"],
        "state copy and restore [us]": figures.state_copy_s() * 1e6,
        "the same of TrafficEnv [us]": figures.environment_copy_s() * 1e6,
        "import and first step, cache warm [s]": figures.first_step_s(),
        "look-ahead, depth 10 [s per decision]": figures.oracle_s(),
    }
    result["scaling"] = figures.scaling()
    result["training"] = training.throughput(options.rounds)
    (options.output / "results.json").write_text(json.dumps(result, indent=2) + "\n")
    (options.output / "results.md").write_text(as_table(result))
    print(as_table(result))


if __name__ == "__main__":
    main()
