"""Does the ranking of controllers on our traffic model hold on SUMO?

    python -m benchmarks.sumo_ranking --rivals PYTHON [--seeds N] [--steps N] [--sumo-agents N] [--write]

``--rivals`` is the interpreter of a virtual environment with SUMO: ``pip install eclipse-sumo libsumo``. Controllers
are tuned, and agents trained, on our model and on SUMO, and all are judged on both. What is done is kept in
``--folder``; the same command again goes on. ``--on-sumo --sumo-agents 0`` leaves out what takes longest.
``--write`` puts the result beside this file.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.sumo_ranking import players, report
from benchmarks.sumo_ranking.saturation import calibrate
from benchmarks.sumo_ranking.simulator import open_rivals
from validation_ch7.control import Controller
from validation_ch7.environment_config import APPROACHES
from validation_ch7.study.protocol import EvaluationProtocol

HERE = Path(__file__).parent
PROTOCOL = EvaluationProtocol()
CONTROLLERS = ("fixed_time", "webster", "max_pressure", "greedy", "actuated")
Part = dict[str, Any]


@dataclass(frozen=True)
class Parts:
    """What has been measured, one file each, so that the command goes on where it was stopped.

    Attributes:
        folder: where the files lie.
        settings: what the numbers depend on; under other settings nothing of it is used.
    """

    folder: Path
    settings: dict[str, Any]

    def get(self, name: str, measure: Callable[[], Part]) -> Part:
        """Return a part, measured now unless it has been."""
        path = self.folder / f"{name}.json"
        if path.is_file():
            kept = json.loads(path.read_text(encoding="utf-8"))
            if kept["settings"] == self.settings:
                return kept["part"]  # type: ignore[no-any-return]
        began = time.perf_counter()
        part = json.loads(json.dumps(measure()))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"settings": self.settings, "part": part}), encoding="utf-8", newline="\n")
        print(f"{name}: {time.perf_counter() - began:.0f} s", flush=True)
        return part


@dataclass(frozen=True)
class Contest:
    """Everything that is measured, on both simulators.

    Attributes:
        arenas: by name, see :data:`~benchmarks.sumo_ranking.players.SIMULATORS`.
        parts: what has been measured.
        seeds: demand seeds that judge.
        tuning: demand seeds of the searches.
        on_sumo: names of controllers that are tuned on SUMO as well.
        agents: how many are trained on our model, as section.yml says.
        sumo_agents: how many are trained on SUMO, and as many for as long on our model.
        steps: target of these trainings.
    """

    arenas: dict[str, players.Arena]
    parts: Parts
    seeds: Sequence[int]
    tuning: Sequence[int]
    on_sumo: Sequence[str] = CONTROLLERS
    agents: int = 3
    sumo_agents: int = 3
    steps: int = 131_072

    def judged(self, controller: Controller, places: Sequence[str] = players.SIMULATORS) -> Part:
        """Return the mean delay of each episode, by simulator, and by SUMO's own account [s]."""
        found: Part = {}
        for place in places:
            episodes = self.arenas[place].judge(controller, self.seeds)
            found[place] = [round(episode["mean_delay_s"], 4) for episode in episodes]
            if place == "sumo":
                found["own"] = [round(episode["own_delay_s"], 4) for episode in episodes]
                found["residual_veh"] = sum(episode["residual_veh"] for episode in episodes) / len(episodes)
        return found

    def classical(self, name: str, place: str) -> Part:
        """Return a controller tuned in one place, and how it does in both."""

        def measure() -> Part:
            tuned = players.tune_in(self.arenas[place], name, self.tuning)
            facts = {"parameters": dict(tuned.parameters), "tried": tuned.tried, "search_s": tuned.delay_s}
            return facts | self.judged(tuned.make())

        return self.parts.get(f"{name}.{place}", measure)

    def trained(self, place: str, seed: int, steps: int | None) -> Part:
        """Return an agent trained in one place, and how it does in both."""

        def measure() -> Part:
            agent, facts = players.train_in(self.arenas[place], players.spec("ppo", seed, steps))
            return {"training": facts} | self.judged(agent)

        processes = f"-{len(self.arenas[place].rivals)}" if place == "sumo" else ""
        return self.parts.get(f"ppo-{steps or 'all'}-{seed}{processes}.{place}", measure)

    def run(self) -> Part:
        """Return every part by player, and for agents by training seed."""
        controllers = {
            name: {
                place: self.classical(name, place)
                for place in players.SIMULATORS
                if place == "ours" or name in self.on_sumo
            }
            for name in CONTROLLERS
        }
        few = range(self.sumo_agents)
        ppo = {
            "ours": [self.trained("ours", seed, None) for seed in range(self.agents)],
            "short": [self.trained("ours", seed, self.steps) for seed in few],
            "sumo": [self.trained("sumo", seed, self.steps) for seed in few],
        }
        return {"controllers": controllers, "ppo": ppo}


