"""The measurements; rivals take turns within each round, and medians are compared."""

from __future__ import annotations

import gc
import hashlib
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch as th
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.callbacks import BaseCallback, CheckpointCallback

from benchmarks.checkpoints.workloads import ROW_BYTES, advance, dqn, ppo, saver_for, sb3_for, torchrl_for
from validation_ch7.checkpoints import CheckpointStore, learn_resumable
from validation_ch7.checkpoints.compatibility import describe_model
from validation_ch7.checkpoints.generators import take_generators
from validation_ch7.checkpoints.graph_capture import Capture
from validation_ch7.checkpoints.saver import Saver
from validation_ch7.checkpoints.select import resume_newest
from validation_ch7.checkpoints.snapshot import sde_matrices, take_model

Timed = Callable[[], float]
Clock = Callable[[Callable[[], object]], float]
SAVE_FREQ = 10_000
WARM = "CheckpointCallback, into warm memory"


@dataclass(frozen=True)
class Row:
    """One line of the table; ``value`` is compared with ``target`` where there is one."""

    name: str
    value: float
    unit: str
    target: float | None = None
    note: str = ""


def processor_seconds(work: Callable[[], object]) -> float:
    """Return the time that this thread computed during ``work`` [s]; neighbours on the machine do not count."""
    gc.collect()
    begin = time.thread_time()
    work()
    return time.thread_time() - begin


def seconds(work: Callable[[], object]) -> float:
    """Return the wall time of ``work`` [s]."""
    gc.collect()
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def device_seconds(work: Callable[[], object]) -> float:
    """Return the wall time of ``work`` until the CUDA device has done its part of it, too [s]."""
    gc.collect()
    th.cuda.synchronize()
    begin = time.perf_counter()
    work()
    th.cuda.synchronize()
    return time.perf_counter() - begin


def interleaved(rivals: dict[str, Timed], rounds: int) -> dict[str, float]:
    """Return the median of each rival, all of them measured in every round."""
    found: dict[str, list[float]] = {name: [] for name in rivals}
    for turn in range(rounds):
        names = list(rivals)
        for name in names[turn % len(names) :] + names[: turn % len(names)]:
            found[name].append(rivals[name]())
    return {name: statistics.median(values) for name, values in found.items()}


def rivals(model: BaseAlgorithm, folder: Path, rows: int, clock: Clock) -> dict[str, Timed]:
    """Return what a save blocks for: ours, SB3's, TorchRL's, and a raw write of the same bytes.

    ``CheckpointCallback`` keeps every file, as it does in use. Once more it saves into memory that a file of the same
    size has freed a moment ago, the best case. Nobody pays for what another still has to write.
    """
    saver, callback = saver_for(model, folder / "ours"), sb3_for(model, folder / "sb3")
    warmed = sb3_for(model, folder / "warm")
    saver.save("rollout_start", {})
    saver.close()
    fresh = SAVE_FREQ if rows else 64
    payload = os.urandom(1 << 20)

    def ours() -> float:
        advance(model, min(fresh, max(1, rows - 1)) if rows else fresh)
        _write_back()
        blocked = clock(lambda: saver.save("rollout_start", {}))
        saver.close()
        return blocked

    def sb3(callback: CheckpointCallback = callback) -> float:
        callback.n_calls = 1
        callback.num_timesteps += SAVE_FREQ  # names the file
        _write_back()
        return clock(callback._on_step)

    def sb3_warm() -> float:
        for _ in range(2):
            blocked = sb3(warmed)
            shutil.rmtree(folder / "warm")
            (folder / "warm").mkdir()
        return blocked

    def raw() -> float:
        _write_back()
        total = rows * ROW_BYTES + sum(path.stat().st_size for path in saver._store.folder.glob("*.zip")) // 2
        return clock(lambda: _write(folder / "raw", payload, total))

    found = {"ours": ours, "CheckpointCallback": sb3, WARM: sb3_warm, "raw write + fsync": raw}
    return found | _torchrl(model, folder, rows, clock)


def _write_back() -> None:
    if hasattr(os, "sync"):
        os.sync()


