"""Before any long training: does the environment give an agent anything to learn, and is it physics?

:func:`measure` lets three policies play for a while, which takes a fraction of a second; :func:`find_faults`
judges what was measured and nothing else.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from validation_ch7.control import AllRed, Controller, FixedTime, RandomPhase
from validation_ch7.environment.episodes import EpisodeBatch
from validation_ch7.environment_config import EnvironmentConfig
from validation_ch7.errors import SanityError

Numbers = NDArray[np.floating[Any]]

SEEDS = (11, 12)
LEAST_S, MOST_DECISIONS = 200.0, 240
"""What is watched lasts at least so long, however short a trial's episodes are, and so many decisions at most."""
GREEN_S = 20.0
"""Green of each phase of the plan that stands for sensible control [s]."""
PINNED = 0.5
"""More samples of an entry than this at its upper bound mean that it is clipped [-]."""
LOST = 1e-6
"""Vehicles that may appear or vanish, relative to those that arrived [-]."""


@dataclass(frozen=True)
class Played:
    """What one policy met.

    Attributes:
        observations: (decisions, rows, size) [-].
        rewards: (decisions, rows).
        occupancy: least and greatest occupancy of a cell [-].
        speed_m_s: least and greatest w of a class, the speed that it would have on an empty road [m/s].
        delay_s: (rows,) mean delay [s].
        arrived_veh: (rows,) vehicles that arrived.
        left_veh: (rows,) vehicles that left the network or are still in it.
    """

    observations: Numbers
    rewards: Numbers
    occupancy: tuple[float, float]
    speed_m_s: tuple[float, float]
    delay_s: Numbers
    arrived_veh: Numbers
    left_veh: Numbers


@dataclass(frozen=True)
class Measurements:
    """What the policies met, by name, and what physics allows.

    Attributes:
        plan: a plain fixed-time plan.
        random: phases at random.
        all_red: red for everyone.
        greatest_speed_m_s: free speed of the faster class [m/s].
        counted: (size,) entries of the observation that are phases or flags, and may rest at a bound.
    """

    plan: Played
    random: Played
    all_red: Played
    greatest_speed_m_s: float
    counted: NDArray[np.bool_]

    @property
    def played(self) -> Mapping[str, Played]:
        """The policies by their names."""
        return {"plan": self.plan, "random": self.random, "all red": self.all_red}


def find_faults(measured: Measurements) -> list[str]:
    """Return why there is no point in training on what was measured; nothing where there is."""
    plan, random = measured.plan, measured.random
    faults = []
    if np.ptp(plan.rewards) <= 0.0 or np.ptp(random.rewards) <= 0.0:
        faults.append(f"the reward never varies: it is {plan.rewards.flat[0]:g} at every decision")
    varies = np.ptp(random.observations, axis=(0, 1)) > 0.0
    if not varies[~measured.counted].any():
        faults.append("the observation of the roads never varies")
    pinned = np.mean(random.observations >= 1.0, axis=(0, 1)) > PINNED
    stuck = np.flatnonzero(pinned & ~measured.counted)
    if len(stuck):
        faults.append(f"the observation rests at its upper bound in entries {stuck[:8].tolist()}")
    if np.array_equal(plan.observations, random.observations) or np.array_equal(plan.delay_s, random.delay_s):
        faults.append("two different policies have the same trajectory: actions have no effect")
    if measured.all_red.rewards.sum() >= plan.rewards.sum():
        faults.append(
            f"red for everyone earns {measured.all_red.rewards.sum():g}, a plain plan {plan.rewards.sum():g}:"
            " the reward pays for stopping the traffic"
        )
    return faults + [fault for name, played in measured.played.items() for fault in _unphysical(name, played, measured)]


