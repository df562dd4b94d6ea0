"""A real Chromium, driven by Playwright, which brings no browser of its own here."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from validation_ch7.reporting.dashboard.page import render_page
from validation_ch7.reporting.dashboard.view import Dashboard

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "msedge")
FLAGS = (
    "--no-sandbox", "--headless", "--disable-gpu", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip

PATIENCE_MS = 240_000
"""No page needs so long; a machine with other work may."""


def find_browser() -> str | None:
    return next((path for name in NAMES if (path := shutil.which(name))), None)


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api", reason="needs the extra [test-browser]")
    path = find_browser()
    if path is None:
        pytest.skip("no Chromium on PATH; Debian: apt-get install chromium")
    with playwright.sync_playwright() as driver:
        launched = driver.chromium.launch(executable_path=path, args=list(FLAGS))
        yield launched
        launched.close()


@dataclass
class Opened:
    """A page in the browser, with what it complained about."""

    page: Any
    complaints: list[str] = field(default_factory=list)

    def js(self, script: str) -> Any:
        return self.page.evaluate(script)

    def rows(self, table: str = "sessions") -> list[str]:
        return self.js(f"[...document.querySelectorAll('#{table}-table [data-row]:not([hidden])')].map(r => r.id)")


@pytest.fixture
def visit(browser) -> Iterator[Callable[..., Opened]]:
    contexts = []

    def go(url: str, width: int = 1200, height: int = 900, scheme: str = "light", **options: Any) -> Opened:
        context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme, **options)
        context.set_default_timeout(PATIENCE_MS)
        contexts.append(context)
        opened = Opened(context.new_page())
        opened.page.on("console", lambda said: opened.complaints.append(said.text) if said.type == "error" else None)
        opened.page.on("pageerror", lambda fault: opened.complaints.append(str(fault)))
        opened.page.on("requestfailed", lambda asked: opened.complaints.append(asked.url))
        opened.page.goto(url)
        opened.page.wait_for_selector("html[data-ready]", state="attached")
        return opened

    yield go
    for context in contexts:
        context.close()


@pytest.fixture
def show(visit, tmp_path) -> Callable[..., Opened]:
    """Write a dashboard into a file and open it from there, without a network."""

    def go(view: Dashboard, **options: Any) -> Opened:
        path = tmp_path / "a page #1.html"
        path.write_bytes(render_page(view).encode("utf-8"))
        return visit(Path(path).as_uri(), offline=True, **options)

    return go
