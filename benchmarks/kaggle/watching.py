"""What watching costs the service, and how soon it notices the end."""

from __future__ import annotations

import random
import threading
import time
from pathlib import Path

from tests.chain.conftest import Place
from tests.remote.kaggle_world import kaggle_world
from tests.remote.sessions import make_request
from validation_ch7.remote.backend import SessionState
from validation_ch7.remote.kaggle import KaggleBackend
from validation_ch7.remote.monitor import watch

HOUR_S = 3600.0
DROP_S = 120.0
"""The service drops the live log about so often."""


def measure_calls(folder: Path) -> tuple[int, int]:
    """Return the calls of a watch of one hour, by a movable clock, and the openings of the live log beside them."""
    now = 0.0
    short = threading.Event()

    def sleep(seconds: float) -> None:
        nonlocal now
        now += seconds
        if now > HOUR_S:
            (folder / "go").touch()
            short.wait(0.05)

    with kaggle_world(folder) as kaggle:
        backend = KaggleBackend(folder / "workspace")
        ref = backend.submit(make_request(folder, wait_for=str(folder / "go")))
        before = sum(kaggle.world.plan.calls.values())
        facts = {"clock": lambda: now, "sleep": sleep, "limit_s": 2 * HOUR_S, "rng": random.Random(0)}
        end = watch(backend, ref, on_log=lambda _: None, on_status=lambda _: None, **facts)
        assert end.state is SessionState.COMPLETE
        calls = sum(kaggle.world.plan.calls.values()) - before
    return calls, int(HOUR_S / DROP_S)


def measure_ending(folder: Path) -> float:
    """Return the time from the end of a real session to its two checkpoints in the training tree [s].

    It is the second session of a chain: the first one's checkpoints are verified and backed up on the way.
    """
    place = Place(folder / "workspace")
    with kaggle_world(folder) as kaggle:
        for _ in range(2):
            manager = place.manager(backend=KaggleBackend(place.root))
            run = manager.run_validation_section(config=place.config, quick=True)
            restored = time.time()
        last = max(kaggle.world.sessions(), key=lambda session: session.began)
        assert (run.success, [place.store.verify(path).steps for path in place.store.paths()]) == (True, [512, 384])
    return restored - last.ended
