"""The four ways to train to a target: without our code, in one run, in sessions, and killed again and again."""

from __future__ import annotations

import functools
import json
import multiprocessing
import os
import random
import signal
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

import torch as th
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.callbacks import BaseCallback

from tests.checkpoints.cases import Case, case, device
from tests.checkpoints.fingerprint import fingerprint
from validation_ch7.checkpoints import CheckpointStore, LearnResult, learn_resumable

PREFIX = "task"


def uninterrupted(name: str, total: int | None = None) -> dict[str, str]:
    """Return the fingerprint of plain ``model.learn()``, without any code of the package under test."""
    return _uninterrupted(name, total, device())


@functools.cache
def _uninterrupted(name: str, total: int | None, _: str) -> dict[str, str]:
    th.set_num_threads(1)
    model = case(name).build()
    with tempfile.TemporaryDirectory() as folder:
        callback = _callback(case(name), Path(folder))
        model.learn(total or case(name).total, callback=callback)
        return _finished(model, callback)


def one_run(name: str, root: Path, **options: Any) -> dict[str, str]:
    """Return the fingerprint after a single call."""
    return session(name, root, **options)[0]


def sessions(name: str, root: Path, *lengths: int, **options: Any) -> tuple[dict[str, str], list[LearnResult]]:
    """Return the fingerprint after sessions of these lengths, and what each of them reported."""
    results = []
    for length in (*lengths, None):
        found, result = session(name, root, session_timesteps=length, **options)
        results.append(result)
    return found, results


def session(name: str, root: Path, total: int | None = None, **options: Any) -> tuple[dict[str, str], LearnResult]:
    """Run one session with a new model and return its fingerprint and its result."""
    extra = options.pop("extra", None)
    th.set_num_threads(1)
    chosen = case(name)
    _disturb()
    model = chosen.build()
    callback = _callback(chosen, root)
    arguments = {"save_freq": 48} | options
    callbacks = [item for item in (callback, extra) if item is not None]
    store = CheckpointStore(root, PREFIX)
    result = learn_resumable(model, total or chosen.total, store, callback=callbacks, **arguments)
    return _finished(model, callback), result


class Fuse(BaseCallback):
    """Kills its own process soon after some environment steps; it has no state to resume."""

    def __init__(self, steps: int, delay_s: float) -> None:
        super().__init__()
        self._steps, self._timer = steps, threading.Timer(delay_s, os.killpg, (os.getpid(), signal.SIGKILL))

    def get_state(self) -> None:
        """There is nothing to keep."""

    def set_state(self, state: None) -> None:
        """There is nothing to put back."""

    def _on_step(self) -> bool:
        self._steps -= 1
        if self._steps == 0:
            self._timer.start()
        return True

    def _on_training_end(self) -> None:
        self._timer.cancel()  # the death of the last save has tests of its own


def killed(name: str, root: Path, seed: int, kills: int = 4) -> dict[str, str]:
    """Train in child processes that are killed at random moments, the last one excepted."""
    chance, report = random.Random(seed), root / "fingerprint.json"
    codes = []
    for fuse in [*((chance.randrange(1, 100), chance.uniform(0.0, 0.01)) for _ in range(kills)), (0, 0.0)]:
        if not report.exists():
            codes.append(_exit_code(name, root, report, fuse))
    assert -signal.SIGKILL in codes and set(codes) == {0, -signal.SIGKILL}
    return json.loads(report.read_text())


def _exit_code(name: str, root: Path, report: Path, fuse: tuple[int, float]) -> int | None:
    method = "fork" if device() == "cpu" else "spawn"  # CUDA does not survive a fork
    child = multiprocessing.get_context(method).Process(target=_child, args=(name, root, report, fuse))
    child.start()
    child.join()
    return child.exitcode


def _child(name: str, root: Path, report: Path, fuse: tuple[int, float]) -> None:
    os.setpgid(0, 0)
    found, _ = session(name, root, save_freq=16, extra=Fuse(*fuse))
    partial = report.with_suffix(".partial")
    partial.write_text(json.dumps(found))
    partial.rename(report)


def _callback(chosen: Case, folder: Path) -> Any:
    return chosen.callback(folder) if chosen.callback else None


def _disturb() -> None:
    # A new process starts with other global generators than the one that was stopped.
    random.seed()
    th.seed()


def _finished(model: BaseAlgorithm, callback: Any) -> dict[str, str]:
    found = fingerprint(model, callback)
    assert model.env is not None
    model.env.close()
    return found


if __name__ == "__main__":
    length = int(sys.argv[3]) if len(sys.argv) > 3 else None
    print(json.dumps(session(sys.argv[1], Path(sys.argv[2]), session_timesteps=length)[0]))
