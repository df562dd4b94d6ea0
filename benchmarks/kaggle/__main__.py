"""Run all measurements and print one line for each: what, found, wanted."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from benchmarks.kaggle.bundling import measure_bundling
from benchmarks.kaggle.downloading import measure_downloading
from benchmarks.kaggle.watching import measure_calls, measure_ending


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.kaggle", description=__doc__)
    parser.add_argument("--only", choices=["bundle", "download", "calls", "ending"])
    only = parser.parse_args().only
    with tempfile.TemporaryDirectory(prefix="benchmark_kaggle_") as name:
        folder = Path(name)
        if only in (None, "bundle"):
            first, second = measure_bundling(folder / "bundle")
            print(f"bundle of 230 MB: first {first:.2f} s, 1 % changed {second:.3f} s: 1/{first / second:.0f} (1/10)")
        if only in (None, "download"):
            for line in measure_downloading(folder / "download"):
                print(line)
        if only in (None, "calls"):
            calls, reconnects = measure_calls(folder / "calls")
            print(f"API calls in an hour of watching: {calls} + {reconnects} openings of the live log (120 together)")
        if only in (None, "ending"):
            print(f"from the session's end to its results, checked: {measure_ending(folder / 'ending'):.2f} s (5 s)")


if __name__ == "__main__":
    main()
