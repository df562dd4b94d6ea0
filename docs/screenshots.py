"""Makes the screenshots of these documents with a real Chromium, from made-up but plausible data.

Run it from the project's root, with the extra ``test-browser`` and a Chromium installed.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # the data and the browser are those of the tests

from playwright.sync_api import sync_playwright  # noqa: E402

from tests.dashboard.conftest import FLAGS, find_browser  # noqa: E402
from tests.dashboard.scene import scene  # noqa: E402
from validation_ch7.reporting.dashboard.page import render_page  # noqa: E402

IMAGES = ROOT / "docs" / "images"
LIMIT = 600_000
"""Bytes that all pictures together may have."""
SHOTS = {
    "dashboard-light": (1120, 1180, "light", 0),
    "dashboard-dark": (1120, 1180, "dark", 1),
    "dashboard-phone-light": (360, 780, "light", 0),
    "dashboard-phone-dark": (360, 780, "dark", 1),
}
"""Width, height, colours, and which part: 0 is the head of the page, 1 its sessions."""


def main() -> None:
    """Make them all."""
    path = find_browser()
    if path is None:
        raise SystemExit("no Chromium on PATH; Debian: apt-get install chromium")
    IMAGES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as place, sync_playwright() as driver:
        page_file = Path(place) / "dashboard.html"
        page_file.write_bytes(render_page(scene()).encode("utf-8"))
        browser = driver.chromium.launch(executable_path=path, args=list(FLAGS))
        for name, (width, height, scheme, part) in SHOTS.items():
            page = browser.new_page(viewport={"width": width, "height": height}, color_scheme=scheme)
            page.goto(page_file.as_uri())
            page.wait_for_selector("html[data-ready]", state="attached")
            if part:
                page.evaluate("document.querySelector('#sessions').scrollIntoView({behavior: 'instant'})")
            page.wait_for_timeout(300)
            page.screenshot(path=str(IMAGES / f"{name}.png"))
            page.close()
        browser.close()
    total = sum(picture.stat().st_size for picture in IMAGES.glob("dashboard-*.png"))
    if total > LIMIT:
        raise SystemExit(f"the pictures have {total} bytes, more than {LIMIT}")


if __name__ == "__main__":
    main()
