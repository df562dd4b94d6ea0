"""SUMO behind the interface of our simulator: the same controllers and agents decide, and SUMO moves the vehicles.

After each decision what stands on SUMO's approaches is written into the arrays of our simulator, cell by cell, so that
controllers, observation, reward and statistics are our own code, unchanged; so is the state machine of the signals.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from validation_ch7.control import Controller
from validation_ch7.environment.vec_env import TrafficVecEnv
from validation_ch7.environment_config import EnvironmentConfig
from validation_ch7.traffic import MEASURES, Simulator, start_episodes, summarise
from validation_ch7.traffic.arrays import Array, Floats, Integers
from validation_ch7.traffic.kernel import request, tick

SCRIPT = Path(__file__).with_name("rival.py")
_PEAKS = [MEASURES.index("queue_max_veh"), MEASURES.index("overall")]
CAR = 1
"""Index of the class that drives on SUMO; there are no motorbikes."""


class Rival:
    """One process that runs SUMO.

    Args:
        python: an interpreter with ``eclipse-sumo`` and ``libsumo``.
        folder: of :func:`~benchmarks.sumo_ranking.network.write_network`.
    """

    def __init__(self, python: str, folder: Path) -> None:
        command = [python, str(SCRIPT), str(folder)]
        self._process = subprocess.Popen(
            command, text=True, encoding="utf-8", stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self.version = ""

    def wait(self) -> None:
        """Wait until it is ready."""
        self.version = str(self.receive()["version"])

    def send(self, order: dict[str, Any]) -> None:
        """Send an order."""
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()

    def receive(self) -> dict[str, Any]:
        """Return the next answer, or end the benchmark where there is none."""
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit("SUMO's process ended; what it said stands above.")
        return json.loads(line)  # type: ignore[no-any-return]

    def processor_s(self) -> float:
        """Return its processor time so far [s]."""
        times = psutil.Process(self._process.pid).cpu_times()
        return float(times.user + times.system)

    def close(self) -> None:
        """Let the process end."""
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        self._process.wait(timeout=60)


@contextlib.contextmanager
def open_rivals(python: str, folder: Path, count: int) -> Iterator[list[Rival]]:
    """Start processes, the first one alone since it builds the network, and end them afterwards."""
    rivals = [Rival(python, folder)]
    try:
        rivals[0].wait()
        rivals += [Rival(python, folder) for _ in range(count - 1)]
        for rival in rivals[1:]:
            rival.wait()
        yield rivals
    finally:
        for rival in rivals:
            rival.close()


def spread(count: int, seconds: int) -> list[int]:
    """Return how many of the vehicles of a decision arrive in each of its seconds, evenly.

    >>> spread(3, 5), spread(7, 5)
    ([1, 0, 1, 0, 1], [1, 2, 1, 2, 1])
    """
    return np.bincount([(2 * k + 1) * seconds // (2 * count) for k in range(count)], minlength=seconds).tolist()


def sumo_seed(arrivals: Array) -> int:
    """Return the seed of SUMO's drivers for a demand: everybody meets the same demand with the same drivers."""
    return zlib.crc32(np.ascontiguousarray(arrivals).tobytes()) & 0x7FFFFFFF


