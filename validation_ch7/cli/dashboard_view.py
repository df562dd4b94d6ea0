"""``dashboard``: writes the page, or serves it until Ctrl-C."""

from __future__ import annotations

from pathlib import Path

from validation_ch7.cli.outcome import print_json
from validation_ch7.cli.screen import Screen, size_text
from validation_ch7.cli.selection import Selection
from validation_ch7.files import commit_bytes, make_folder
from validation_ch7.reporting.dashboard.gather import Gatherer, Sources

EXIT_DONE = 0
PAGE_NAME = "dashboard.html"


def write_dashboard(selection: Selection, output: Path | None, *, verify: bool) -> int:
    """Write the page and say where it is."""
    from validation_ch7.reporting.dashboard.page import render_page

    sources, screen = _sources(selection), Screen(selection.as_json)
    view = Gatherer(sources, verify=verify).gather()
    page = render_page(view).encode("utf-8")
    path = (output or (sources.output or sources.store.root) / "reports" / PAGE_NAME).expanduser().resolve()
    make_folder(path.parent)
    commit_bytes(path, page)
    screen.say(f"✓ {len(view.sessions):,} session(s), {len(view.checkpoints):,} checkpoint(s), {size_text(len(page))}")
    screen.say("Open it in a browser; it needs no network:")
    screen.whole(path.as_uri(), indent=2)
    if selection.as_json:
        counts = {"sessions": len(view.sessions), "checkpoints": len(view.checkpoints)}
        print_json({"success": True, "path": str(path), "url": path.as_uri(), "bytes": len(page), **counts})
    return EXIT_DONE


def serve_dashboard(selection: Selection, port: int, *, verify: bool) -> int:
    """Serve the page at an address of this machine until Ctrl-C."""
    from validation_ch7.reporting.dashboard.server import HOST, open_server

    screen = Screen(selection.as_json)
    with open_server(Gatherer(_sources(selection), verify=verify).gather, port) as server:
        url = f"http://{HOST}:{server.server_port}/"
        screen.say(f"The dashboard is at {url} for this machine only. Ctrl-C ends it.")
        if selection.as_json:
            print_json({"success": True, "url": url, "port": server.server_port})
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            screen.say("The dashboard has ended; no session was touched.")
    return EXIT_DONE


def _sources(selection: Selection) -> Sources:
    store = selection.open()
    if selection.store is not None:
        return Sources(store)
    return Sources(store, selection.root, selection.config_with, tuple(selection.run_flags()))
