"""SUMO in a process of its own, under an interpreter that has it: ``rival.py FOLDER`` builds the network and answers.

Orders come as lines of JSON on the standard input, answers go as such lines to the standard output. ``load`` begins an
episode from a seed of SUMO's; ``step`` gives, for each second, the light of each approach and the vehicles that arrive,
and is answered with what stands on the approaches afterwards. Needs nothing but ``eclipse-sumo`` and ``libsumo``.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import libsumo
import sumo

NETWORK = "network.net.xml"


def build(folder: Path) -> None:
    """Make the network with netconvert."""
    plain = [f"--{kind}-files={folder / f'plain.{short}.xml'}" for kind, short in _PLAIN.items()]
    netconvert = Path(sumo.SUMO_HOME) / "bin" / "netconvert"
    options = [*plain, f"--output-file={folder / NETWORK}", "--no-turnarounds=true"]
    subprocess.run([str(netconvert), *options], check=True, capture_output=True)


_PLAIN = {"node": "nod", "edge": "edg", "connection": "con"}


def options(folder: Path, seed: int) -> list[str]:
    """Return SUMO's options; a vehicle that cannot move is never taken away."""
    files = ["-n", str(folder / NETWORK), "-r", str(folder / "drivers.rou.xml")]
    quiet = ["--no-step-log", "--no-warnings", "--duration-log.statistics"]  # the last one lets SUMO keep account
    return [*files, *quiet, "--time-to-teleport", "-1", "--step-length", "1", "--seed", str(seed)]


class Intersection:
    """One running simulation."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.facts: dict[str, Any] = json.loads((folder / "facts.json").read_text(encoding="utf-8"))
        self.approaches: list[str] = self.facts["approaches"]
        self.added = 0
        self.outside_s = 0.0
        libsumo.start(["sumo", *options(folder, 0)])
        links = libsumo.trafficlight.getControlledLinks("centre")
        self.order = [self.approaches.index(link[0][0].rpartition("_")[0]) for link in links]

    def load(self, seed: int) -> None:
        """Begin an episode."""
        libsumo.load(options(self.folder, seed))
        self.added, self.outside_s = 0, 0.0

    def step(self, lights: list[str], arrivals: list[list[int]]) -> dict[str, Any]:
        """Let the seconds pass and return what was lost in them [veh s], and what is there now."""
        lost = spent = 0.0
        for shown, arriving in zip(lights, arrivals, strict=True):
            libsumo.trafficlight.setRedYellowGreenState("centre", "".join(shown[at] for at in self.order))
            self.add(arriving)
            libsumo.simulationStep()
            more_lost, more_spent = self.second()
            lost, spent = lost + more_lost, spent + more_spent
        return {"delay": lost, "time": spent, **self.look()}

    def add(self, arriving: list[int]) -> None:
        """Give SUMO the vehicles of this second; it lets them in when there is room."""
        for approach, count in zip(self.approaches, arriving, strict=True):
            for _ in range(count):
                name, self.added = str(self.added), self.added + 1
                libsumo.vehicle.add(name, approach, typeID="car", departLane="free", departSpeed="max")

    def second(self) -> tuple[float, float]:
        """Return the delay and the time spent in this second, on the approaches and before them [veh s]."""
        lost = spent = 0.0
        for approach in self.approaches:
            waiting = len(libsumo.edge.getPendingVehicles(approach))
            there = libsumo.edge.getLastStepVehicleNumber(approach)
            speed = libsumo.edge.getLastStepMeanSpeed(approach) if there else 0.0
            self.outside_s += waiting
            lost += waiting + there * (1.0 - speed / self.facts["free_speed_m_s"])
            spent += waiting + there
        return lost, spent

    def look(self) -> dict[str, Any]:
        """Return the vehicles in each cell, those that are queued, and those that wait outside, by approach."""
        cells, queued = [], []
        for approach, lanes in zip(self.approaches, self.facts["lanes"], strict=True):
            counts, slow = [0] * self.facts["cells"], 0
            for lane in range(lanes):
                for vehicle in libsumo.lane.getLastStepVehicleIDs(f"{approach}_{lane}"):
                    cell = int(libsumo.vehicle.getLanePosition(vehicle) / self.facts["cell_length_m"])
                    counts[min(cell, self.facts["cells"] - 1)] += 1
                    slow += libsumo.vehicle.getSpeed(vehicle) < self.facts["stop_speed_m_s"]
            cells.append(counts)
            queued.append(slow)
        outside = [len(libsumo.edge.getPendingVehicles(approach)) for approach in self.approaches]
        return {"cells": cells, "queued": queued, "outside": outside}

    def conclude(self) -> float:
        """Return the delay by SUMO's own account, over everybody, those on their way included [veh s]."""
        statistics = "device.tripinfo.vehicleTripStatistics."
        left, each = (float(libsumo.simulation.getParameter("", statistics + key)) for key in ("count", "timeLoss"))
        under_way = sum(libsumo.vehicle.getTimeLoss(vehicle) for vehicle in libsumo.vehicle.getIDList())
        return left * each + under_way + self.outside_s


def main() -> None:
    """Build the network, then answer orders until there are no more."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what SUMO prints, statistics of each episode, is no answer
    folder = Path(sys.argv[1])
    if not (folder / NETWORK).is_file():
        build(folder)
    intersection = Intersection(folder)
    print(json.dumps({"version": libsumo.getVersion()[1]}), file=answers, flush=True)
    with contextlib.closing(answers):
        for line in sys.stdin:
            order = json.loads(line)
            if "seed" in order:
                intersection.load(order["seed"])
            elif "conclude" in order:
                print(json.dumps({"delay": intersection.conclude()}), file=answers, flush=True)
            else:
                answer = intersection.step(order["lights"], order["arrivals"])
                print(json.dumps(answer), file=answers, flush=True)
    libsumo.close()


if __name__ == "__main__":
    main()
