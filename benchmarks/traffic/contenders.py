"""One contender of the traffic benchmark, run alone in its process: ``contenders.py NAME SECONDS`` prints JSON.

Every contender controls one signalised four-approach intersection with random actions every 5 s of simulated
time (UXsim: every 15 s, as its platoons allow), wrappers included, and counts environment steps per second.
"""

from __future__ import annotations

import json
import os
import random
import sys
import time
from collections.abc import Callable
from pathlib import Path

DECISION_S = 5


def measure(
    step: Callable[[], int], seconds: float, warm_up: int, clock: Callable[[], float] = time.process_time
) -> float:
    """Return environment steps per second of the clock; ``step`` returns how many it did.

    The clock is the processor time of this process, so that other work on the machine does not count; what runs
    beside this process (SUMO behind TraCI, several cores, another device) takes the wall clock.
    """
    for _ in range(warm_up):
        step()
    done, start = 0, clock()
    while clock() - start < seconds:
        done += step()
    return done / (clock() - start)


def ours(rows: int, seconds: float, **solver: object) -> dict[str, float]:
    import numpy as np

    sys.path.insert(0, str(Path(__file__).parents[2]))
    from validation_ch7.environment import make_vec_env
    from validation_ch7.environment_config import EnvironmentConfig, Solver

    env = make_vec_env(EnvironmentConfig(solver=Solver(**solver)), range(rows))
    env.reset()
    actions = np.random.default_rng(0).integers(0, 2, (256, rows))
    count = iter(range(1 << 60))

    def step() -> int:
        env.step(actions[next(count) % 256])
        return rows

    alone = solver.keys().isdisjoint({"threads", "device"})
    clock = time.process_time if alone else time.perf_counter
    return {"steps_per_s": measure(step, seconds, 130, clock), "decision_s": DECISION_S}


def sumo_rl(library: bool, seconds: float, lean: bool = False) -> dict[str, float]:
    import sumo

    os.environ["SUMO_HOME"] = sumo.SUMO_HOME
    if library:
        os.environ["LIBSUMO_AS_TRACI"] = "1"
    import sumo_rl

    nets = Path(sumo_rl.__file__).parent / "nets" / "2way-single-intersection"
    env = sumo_rl.SumoEnvironment(
        net_file=str(nets / "single-intersection.net.xml"),
        route_file=str(nets / "single-intersection-vhvh.rou.xml"),
        single_agent=True,
        use_gui=False,
        num_seconds=100_000,
        delta_time=DECISION_S,
        sumo_warnings=False,
        add_system_info=not lean,
        add_per_agent_info=not lean,
    )
    env.reset(seed=0)
    generator = random.Random(0)

    def step() -> int:
        env.step(generator.randrange(env.action_space.n))
        return 1

    clock = time.process_time if library else time.perf_counter
    return {"steps_per_s": measure(step, seconds, 60, clock), "decision_s": DECISION_S}


def lightsim(seconds: float) -> dict[str, float]:
    import lightsim

    env = lightsim.make("single-intersection-v0")  # 5 s a decision, one lane of 300 m for each movement
    env.reset(seed=0)

    def step() -> int:
        if any(env.step(env.action_space.sample())[2:4]):
            env.reset()
        return 1

    return {"steps_per_s": measure(step, seconds, 60), "decision_s": DECISION_S}


def uxsim(compiled: bool, seconds: float) -> dict[str, float]:
    from uxsim import World

    decision = 15
    arguments = {"cpp": True} if compiled else {}

    def build() -> tuple[object, object]:
        world = World(
            name="",
            deltan=5,
            tmax=3600,
            print_mode=0,
            save_mode=0,
            show_mode=0,
            show_progress=0,
            random_seed=0,
            vehicle_logging_timestep_interval=-1,
            **arguments,
        )
        centre = world.addNode("centre", 0, 0, signal=[30, 30])
        for group, (name, x, y) in zip(
            (0, 0, 1, 1), (("n", 0, 1), ("s", 0, -1), ("e", 1, 0), ("w", -1, 0)), strict=True
        ):
            world.addNode(name, x, y)
            world.addLink(name + "in", name, "centre", 1000, 13.9, number_of_lanes=2, signal_group=group)
            world.addLink(name + "out", "centre", name, 1000, 13.9, number_of_lanes=2)
        for start, end, flow in (("n", "s", 0.6), ("s", "n", 0.5), ("e", "w", 0.45), ("w", "e", 0.4)):
            world.adddemand(start, end, 0, 3600, flow)
        return world, centre

    state = {"world": build()}
    generator = random.Random(0)

    def step() -> int:
        world, centre = state["world"]
        if not world.check_simulation_ongoing():
            state["world"] = build()
            return 0
        centre.signal_phase = generator.randrange(2)
        centre.signal_t = 0
        world.exec_simulation(duration_t=decision)
        return 1

    return {"steps_per_s": measure(step, seconds, 20), "decision_s": decision}


CONTENDERS: dict[str, tuple[bool, Callable[[float], dict[str, float]]]] = {
    "ours, 1 environment": (False, lambda seconds: ours(1, seconds)),
    "ours, 16": (False, lambda seconds: ours(16, seconds)),
    "ours, 64": (False, lambda seconds: ours(64, seconds)),
    "ours, 1024": (False, lambda seconds: ours(1024, seconds)),
    "ours, 1 environment, float32": (False, lambda seconds: ours(1, seconds, precision="float32")),
    "ours, 64, float32": (False, lambda seconds: ours(64, seconds, precision="float32")),
    "ours, 1024 on all cores": (False, lambda seconds: ours(1024, seconds, threads=os.cpu_count())),
    "ours, 1024 on CUDA": (False, lambda seconds: ours(1024, seconds, device="cuda")),
    "ours, 16384 on CUDA": (False, lambda seconds: ours(16_384, seconds, device="cuda")),
    "sumo-rl, libsumo": (True, lambda seconds: sumo_rl(True, seconds)),
    "sumo-rl, libsumo, without its infos": (True, lambda seconds: sumo_rl(True, seconds, lean=True)),
    "sumo-rl, TraCI": (True, lambda seconds: sumo_rl(False, seconds)),
    "LightSim": (True, lightsim),
    "UXsim, C++": (True, lambda seconds: uxsim(True, seconds)),
    "UXsim, Python": (True, lambda seconds: uxsim(False, seconds)),
}
"""By name: whether it runs under the rivals' interpreter, and what measures it."""


if __name__ == "__main__":
    print(json.dumps(CONTENDERS[sys.argv[1]][1](float(sys.argv[2]))))
