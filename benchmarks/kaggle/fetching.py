"""One download in a process of its own, so that its memory can be told; prints seconds and peak memory as JSON."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from validation_ch7.remote.backend import SessionRef
from validation_ch7.remote.kaggle import KaggleBackend


def main(target: Path) -> None:
    backend = KaggleBackend(target / "workspace")
    owner = backend.account()
    ref = SessionRef("kaggle", "bench", f"{owner}/benchmark-kernel", version=1)
    began, used = time.perf_counter(), time.process_time()
    report = backend.fetch(ref, target / "results")
    seconds, processor = time.perf_counter() - began, time.process_time() - used
    facts = {"seconds": seconds, "processor": processor, "peak_mb": peak_memory_mb()}
    print(json.dumps({**facts, "complete": report.complete, "files": len(report.files)}))


def peak_memory_mb() -> float:
    """Return the most memory that this process has held; ``getrusage`` would count that of its parent as well."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) / 1024


if __name__ == "__main__":
    main(Path(sys.argv[1]))
