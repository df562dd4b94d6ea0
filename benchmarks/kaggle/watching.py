"""What watching costs the service, and how soon it notices the end."""

from __future__ import annotations

import random
import threading
import time
from pathlib import Path

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


def measure_ending(folder: Path, lasts_s: float = 20.0) -> float:
    """Return the time from the end of a session, after a while of watching, to its checked results [s]."""
    with kaggle_world(folder) as kaggle:
        backend = KaggleBackend(folder / "workspace")
        ref = backend.submit(make_request(folder, wait_for=str(folder / "go")))
        ended: list[float] = []

        def end() -> None:
            ended.append(time.perf_counter())
            (folder / "go").touch()

        threading.Timer(lasts_s, end).start()
        facts = {"clock": time.monotonic, "sleep": time.sleep, "limit_s": HOUR_S}
        watch(backend, ref, on_log=lambda _: None, on_status=lambda _: None, **facts)
        assert backend.fetch(ref, folder / "results").complete
        assert kaggle.sessions_started == 1
        return time.perf_counter() - ended[0]
