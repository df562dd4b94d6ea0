"""Run all measurements and print one line for each: what, found, wanted."""

from __future__ import annotations

import argparse
import os
import platform
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.kaggle.bundling import measure_bundling
from benchmarks.kaggle.downloading import measure_downloading
from benchmarks.kaggle.watching import measure_calls, measure_ending

RESULTS = Path(__file__).parent / "results"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.kaggle", description=__doc__)
    parser.add_argument("--only", choices=["bundle", "download", "calls", "ending"])
    parser.add_argument("--rounds", type=int, default=7, help="downloads of each kind")
    parser.add_argument("--write", action="store_true", help="keep what is printed below results/, by date")
    options = parser.parse_args()
    load, cores = os.getloadavg()[0], os.cpu_count()
    lines = [f"{datetime.now(UTC):%Y-%m-%d}, {cores} cores, Python {platform.python_version()}, load before {load:.1f}"]
    with tempfile.TemporaryDirectory(prefix="benchmark_kaggle_") as name:
        for line in measure(Path(name), options.only, options.rounds):
            print(line, flush=True)
            lines.append(line)
    if options.write:
        RESULTS.mkdir(exist_ok=True)
        name = f"{datetime.now(UTC):%Y-%m-%d}{'-' + options.only if options.only else ''}.txt"
        (RESULTS / name).write_text("\n".join(lines) + "\n", encoding="utf-8")


def measure(folder: Path, only: str | None, rounds: int) -> Iterator[str]:
    """Yield one line for each result."""
    if only in (None, "bundle"):
        first, second = measure_bundling(folder / "bundle")
        yield (f"bundle of 230 MB: first {first:.2f} s, 1 % changed {second:.3f} s: 1/{first / second:.0f} (1/10)")
    if only in (None, "download"):
        yield from measure_downloading(folder / "download", rounds)
    if only in (None, "calls"):
        calls, reconnects = measure_calls(folder / "calls")
        yield (f"API calls in an hour of watching: {calls} + {reconnects} openings of the live log (120 together)")
    if only in (None, "ending"):
        seconds = measure_ending(folder / "ending")
        yield f"from the end of a session to its two checkpoints in the training tree: {seconds:.2f} s (5 s)"


if __name__ == "__main__":
    main()