def machine(sumo: str) -> dict[str, Any]:
    """Return what and where it was measured."""
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "sumo": sumo,
        "stable_baselines3": version("stable-baselines3"),
        "torch": version("torch"),
    }


def read_options(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.sumo_ranking",
        description=__doc__,
        formatter_class=argparse.RawTextHelpFormatter,
    )
    parser.add_argument("--rivals", required=True, help="interpreter of an environment with eclipse-sumo and libsumo")
    parser.add_argument("--seeds", type=int, default=PROTOCOL.seeds.count, help="held-out demand seeds")
    parser.add_argument("--tuning-seeds", type=int, default=PROTOCOL.tuning_seeds.count)
    parser.add_argument("--on-sumo", nargs="*", choices=CONTROLLERS, default=CONTROLLERS, help="who is tuned there too")
    parser.add_argument("--agents", type=int, default=3, help="agents trained on our model, as section.yml says")
    parser.add_argument("--sumo-agents", type=int, default=3, help="agents trained on SUMO, and as long on our model")
    parser.add_argument("--steps", type=int, default=131_072, help="steps of each of these trainings")
    parser.add_argument("--processes", type=int, default=64, help="SUMOs side by side")
    parser.add_argument(
        "--store", type=Path, action="append", default=[], help="store of a chain of a study: its agent"
    )
    parser.add_argument("--folder", type=Path, default=Path("validation_output") / "sumo_ranking")
    parser.add_argument("--write", action="store_true", help="keep the result beside this module")
    return parser.parse_args(arguments)


def main() -> None:
    """Measure what is not measured yet, and show the two rankings."""
    options = read_options()
    config = players.spec("ppo", 0, None).environment
    settings = {
        "environment": config.model_dump(mode="json"),
        "seeds": options.seeds,
        "tuning_seeds": options.tuning_seeds,
    }
    parts = Parts(options.folder / "parts", settings)
    network = options.folder / "network"
    found = parts.get("saturation", lambda: calibrate(options.rivals, options.folder, config))
    nominal = dict.fromkeys(APPROACHES, config.network.saturation_flow_pcu_per_h_lane)
    with ExitStack() as stack:
        rivals = stack.enter_context(open_rivals(options.rivals, network, options.processes))
        arenas = {
            "ours": players.Arena("ours", config, nominal),
            "sumo": players.Arena("sumo", config, found["saturation_veh_per_h_lane"], rivals),
        }
        seeds = PROTOCOL.seeds.values[: options.seeds], PROTOCOL.tuning_seeds.values[: options.tuning_seeds]
        trained = options.agents, options.sumo_agents, options.steps
        contest = Contest(arenas, parts, *seeds, options.on_sumo, *trained)
        measured = contest.run()
        measured["stored"] = [
            {"store": root.name} | contest.judged(players.stored_agent(root)) for root in options.store
        ]
        facts = machine(rivals[0].version) | {"command": command(sys.argv[1:])}
    result = report.conclude(facts, found, measured, vars(options))
    text = report.as_markdown(result)
    print(text)
    if options.write:
        (HERE / "results.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8", newline="\n")
        (HERE / "results.md").write_text(text, encoding="utf-8", newline="\n")


def command(arguments: Sequence[str]) -> str:
    """Return the command with the interpreter of the rivals left out, which is a path of one machine.

    >>> command(["--rivals", "/home/me/bin/python", "--seeds", "3"])
    'python -m benchmarks.sumo_ranking --rivals PYTHON --seeds 3'
    """
    shown = list(arguments)
    if "--rivals" in shown:
        shown[shown.index("--rivals") + 1] = "PYTHON"
    return " ".join(["python -m benchmarks.sumo_ranking", *shown])


if __name__ == "__main__":
    main()
