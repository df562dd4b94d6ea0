"""The emulated service in a process of its own, with one finished session that left many files."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

from tests.emulator.server import KaggleServer
from tests.emulator.world import World

SECTION = "section_7_6_rl_performance"
SCRIPT = f"""
import hashlib, json, os
from pathlib import Path
folder = Path(os.environ["VALIDATION_WORKING_ROOT"]) / "{SECTION}"
folder.mkdir()
files = {{}}
for number in range(200):
    data = os.urandom(2_500_000)
    (folder / f"{{number}}.bin").write_bytes(data)
    files[f"{{number}}.bin"] = {{"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}}
(folder / "output_manifest.json").write_text(json.dumps({{"session_id": "bench", "files": files}}))
"""


def main(folder: Path) -> None:
    world = World(folder)
    with KaggleServer(world) as server:
        server.api.save_kernel({"newTitle": "benchmark kernel", "text": SCRIPT, "isPrivate": True})
        world.sessions()[0]._process.wait()
        print(server.url, flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
