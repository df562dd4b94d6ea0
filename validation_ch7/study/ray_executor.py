"""Tasks of a study on Ray: on a Ray of its own on this machine, or on a cluster that is there.

A task whose worker or node was killed is started again elsewhere, and so is one that raised something: it goes on
from the checkpoint. Tasks are queued here, as many as there is room for, and never as Ray jobs, which fail when
they wait too long.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from validation_ch7.errors import BackendError
from validation_ch7.extras import load_extra
from validation_ch7.study.executor import Lost, Result, Stop, Task

RETRIES = 20
"""Times that a task is started again after its worker or node died, or after it raised something."""
_ANSWER_S = 0.5
_STARTS = 3
"""Tries to start a Ray: it gives up by itself after 30 s, which a busy machine may need."""
_SLOW_START = "timed out during startup"
_SETTINGS = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0", "RAY_AUTH_MODE": "token"}
_OWN_SETTINGS = {
    # Despite its name: without "clusters" every server of Ray binds to loopback, on every system. An address of
    # 127.0.0.1 alone does not do that, Ray replaces it by the machine's own.
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
    "RAY_agent_register_timeout_ms": "120000",
}


class RayExecutor:
    """Tasks on Ray, each on one CPU.

    Args:
        address: of a running cluster, as ``ray.init`` takes it; without one a Ray is started here for this process.
        jobs: tasks at a time; default: as many as there are CPUs.

    Raises:
        ConfigurationError: Ray is not installed.
        BackendError: the cluster cannot be reached, or does not accept the token.
    """

    name = "ray"

    def __init__(self, address: str | None = None, jobs: int | None = None) -> None:
        own, self._jobs = address is None, jobs
        for name, value in (_SETTINGS | _OWN_SETTINGS if own else _SETTINGS).items():
            os.environ.setdefault(name, value)
        if own and not {"RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"} & set(os.environ):
            os.environ["RAY_AUTH_TOKEN"] = secrets.token_hex(32)  # of a Ray that nobody else needs to reach
        self._ray: Any = load_extra("ray", "ray", "to run a study on Ray")
        here = {"num_cpus": jobs or os.cpu_count() or 1, "include_dashboard": False}
        self._connect(address or "local", here if own else {}, tries=_STARTS if own else 1)

    def each(
        self, work: Callable[[Task], Result], tasks: Sequence[Task], started: Callable[[Task], None], stop: Stop
    ) -> Iterator[tuple[Task, Result | Lost]]:
        """Carry out ``work`` for as many tasks at a time as the cluster has CPUs."""
        remote = self._ray.remote(num_cpus=1, max_retries=RETRIES, retry_exceptions=True)(work)
        waiting, at_work, told = list(reversed(tasks)), dict[Any, Task](), False
        while at_work or (waiting and not stop()):
            while waiting and len(at_work) < self._room() and not stop():
                task = waiting.pop()
                started(task)
                at_work[remote.remote(task)] = task
            if stop() and not told:
                told = True
                for reference in at_work:
                    self._ray.cancel(reference, force=False)  # arrives as Ctrl-C: the chain saves and ends
            for reference in self._ray.wait(list(at_work), num_returns=1, timeout=_ANSWER_S)[0]:
                yield at_work.pop(reference), self._answer(reference)

    def close(self) -> None:
        """Leave the cluster; a Ray that was started here ends."""
        self._ray.shutdown()

    def _room(self) -> int:
        return self._jobs or max(1, int(self._ray.cluster_resources().get("CPU", 1)))

    def _answer(self, reference: Any) -> Any:
        try:
            return self._ray.get(reference)
        except Exception as fault:  # noqa: BLE001  Ray raises what the task raised, in clothes of its own
            return Lost(f"{type(fault).__name__}: {str(fault).strip().splitlines()[-1]}")

    def _connect(self, address: str, options: dict[str, Any], tries: int) -> None:
        try:
            self._ray.init(address=address, log_to_driver=False, logging_level="CRITICAL", **options)
        except Exception as fault:
            if tries > 1 and _SLOW_START in str(fault):
                self._ray.shutdown()
                return self._connect(address, options, tries - 1)
            raise unreachable(address, fault) from fault


def unreachable(address: str, fault: Exception) -> BackendError:
    """Return the error that says why Ray cannot be used."""
    return BackendError(
        "Ray cannot be used.",
        where="a Ray of its own on this machine" if address == "local" else address,
        found=f"{type(fault).__name__}: {fault}",
        remedy="check address and token (--token-file, RAY_AUTH_TOKEN_PATH), then run the same command again",
    )
