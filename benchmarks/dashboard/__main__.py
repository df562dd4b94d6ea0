"""How long until the dashboard can be read, and until its charts are drawn, in a real Chromium.

    python -m benchmarks.dashboard [--rounds N] [--write]

The sizes are interleaved in one run: a small workspace, and 1,000 sessions with 10,000 evaluation points. Told are
medians: text and tables usable, charts ready (both from the start of navigation, page on disk, no network), bytes of
the page, and how long writing it took. ``--write`` keeps the result beside this file, with date and cores.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, sync_playwright

from tests.dashboard.conftest import FLAGS, find_browser
from tests.dashboard.views import large, small
from validation_ch7.reporting.dashboard.page import render_page
from validation_ch7.reporting.dashboard.view import Dashboard

TARGET_MS = 1_500
RESULTS = Path(__file__).parent / "results.json"
VIEWS = {"small": small, "1,000 sessions, 10,000 points": large}


def write(view: Dashboard, path: Path) -> float:
    """Write the page and return the seconds that took."""
    began = time.perf_counter()
    path.write_bytes(render_page(view).encode("utf-8"))
    return time.perf_counter() - began


def look(browser: Browser, path: Path) -> dict[str, float]:
    """Open the page in a context of its own and return its milestones [ms]."""
    context = browser.new_context(viewport={"width": 1200, "height": 900}, offline=True)
    page = context.new_page()
    page.goto(path.as_uri())
    page.wait_for_selector("html[data-ready]", state="attached", timeout=60_000)
    found = page.evaluate("({...document.documentElement.dataset})")
    paint = page.evaluate("performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? NaN")
    context.close()
    return {"first_paint_ms": float(paint), "usable_ms": float(found["usable"]), "ready_ms": float(found["ready"])}


def measure(rounds: int) -> dict[str, dict[str, Any]]:
    """Return the medians by size."""
    path = find_browser()
    if path is None:
        raise SystemExit("no Chromium on PATH; Debian: apt-get install chromium")
    with tempfile.TemporaryDirectory() as place, sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=list(FLAGS))
        views = {name: make() for name, make in VIEWS.items()}
        files = {name: Path(place) / f"{number}.html" for number, name in enumerate(views)}
        found: dict[str, list[dict[str, float]]] = {name: [] for name in views}
        for number in range(rounds + 1):
            for name, view in views.items():
                took = {"written_ms": 1e3 * write(view, files[name]), **look(browser, files[name])}
                if number:  # the first of each warms the browser
                    found[name].append(took)
        version = browser.version
        browser.close()
        return {
            name: {key: round(statistics.median(row[key] for row in rows)) for key in rows[0]}
            | {"bytes": files[name].stat().st_size, "chromium": version}
            for name, rows in found.items()
        }


def main() -> None:
    """Measure and tell."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--write", action="store_true")
    asked = parser.parse_args()
    sizes = measure(asked.rounds)
    result = {
        "date": datetime.now(UTC).isoformat(timespec="minutes"),
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else None,
        "python": platform.python_version(),
        "rounds": asked.rounds,
        "target_ready_ms": TARGET_MS,
        "sizes": sizes,
        "met": all(row["ready_ms"] <= TARGET_MS for row in sizes.values()),
    }
    print(json.dumps(result, indent=2))
    if asked.write:
        RESULTS.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
