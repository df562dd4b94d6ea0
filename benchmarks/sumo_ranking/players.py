"""Who is compared: controllers tuned on the simulator that judges them, and agents trained there, by our own code."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.experiments.measure import configure
from benchmarks.sumo_ranking.saturation import per_lane
from benchmarks.sumo_ranking.simulator import Rival, SumoVecEnv, play
from validation_ch7.config import SectionConfig
from validation_ch7.control import Controller, FixedTime, simulate
from validation_ch7.control.plans import webster_greens
from validation_ch7.control.tuning import Tuned, arguments, descend, find_family
from validation_ch7.environment_config import Approach, EnvironmentConfig
from validation_ch7.study.agents import AgentController, load_agent
from validation_ch7.traffic import base_flows, build_layout
from validation_ch7.traffic.demand import phase_ratios
from validation_ch7.training.algorithms import build_training

SCENARIO = "traffic_light_control"
CARS_ONLY = {"traffic.motorbike_share": 0.0}
"""SUMO's vehicles are cars; the flows keep their degree of saturation, so that passenger-car units stay the same."""
SIMULATORS = ("ours", "sumo")
Episodes = list[dict[str, float]]


@dataclass(frozen=True)
class Arena:
    """One simulator on which players are tuned, trained and judged.

    Attributes:
        name: one of :data:`SIMULATORS`.
        config: the environment.
        saturation: what queues discharge there [veh/h per lane], by approach.
        rivals: SUMO's processes; none for our simulator.
    """

    name: str
    config: EnvironmentConfig
    saturation: Mapping[Approach, float]
    rivals: Sequence[Rival] = ()

    def judge(self, controller: Controller, seeds: Sequence[int]) -> Episodes:
        """Return the statistics of one episode for each demand seed."""
        if self.rivals:
            return play(self.config, controller, seeds, self.rivals)
        return simulate(self.config, controller, seeds)


def spec(algorithm: str, seed: int, steps: int | None) -> SectionConfig:
    """Return how an agent is trained: as section.yml says, with cars only and another target where one is given."""
    return configure(SCENARIO, algorithm, seed, steps, {}, CARS_ONLY)


def mean_delay_s(episodes: Episodes) -> float:
    """Return the mean delay over episodes [s].

    >>> mean_delay_s([{"mean_delay_s": 20.0}, {"mean_delay_s": 30.0}])
    25.0
    """
    return sum(episode["mean_delay_s"] for episode in episodes) / len(episodes)


def tune_in(arena: Arena, name: str, seeds: Sequence[int]) -> Tuned:
    """Return a controller tuned in an arena, by the search of :func:`validation_ch7.control.tune`."""
    if name == "webster":
        plan = webster_in(arena)
        return Tuned(lambda: plan, {"green_s": plan.green_s}, mean_delay_s(arena.judge(plan, seeds)), 1)
    family, tried = find_family(name, arena.config), dict[tuple[float, ...], float]()

    def cost(at: Mapping[str, float]) -> float:
        key = tuple(at.values())
        if key not in tried:
            tried[key] = mean_delay_s(arena.judge(family.build(**arguments(at, arena.config)), seeds))
        return tried[key]

    best = descend(min(family.starts, key=cost), family.axes, cost)
    chosen = arguments(best, arena.config)
    return Tuned(lambda: family.build(**chosen), chosen, cost(best), len(tried))


def webster_in(arena: Arena) -> FixedTime:
    """Return Webster's plan for the mean flows and the saturation flow that was measured in an arena."""
    config, layout = arena.config, build_layout(arena.config)
    measured = per_lane(dict(arena.saturation), config)
    network = config.network.model_copy(update={"saturation_flow_pcu_per_h_lane": measured})
    ratios = phase_ratios(config.model_copy(update={"network": network}), layout, base_flows(config, layout))
    intergreen = config.signal.yellow_s + config.signal.all_red_s
    return FixedTime(webster_greens(ratios, intergreen * sum(ratio > 0.0 for ratio in ratios)), intergreen)


def train_in(arena: Arena, config: SectionConfig) -> tuple[AgentController, dict[str, float]]:
    """Return an agent trained in an arena, with its final policy, and what that took."""
    make = (lambda made, seeds: SumoVecEnv(made, seeds, arena.rivals)) if arena.rivals else None
    began = processor_s(arena)
    model = build_training(fitted(config, len(arena.rivals)) if arena.rivals else config, make)
    model.learn(config.training.n_timesteps)
    facts = {
        "steps": model.num_timesteps,
        "environments": model.n_envs,
        "processor_s": round(processor_s(arena) - began, 1),
    }
    return AgentController(model, config.environment.signal.action == "switch"), facts


def processor_s(arena: Arena) -> float:
    """Return the processor time so far, that of SUMO's processes included [s]."""
    return time.process_time() + sum(rival.processor_s() for rival in arena.rivals)


def fitted(config: SectionConfig, processes: int) -> SectionConfig:
    """Return a training with at most so many environments and as many steps a rollout as before.

    >>> few = fitted(spec("ppo", 0, None), 16).training
    >>> few.n_envs, few.hyperparameters["n_steps"]
    (16, 256)
    """
    training = config.training
    count = min(training.n_envs, processes)
    rollout = {"n_steps": training.hyperparameters["n_steps"] * training.n_envs // count}
    changes = {"n_envs": count, "hyperparameters": {**training.hyperparameters, **rollout}}
    return config.model_copy(update={"training": training.model_copy(update=changes)})


def stored_agent(root: Path) -> AgentController:
    """Return the final agent of a chain of a study, from the root of its store."""
    return load_agent(configure(SCENARIO, "ppo", 0, None, {}, {}), root)[0]
