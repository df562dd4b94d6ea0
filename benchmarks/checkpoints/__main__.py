"""``python -m benchmarks.checkpoints [--quick]``: one table, every ratio from one run."""

from __future__ import annotations

import argparse
import json
import os
import platform
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch as th

from benchmarks.checkpoints import measure
from benchmarks.checkpoints.measure import SAVE_FREQ, WARM, Row

RESULTS = Path(__file__).parent / "results"


def rows(folder: Path, full: int, rounds: int, saves: int, steps: int) -> Iterator[Row]:
    """Measure everything, one group after the other."""
    yield from _within("MLP", measure.within_training(_new(folder), 0, 5 * rounds, 64)[0], 1 / 5)
    costs, interval = measure.within_training(_new(folder), full, rounds, steps)
    yield from _within(f"DQN, {full:,} rows", costs, 1 / 100)
    for name, cost in costs.items():
        share = 100 * cost / (interval + cost)
        yield Row(f"DQN, {full:,} rows: share of wall time, {name}", share, "%", 0.2 if name == "ours" else None)
    yield from _blocking("MLP", measure.blocking(_new(folder), 0, 5 * rounds), 1 / 5)
    yield _processor("MLP", measure.blocking(_new(folder), 0, 5 * rounds, measure.processor_seconds))
    for size in (full // 100, full // 10):
        yield from _blocking(f"DQN, {size:,} rows", measure.blocking(_new(folder), size, rounds), None)
    yield from _blocking(f"DQN, {full:,} rows", measure.blocking(_new(folder), full, rounds), 1 / 100)
    yield _processor(f"DQN, {full:,} rows", measure.blocking(_new(folder), full, rounds, measure.processor_seconds))
    if th.cuda.is_available():
        for size, target in ((0, 1 / 5), (full, 1 / 100)):
            name = f"CUDA, DQN, {size:,} rows" if size else "CUDA, MLP"
            turns = rounds if size else 5 * rounds
            cuda = measure.blocking(_new(folder), size, turns, measure.device_seconds, "cuda")
            yield from _blocking(name, cuda, target)
    growth = measure.store_growth(_new(folder), full // 10, saves)
    yield Row(f"store after {saves} saves / one buffer", growth, "x", 1.2, "the buffer was written over 10 times")
    for size in (full // 100, full // 10, full):
        yield from _by_size(folder, size, size == full, rounds)
    starts = measure.process(_new(folder), full, max(3, rounds // 2))
    yield Row("process start to first step, resumed", starts["resumed"], "s", None, f"{full:,} rows")
    yield Row("process start to first step, nothing to resume", starts["anew"], "s")
    captures = measure.capture(20 * rounds)
    yield Row("state capture, between update and rollout", 1e3 * captures["training"], "ms", 1.0)
    yield Row("state capture, after a full garbage collection", 1e3 * captures["collected"], "ms")
    for count in (10, 1000):
        crowd = measure.crowded(_new(folder), count, rounds)
        yield Row(f"save blocks, {count} in the store", 1e3 * crowd["blocked"], "ms", None,
                  f"whole save {1e3 * crowd['whole']:.1f} ms, restore {1e3 * crowd['restored']:.1f} ms")  # fmt: skip


def _by_size(folder: Path, size: int, full: bool, rounds: int) -> Iterator[Row]:
    written, needed = measure.bytes_per_save(_new(folder), size)
    name = f"{size:,} rows: bytes per save / (new transitions + model)"
    yield Row(name, written / needed, "x", 1.1 if full else None, f"{written:,.0f} bytes")
    times = measure.resume(_new(folder), size, rounds)
    yield _compared(f"{size:,} rows: resume to first step", times, "resume", "read + sha256", 1.2 if full else None)
    yield _compared(f"{size:,} rows: verify", times, "verify", "sha256 + copy")
    yield _compared(f"{size:,} rows: restore", times, "restore", "sha256 + copy")


def _compared(what: str, times: dict[str, float], ours: str, rival: str, target: float | None = None) -> Row:
    return Row(f"{what} / ({rival})", times[ours] / times[rival], "x", target, f"{1e3 * times[ours]:.1f} ms")


def _within(what: str, costs: dict[str, float], target: float) -> Iterator[Row]:
    for name, cost in costs.items():
        yield Row(f"{what}: save blocks within training, {name}", 1e3 * cost, "ms")
    ratio = costs["ours"] / costs["CheckpointCallback"]
    yield Row(f"{what}: within training, ours / CheckpointCallback", ratio, "x", target)


def _blocking(what: str, costs: dict[str, float], target: float | None) -> Iterator[Row]:
    for name, cost in costs.items():
        yield Row(f"{what}: save blocks, {name}", 1e3 * cost, "ms")
    yield Row(f"{what}: ours / CheckpointCallback", costs["ours"] / costs["CheckpointCallback"], "x", target)
    yield Row(f"{what}: ours / {WARM}", costs["ours"] / costs[WARM], "x")


def _processor(what: str, costs: dict[str, float]) -> Row:
    note = f"{1e3 * costs['ours']:.3f} ms against {1e3 * costs['CheckpointCallback']:.3f} ms"
    return Row(f"{what}: the same in processor time", costs["ours"] / costs["CheckpointCallback"], "x", None, note)


def _new(folder: Path) -> Path:
    return Path(tempfile.mkdtemp(dir=folder))


def table(found: list[Row]) -> str:
    """Return the rows as Markdown."""
    lines = ["| what | value | target | |", "|---|---:|---:|---|"]
    for row in found:
        target = "" if row.target is None else f"≤ {row.target:g} {row.unit} {'✓' if row.value <= row.target else '✗'}"
        lines.append(f"| {row.name} | {row.value:.4g} {row.unit} | {target} | {row.note} |")
    return "\n".join(lines)


def machine() -> dict[str, Any]:
    """Return what the numbers depend on."""
    device = th.cuda.get_device_name() if th.cuda.is_available() else "none"
    return {"cores": os.cpu_count(), "python": platform.python_version(), "torch": th.__version__, "threads": 1,
            "cuda": device, "torchrl": _torchrl(), "load": os.getloadavg()[0]}  # fmt: skip


def _torchrl() -> str:
    try:
        return version("torchrl")
    except PackageNotFoundError:
        return "not measured, since it is not installed: python -m pip install torchrl"


def main() -> None:
    """Measure, print and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a buffer of 100,000 rows and few rounds")
    parser.add_argument("--folder", type=Path, default=None, help="disk to measure on (default: the temporary folder)")
    parser.add_argument("--output", type=Path, default=RESULTS, help="folder of the results (default: results/)")
    chosen = parser.parse_args()
    th.set_num_threads(1)
    full, rounds, saves, steps = (100_000, 3, 300, 1000) if chosen.quick else (1_000_000, 7, 1000, SAVE_FREQ)
    with tempfile.TemporaryDirectory(dir=chosen.folder) as folder:
        found = []
        for row in rows(Path(folder), full, rounds, saves, steps):
            print(f"{row.name}: {row.value:.4g} {row.unit}", flush=True)
            found.append(row)
    facts = machine() | {"rows": full, "rounds": rounds}
    stamp = datetime.now(UTC).date().isoformat() + ("-quick" if chosen.quick else "")
    chosen.output.mkdir(exist_ok=True)
    text = f"Machine: {facts}\n\n{table(found)}\n"
    (chosen.output / f"{stamp}.md").write_text(text, encoding="utf-8")
    content = {"machine": facts, "rows": [vars(row) for row in found]}
    (chosen.output / f"{stamp}.json").write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    print(f"\n{text}")


if __name__ == "__main__":
    main()