class SumoSimulator(Simulator):
    """Our simulator with SUMO for its physics; one row for each process.

    Args:
        config: the environment: one intersection, cars only, decisions of whole seconds.
        rivals: the processes.
    """

    def __init__(self, config: EnvironmentConfig, rivals: Sequence[Rival]) -> None:
        super().__init__(config, len(rivals))
        self.rivals = list(rivals)
        self._seconds = round(config.decision_s)
        self._interval_s = config.decision_s
        self._open = np.zeros(len(self.layout.tables.links), np.bool_)

    def restart(self, rows: Sequence[int], arrivals: Array) -> None:
        """Begin an episode in some rows, here and there."""
        super().restart(rows, arrivals)
        for row, drawn in zip(rows, arrivals, strict=True):
            self.rivals[row].send({"seed": sumo_seed(drawn)})

    def step(self, wanted: Integers) -> Array:
        """Advance SUMO by one decision and return the observations, as :class:`Simulator` does."""
        moving = np.flatnonzero(wanted[:, 0] >= 0).tolist()
        for row in moving:
            self.rivals[row].send(self._order(row, wanted[row]))
        found = {row: self._take(row, self.rivals[row].receive()) for row in moving}
        observation = super().step(np.full_like(wanted, -1))  # observes, and moves nothing
        for row, measures in found.items():
            self.measures[row] = measures
        return observation

    def _order(self, row: int, wanted: Integers) -> dict[str, Any]:
        request(self.signal[row], wanted, self.layout.tables)
        lights = [self._light(row) for _ in range(self._seconds)]
        counts = self.arrivals[row, self.clock[row], :, CAR].tolist()
        arriving = zip(*(spread(count, self._seconds) for count in counts), strict=True)
        return {"lights": lights, "arrivals": [list(second) for second in arriving]}

    def _light(self, row: int) -> str:
        """Return the light of each approach in the next second, and let that second pass for the signal."""
        tables, signal = self.layout.tables, self.signal[row]
        shown = ""
        for substep in range(int(tables.timing[0]) // self._seconds):
            elapsed = int(signal[0, 2])
            tick(signal, self._open, tables)
            if substep == 0:
                changing = signal[0, 0] != signal[0, 1] and elapsed < tables.timing[6]
                shown = light(self._open.tolist(), (tables.green[signal[0, 0]] > 0).tolist(), bool(changing))
        return shown

    def _take(self, row: int, answer: dict[str, Any]) -> Floats:
        """Write what SUMO tells into the arrays, and return the measures of the decision."""
        before = self.vehicles(slice(row, row + 1))[0, CAR]
        arrived = self.arrivals[row, self.clock[row], :, CAR].sum()
        for (first, last, _, _), cells in zip(self.layout.tables.links, answer["cells"], strict=True):
            self.x[row, CAR, first:last] = np.array(cells) / self.layout.vehicles[CAR, first:last]
        self.queue[row, :, CAR] = answer["outside"]
        self.roads[row, :, CAR, 0] = answer["queued"]
        self.roads[row, :, CAR, 1] = [sum(cells) for cells in answer["cells"]]
        self.clock[row] += 1
        left = before + arrived - self.vehicles(slice(row, row + 1))[0, CAR]
        return self._measures(answer, float(left))

    def _measures(self, answer: dict[str, Any], left: float) -> Floats:
        queued = float(sum(answer["queued"]))
        halted = queued + sum(answer["outside"])
        measures = np.zeros((len(MEASURES), 2))
        measures[:6, CAR] = answer["delay"], answer["time"], halted, 0.0, left, halted
        measures[6] = halted, queued
        return measures


def light(opened: Sequence[bool], green: Sequence[bool], changing: bool) -> str:
    """Return the letters of SUMO for each approach: G, y while its green has just ended, r.

    >>> light([True, True, False, False], [True, True, False, False], False)
    'GGrr'
    >>> light([False] * 4, [True, True, False, False], True)
    'yyrr'
    """
    ending = ["y" if changing and served else "r" for served in green]
    return "".join("G" if is_open else otherwise for is_open, otherwise in zip(opened, ending, strict=True))


class SumoVecEnv(TrafficVecEnv):
    """Our SB3 environment with SUMO for its physics; observation, reward, demand and episodes are our own code."""

    def __init__(self, config: EnvironmentConfig, seeds: Sequence[int], rivals: Sequence[Rival]) -> None:
        super().__init__(config, seeds)
        self.batch.simulator = SumoSimulator(config, rivals[: len(seeds)])


def play(
    config: EnvironmentConfig, controller: Controller, seeds: Sequence[int], rivals: Sequence[Rival]
) -> list[dict[str, float]]:
    """Return the statistics of one episode on SUMO for each seed, as :func:`validation_ch7.control.simulate` does.

    ``own_delay_s`` is the mean delay by SUMO's own account: time loss, exits included, and the wait outside [s].
    """
    episodes: list[dict[str, float]] = []
    for start in range(0, len(seeds), len(rivals)):
        part = seeds[start : start + len(rivals)]
        simulator = SumoSimulator(config, rivals[: len(part)])
        episodes += _play_together(config, controller, part, simulator)
    return episodes


def _play_together(
    config: EnvironmentConfig, controller: Controller, seeds: Sequence[int], simulator: SumoSimulator
) -> list[dict[str, float]]:
    start_episodes(simulator, config, seeds)
    totals = np.zeros((len(seeds), len(MEASURES), 2))
    for _ in range(config.steps_per_episode):
        simulator.step(controller.decide(simulator))
        highest = np.maximum(totals[:, _PEAKS], simulator.measures[:, _PEAKS])
        totals += simulator.measures
        totals[:, _PEAKS] = highest
    for rival in simulator.rivals:
        rival.send({"conclude": True})
    own = [rival.receive()["delay"] for rival in simulator.rivals]
    episodes = summarise(totals, simulator, range(len(seeds)))
    return [
        episode | {"own_delay_s": lost / max(episode["arrived_veh"], 1.0)}
        for episode, lost in zip(episodes, own, strict=True)
    ]
