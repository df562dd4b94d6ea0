"""The same chains in a bare loop and on Ray, one at a time in turns; one line for each result."""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from validation_ch7.config import section_file
from validation_ch7.study.chain import ChainResult, ChainStatus, ChainTask, chain_tasks
from validation_ch7.study.executor import Executor, Lost, SerialExecutor
from validation_ch7.study.layout import StudyFolder
from validation_ch7.study.ray_executor import RayExecutor
from validation_ch7.study.spec import StudySpec
from validation_ch7.study.train import run_chain

RESULTS = Path(__file__).parent / "results"
TARGET = 1.05
SECTION = "section_7_6_rl_performance"


def tasks(folder: Path, name: str, chains: int, steps: int) -> list[ChainTask]:
    """Return the chains of a study with this name; both arms share the code of the sessions, compiled once."""
    seeds, what = tuple(range(chains)), ("traffic_light_control",)
    spec = StudySpec(
        name=name, section=SECTION, algorithms=("ppo",), scenarios=what, training_seeds=seeds, timesteps=steps
    )
    shared = StudyFolder.of(folder, "shared")
    made = chain_tasks(spec, StudyFolder.of(folder, name), section_file(SECTION))
    return [ChainTask(**{**vars(task), "code": str(shared.code)}) for task in made]


def timed(executor: Executor, task: ChainTask) -> tuple[float, str]:
    """Train one chain and return how long it took [s], and the digest of its end."""
    began = time.perf_counter()
    ((_, result),) = executor.each(run_chain, [task], lambda _: None, lambda: False)
    took = time.perf_counter() - began
    if isinstance(result, Lost) or not isinstance(result, ChainResult) or result.status is not ChainStatus.DONE:
        raise SystemExit(f"{task.chain_id} was not trained: {result}")
    return took, str(result.digest)


def imported(_: int) -> str:
    """Do what a worker does once before its first chain: the function's module is imported with it."""
    return run_chain.__module__


def start_ray() -> tuple[RayExecutor, float, float]:
    """Return a Ray with one worker that is ready, the time to start it, and that of the worker's first task [s]."""
    began = time.perf_counter()
    ray = RayExecutor(jobs=1)
    started = time.perf_counter()
    list(ray.each(imported, [0], lambda _: None, lambda: False))
    return ray, started - began, time.perf_counter() - started


def in_turns(
    folder: Path, chains: int, steps: int, ray: Executor, say: Callable[[str], None]
) -> list[dict[str, float]]:
    """Return the times of each chain, bare and on Ray; who goes first changes."""
    arms: dict[str, Executor] = {"bare": SerialExecutor(), "ray": ray}
    work = {arm: tasks(folder, arm, chains, steps) for arm in arms}
    timed(arms["bare"], tasks(folder, "warm", 1, steps)[0])  # compiles the kernels
    rows = []
    for number in range(chains):
        order = list(arms) if number % 2 else list(reversed(arms))
        found = {arm: timed(arms[arm], work[arm][number]) for arm in order}
        if found["bare"][1] != found["ray"][1]:
            raise SystemExit(f"chain {number}: the digests differ")
        rows.append({arm: took for arm, (took, _) in found.items()})
        say(f"chain {number}: bare {rows[-1]['bare']:.2f} s, Ray {rows[-1]['ray']:.2f} s, same digest")
    return rows


def summary(rows: Sequence[dict[str, float]], start_s: float, worker_s: float) -> dict[str, float]:
    """Return the ratios; start-up is apart, and then counted in."""
    bare, ray = (sum(row[arm] for row in rows) for arm in ("bare", "ray"))
    return {
        "chains": len(rows),
        "bare_total_s": bare,
        "ray_total_s": ray,
        "ratio_of_totals": ray / bare,
        "median_of_ratios": statistics.median(row["ray"] / row["bare"] for row in rows),
        "ray_start_s": start_s,
        "worker_start_s": worker_s,
        "ratio_with_start": (ray + start_s + worker_s) / bare,
    }


def main() -> None:
    """Measure, print, and keep the results where that is asked for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.study", description=__doc__)
    parser.add_argument("--chains", type=int, default=20)
    parser.add_argument("--steps", type=int, default=16384, help="environment steps of each chain")
    parser.add_argument("--write", action="store_true", help="keep the result below results/, by date")
    options = parser.parse_args()
    load = os.getloadavg()[0]
    ray, start_s, worker_s = start_ray()
    try:
        with tempfile.TemporaryDirectory(prefix="benchmark_study_") as folder:
            rows = in_turns(Path(folder), options.chains, options.steps, ray, lambda text: print(text, flush=True))
    finally:
        ray.close()
    found = summary(rows, start_s, worker_s)
    machine = {"cores": os.cpu_count(), "python": platform.python_version(), "ray": version("ray"), "load_before": load}
    for name, value in (machine | found).items():
        print(f"{name}: {value:.4g}" if isinstance(value, float) else f"{name}: {value}")
    met = found["median_of_ratios"] <= TARGET
    print(f"Ray against the bare loop: {found['median_of_ratios']:.3f} (at most {TARGET}) {'✓' if met else '✗'}")
    if options.write:
        RESULTS.mkdir(exist_ok=True)
        now = f"{datetime.now(UTC):%Y-%m-%d}"
        content = {"date": now, "machine": machine, "steps": options.steps, "summary": found, "chains": rows}
        (RESULTS / f"{now}.json").write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