def _unphysical(name: str, played: Played, measured: Measurements) -> list[str]:
    faults = []
    numbers = (played.observations, played.rewards, played.delay_s, played.occupancy, played.speed_m_s)
    if not all(np.isfinite(array).all() for array in numbers):
        return [f"{name}: a number is not finite"]
    if played.observations.min() < 0.0 or played.observations.max() > 1.0:
        faults.append(f"{name}: an observation lies outside [0, 1]")
    if played.occupancy[0] < -1e-9 or played.occupancy[1] > 1.0 + 1e-6:
        faults.append(f"{name}: occupancy from {played.occupancy[0]:g} to {played.occupancy[1]:g}, not in [0, 1]")
    if played.speed_m_s[0] < -1e-9 or played.speed_m_s[1] > measured.greatest_speed_m_s * (1.0 + 1e-6):
        greatest = f"{measured.greatest_speed_m_s:g} m/s"
        faults.append(
            f"{name}: speeds from {played.speed_m_s[0]:g} to {played.speed_m_s[1]:g} m/s, free speed {greatest}"
        )
    if played.delay_s.min() < 0.0:
        faults.append(f"{name}: a mean delay of {played.delay_s.min():g} s")
    lost = np.abs(played.left_veh - played.arrived_veh).max() / max(1.0, float(played.arrived_veh.max()))
    if lost > LOST:
        faults.append(f"{name}: {100 * lost:.3g} % of the vehicles appeared or vanished")
    return faults


def measure(config: EnvironmentConfig) -> Measurements:
    """Let a plain plan, random phases and red for everyone play for a while, each on the same two demand seeds."""
    signal = config.signal.model_copy(update={"action": "phase"})
    steps = min(max(config.steps_per_episode, math.ceil(LEAST_S / config.decision_s)), MOST_DECISIONS)
    config = config.model_copy(update={"signal": signal, "horizon_s": steps * config.decision_s})
    intergreen = signal.yellow_s + signal.all_red_s
    plan = FixedTime(tuple(GREEN_S if phase else 0.0 for phase in signal.phases), intergreen)
    stopped = signal if () in signal.phases else signal.model_copy(update={"phases": (*signal.phases, ())})
    batch = EpisodeBatch(config, [np.random.default_rng(0)])
    layout = batch.simulator.layout
    counted = np.ones(layout.observation_size, np.bool_)
    counted[: layout.observation_size - layout.intersections * (layout.phases + 2)] = False
    return Measurements(
        plan=_play(config, plan),
        random=_play(config, RandomPhase(np.random.default_rng(1))),
        all_red=_play(config.model_copy(update={"signal": stopped}), AllRed()),
        greatest_speed_m_s=max(config.traffic.motorbike.free_speed_m_s, config.traffic.car.free_speed_m_s),
        counted=counted,
    )


def _play(config: EnvironmentConfig, controller: Controller) -> Played:
    batch = EpisodeBatch(config, [np.random.default_rng(seed) for seed in SEEDS])
    simulator = batch.simulator
    batch.begin(range(len(SEEDS)))
    observations, rewards = [batch.observe()], []
    occupancy, speed = (0.0, 0.0), (0.0, 0.0)
    for _ in range(config.steps_per_episode):
        seen, reward, _ = batch.step(controller.decide(simulator))
        observations.append(seen)
        rewards.append(reward)
        occupancy = _wider(occupancy, simulator.x[:, :2].sum(axis=1))
        speed = _wider(speed, _drive(simulator.x))
    ends = batch.statistics(range(len(SEEDS)))
    return Played(
        observations=np.array(observations),
        rewards=np.array(rewards),
        occupancy=occupancy,
        speed_m_s=speed,
        delay_s=np.array([end["mean_delay_s"] for end in ends]),
        arrived_veh=np.array([end["arrived_veh"] for end in ends]),
        left_veh=np.array([end["throughput_veh"] + end["residual_veh"] for end in ends]),
    )


def _drive(x: Numbers) -> Numbers:
    occupied = x[:, :2] > 1e-6
    return np.where(occupied, x[:, 2:] / np.where(occupied, x[:, :2], 1.0), 0.0)


def _wider(bounds: tuple[float, float], values: Numbers) -> tuple[float, float]:
    return min(bounds[0], float(values.min())), max(bounds[1], float(values.max()))


def check_environment(config: EnvironmentConfig) -> None:
    """Do nothing where an agent can learn something; else stop.

    Raises:
        SanityError: it cannot, with all reasons.
    """
    faults = find_faults(measure(config))
    if faults:
        raise SanityError(
            "The environment gives an agent nothing to learn, or is no physics; nothing was trained.",
            where="the scenario's environment",
            expected="reward and observation vary, actions matter, red for everyone loses, physical ranges hold",
            found="; ".join(faults),
            remedy="correct the scenario in section.yml, then run the same command again",
        )
