"""Try the Kaggle path without an account: ``python -m tests.emulator``, then follow what it prints."""

from __future__ import annotations

import argparse
import tempfile
import threading
from pathlib import Path

from tests.emulator.server import KaggleServer
from tests.emulator.world import Rules, World


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.emulator", description=__doc__)
    parser.add_argument("--port", type=int, default=8765)
    parser.add_argument("--folder", type=Path, help="where kernels and datasets are kept; default: a temporary folder")
    parser.add_argument("--queued-for", type=int, default=1, help="status reads during which a session is queued")
    parser.add_argument("--gpu-hours", type=float, default=30.0, help="the week's GPU quota")
    options = parser.parse_args()
    root = options.folder or Path(tempfile.mkdtemp(prefix="kaggle_emulator_"))
    world = World(root.resolve(), Rules(queued_for=options.queued_for, gpu_seconds=int(options.gpu_hours * 3600)))
    with KaggleServer(world, options.port) as server:
        print(f"Kaggle is emulated at {server.url}, its state is below {root}. In another terminal:\n")
        for name, value in variables(server).items():
            print(f"  bash:        export {name}={value}")
            print(f"  PowerShell:  $env:{name} = '{value}'")
        print("\n  python validation_ch7/scripts/run_kaggle_validation_section_7_6.py --quick --backend kaggle\n")
        print("Ctrl-C ends it.", flush=True)
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            print("ended")


def variables(server: KaggleServer) -> dict[str, str]:
    """Return the variables that point the adapter at this server, with credentials that only it knows."""
    return {
        "VALIDATION_KAGGLE_ENDPOINT": server.url,
        "KAGGLE_USERNAME": server.world.owner,
        "KAGGLE_KEY": server.world.key,
    }


if __name__ == "__main__":
    main()
