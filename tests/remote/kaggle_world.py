"""The real client and our adapter against the emulated service, with no waiting between tries."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

from tests.emulator.__main__ import variables
from tests.emulator.faults import Fault, FaultPlan
from tests.emulator.server import KaggleServer
from tests.emulator.world import Rules, World
from validation_ch7.remote.kaggle import KaggleBackend, KaggleOptions
from validation_ch7.remote.retry import Patience
from validation_ch7.remote.transport import Timeouts

OPTIONS = KaggleOptions(timeouts=Timeouts(2.0, 0.5, 5.0), ready=Patience(tries=20))


class KaggleWorld:
    """A service, and backends that use it."""

    def __init__(self, server: KaggleServer, folder: Path) -> None:
        self.server = server
        self.world = server.world
        self.folder = folder
        self.slept: list[float] = []

    def backend(self, workspace: str = "workspace", options: KaggleOptions = OPTIONS) -> KaggleBackend:
        return KaggleBackend(self.folder / workspace, options=options, sleep=self.slept.append, rng=random.Random(0))

    def add(self, *faults: Fault) -> None:
        for fault in faults:
            self.world.plan.add(fault)

    @property
    def sessions_ever(self) -> int:
        """How many were started, those of deleted kernels too."""
        return self.world.sessions_ever

    @property
    def sessions_started(self) -> int:
        return len(self.world.sessions())


@contextmanager
def kaggle_world(
    folder: Path, rules: Rules | None = None, faults: Iterable[Fault] = (), clock: Callable[[], float] = time.time
) -> Iterator[KaggleWorld]:
    world = World(folder / "kaggle", rules, FaultPlan(faults), clock)
    with KaggleServer(world) as server:
        environ = {key: value for key, value in os.environ.items() if not key.startswith("KAGGLE")}
        environ |= variables(server) | {"HOME": str(folder), "USERPROFILE": str(folder), "no_proxy": "127.0.0.1"}
        with mock.patch.dict(os.environ, environ, clear=True):
            yield KaggleWorld(server, folder)