def _torchrl(model: BaseAlgorithm, folder: Path, rows: int, clock: Clock) -> dict[str, Timed]:
    replay = torchrl_for(model, rows)
    if replay is None:
        return {}

    def save() -> float:
        def work() -> None:
            th.save(model.get_parameters(), folder / "torchrl.pt")
            if rows:
                replay.dumps(folder / "torchrl")

        _write_back()
        blocked = clock(work)
        shutil.rmtree(folder / "torchrl", ignore_errors=True)
        return blocked

    return {"TorchRL": save}


def _write(path: Path, payload: bytes, total: int) -> None:
    with path.open("wb") as stream:
        for _ in range(total // len(payload)):
            stream.write(payload)
        stream.write(payload[: total % len(payload)])
        stream.flush()
        os.fsync(stream.fileno())


def blocking(folder: Path, rows: int, rounds: int, clock: Clock = seconds, device: str = "cpu") -> dict[str, float]:
    """Return the median blocking times [s] of a save of a policy, or of a DQN with ``rows`` transitions."""
    model = dqn(rows, device) if rows else ppo(device)
    found = interleaved(rivals(model, folder, rows, clock), rounds)
    shutil.rmtree(folder)
    return found


class SavesInTurn(BaseCallback):
    """Saves every so many steps of training, ours and ``CheckpointCallback`` in turn, and notes what each blocks for.

    As in use: at a boundary of the loop, after real training, every file kept, nothing written back for anyone.
    """

    def __init__(self, saver: Saver, rival: CheckpointCallback, steps: int) -> None:
        super().__init__()
        self.blocked: dict[str, list[float]] = {"ours": [], "CheckpointCallback": []}
        self._saver, self._rival, self._steps, self._last = saver, rival, steps, 0

    def _on_training_start(self) -> None:
        self._last = self.num_timesteps

    def _on_rollout_start(self) -> None:
        if self.num_timesteps - self._last < self._steps:
            return
        self._last = self.num_timesteps
        ours, theirs = self.blocked.values()
        begin = time.perf_counter()
        if len(ours) <= len(theirs):
            self._saver.save("rollout_start", {})
            ours.append(time.perf_counter() - begin)
        else:
            self._rival.n_calls, self._rival.num_timesteps = 1, self.num_timesteps  # when it saves, and the file's name
            self._rival._on_step()
            theirs.append(time.perf_counter() - begin)

    def _on_step(self) -> bool:
        self._saver.check()
        return True


def within_training(folder: Path, rows: int, rounds: int, steps: int) -> tuple[dict[str, float], float]:
    """Return the median blocking times [s] within training, and that of so many steps of training without them [s]."""
    model = dqn(rows) if rows else ppo()
    saver = saver_for(model, folder / "ours")
    saver.save("rollout_start", {})
    turns = SavesInTurn(saver, sb3_for(model, folder / "sb3"), steps)
    total = (2 * rounds + 1) * steps
    took = seconds(lambda: model.learn(total, callback=turns, reset_num_timesteps=False))
    saver.close()
    shutil.rmtree(folder)
    pure = took - sum(sum(values) for values in turns.blocked.values())
    return {name: statistics.median(values) for name, values in turns.blocked.items()}, pure * steps / total


def bytes_per_save(folder: Path, rows: int) -> tuple[float, float]:
    """Return the bytes that one save writes, and those of the new transitions and the model alone."""
    model = dqn(rows)
    saver = saver_for(model, folder)
    saver.save("rollout_start", {})
    saver.close()
    before = set(folder.rglob("*"))
    advance(model, min(SAVE_FREQ, rows))
    saver.save("rollout_start", {})
    saver.close()
    written = sum(path.stat().st_size for path in set(folder.rglob("*")) - before if path.is_file())
    model.save(folder / "plain.zip")
    return written, min(SAVE_FREQ, rows) * ROW_BYTES + (folder / "plain.zip").stat().st_size


def store_growth(folder: Path, rows: int, saves: int) -> float:
    """Return the size of a store after many saves, as a multiple of one buffer."""
    model = dqn(rows)
    saver = saver_for(model, folder)
    for _ in range(saves):
        advance(model, rows // 100)
        saver.save("rollout_start", {})
    saver.close()
    return _size(folder) / (rows * ROW_BYTES)


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


class FirstStep(BaseCallback):
    """Notes when the first step of training was done."""

    at = 0.0

    def _on_step(self) -> bool:
        self.at = self.at or time.perf_counter()
        return True


def resume(folder: Path, rows: int, rounds: int) -> dict[str, float]:
    """Return the medians of: resume to the first step, verify, restore, read + hash, and hash + copy [s]."""
    model = dqn(rows)
    saver = saver_for(model, folder / "store")
    saver.save("rollout_start", {})
    saver.close()
    store = CheckpointStore(folder / "store", "bench")
    target = dqn(rows)
    files = [path for path in store.folder.rglob("*") if path.is_file() and path.suffix in (".zip", ".npz")]

    def first_step() -> float:
        step, begin = FirstStep(), time.perf_counter()
        learn_resumable(target, model.num_timesteps + 1, store, callback=step, save_freq=10**9)
        for path in store.paths():
            if path.name != files[0].name and path not in files:
                path.unlink()
        store.collect_chunks()
        return step.at - begin

    return interleaved(
        {
            "resume": first_step,
            "read + sha256": lambda: seconds(lambda: [hashlib.sha256(path.read_bytes()).digest() for path in files]),
            "verify": lambda: seconds(lambda: store.verify(store.paths()[0])),
            "restore": lambda: seconds(lambda: _restore(store, target)),
            "sha256 + copy": lambda: seconds(lambda: [_hash_and_copy(path, folder / "copy") for path in files]),
        },
        rounds,
    )


def _restore(store: CheckpointStore, model: BaseAlgorithm) -> None:
    found = resume_newest(store, model, describe_model(model), lambda _: None)
    assert found is not None


def process(folder: Path, rows: int, rounds: int) -> dict[str, float]:
    """Return the medians from the start of a process to its first step of training, resumed and anew [s]."""
    saver = saver_for(dqn(rows), folder / "store")
    saver.save("rollout_start", {})
    saver.close()

    def started(root: Path) -> float:
        command = [sys.executable, "-m", "benchmarks.checkpoints.process", str(root), str(rows)]
        begin = time.perf_counter()
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as child:
            assert child.stdout is not None
            line = child.stdout.readline()
            took = time.perf_counter() - begin
            child.kill()
        assert line.strip() == b"first step", line
        return took

    return interleaved(
        {"resumed": lambda: started(folder / "store"), "anew": lambda: started(Path(tempfile.mkdtemp(dir=folder)))},
        rounds,
    )


def _hash_and_copy(path: Path, target: Path) -> None:
    data = path.read_bytes()
    hashlib.sha256(data).digest()
    target.write_bytes(data)


def capture(rounds: int) -> dict[str, float]:
    """Return the median time of taking the state beyond weights: loop, environments, generators [s].

    Within training, between an update and the next rollout, where a save takes it; and after a full garbage
    collection, which leaves the caches of the processor and of Python empty.
    """
    model = ppo()
    found: dict[str, list[float]] = {"training": [], "collected": []}

    def take() -> None:
        found = Capture()
        take_generators()
        take_model(model, found)
        found.take(model.env, "env")
        found.take(sde_matrices(model), "sde")
        found.join_views()

    class AtBoundary(BaseCallback):
        def _on_rollout_start(self) -> None:
            begin = time.perf_counter()
            take()
            found["training"].append(time.perf_counter() - begin)
            found["collected"].append(seconds(take))

        def _on_step(self) -> bool:
            return True

    model.learn(64 * rounds, callback=AtBoundary(), reset_num_timesteps=False)
    return {name: statistics.median(values) for name, values in found.items()}


def crowded(folder: Path, count: int, rounds: int) -> dict[str, float]:
    """Return blocking time and whole time of a save into a store that holds ``count`` checkpoints [s]."""
    model = ppo()
    saver = saver_for(model, folder)
    saver.save("rollout_start", {})
    saver.close()
    first = saver._store.paths()[0]
    for index in range(1, count):
        target: Any = saver._store.path(first.stat().st_size + index)
        shutil.copy(first, target)
        target.with_name(target.name + ".pin").touch()
    blocked, whole = [], []
    for _ in range(rounds):
        advance(model, 64)
        begin = time.perf_counter()
        saver.save("rollout_start", {})
        blocked.append(time.perf_counter() - begin)
        saver.close()
        whole.append(time.perf_counter() - begin)
    restored = statistics.median(seconds(lambda: _restore(saver._store, model)) for _ in range(rounds))
    return {"blocked": statistics.median(blocked), "whole": statistics.median(whole[1:] or whole), "restored": restored}
