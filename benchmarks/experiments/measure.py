"""What is measured: one training, the tuned classical controllers, and the ranking on a finer grid."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from validation_ch7.config import Overrides, SectionConfig, load_section, section_file
from validation_ch7.control import LookAhead, simulate, tune
from validation_ch7.environment_config import EnvironmentConfig
from validation_ch7.schema import load_yaml, parse_document
from validation_ch7.training.algorithms import build_training, traffic_env
from validation_ch7.training.evaluation import EvaluationCallback, evaluate
from validation_ch7.training.seeds import held_out_seeds

SECTION = section_file("section_7_6_rl_performance")
CANDIDATES = Path(__file__).with_name("candidates.yml")
VALIDATION = held_out_seeds(1_000_003, 100)
"""Demand on which settings are chosen; the study judges on other seeds (1,010,003 and on)."""
SEARCH = range(1_020_003, 1_020_019)
"""Demand on which controllers are tuned."""
CONTROLLERS = ("fixed_time", "webster", "actuated", "sotl", "max_pressure", "greedy")


def configure(
    scenario: str, algorithm: str, seed: int, steps: int | None, changes: Mapping[str, Any], env: Mapping[str, Any]
) -> SectionConfig:
    """Return the configuration of section.yml with changes; keys of ``env`` such as ``observation.segments``."""
    candidates = load_yaml(CANDIDATES)
    known = None if scenario in candidates else scenario
    config = load_section(SECTION, Overrides(scenario=known, algorithm=algorithm, seed=seed, timesteps=steps))
    training = config.training.model_dump()
    for key, value in changes.items():
        (training if key in training else training["hyperparameters"])[key] = value
    environment = dict(candidates[scenario]) if known is None else config.environment.model_dump(mode="json")
    for key, value in env.items():
        part, _, name = key.partition(".")
        environment[part] = {**environment.get(part, {}), name: value} if name else value
    return SectionConfig.from_plain({**config.plain(), "training": training, "environment": environment}, scenario)


def train(config: SectionConfig, looks: int = 4) -> dict[str, Any]:
    """Train from zero and return the mean delay of the final policy, and of some before, on the validation demand."""
    model = build_training(config)
    judging = 0.0

    def judge(policy: Any) -> Any:
        nonlocal judging
        start = time.process_time()
        result = evaluate(policy, lambda: traffic_env(config.environment, VALIDATION))
        judging += time.process_time() - start
        return result

    callback = EvaluationCallback(judge, max(1, config.training.n_timesteps // looks))
    start = time.process_time()
    model.learn(config.training.n_timesteps, callback)
    processor_s = time.process_time() - start - judging
    curve = [(entry["step"], entry["mean_delay_s"]) for entry in callback.history]
    final = judge(model).traffic["mean_delay_s"]
    return {
        "steps": model.num_timesteps,
        "processor_s": round(processor_s, 1),
        "delay_s": round(final, 3),
        "curve": " ".join(f"{int(step) // 1000}k:{delay:.2f}" for step, delay in curve),
    }


def rivals(environment: EnvironmentConfig, depth: int = 10) -> Iterator[dict[str, Any]]:
    """Yield every tuned controller, and the oracle where there is one intersection, on the validation demand."""
    for name in CONTROLLERS:
        tuned = tune(name, environment, SEARCH)
        yield {
            "controller": name,
            "parameters": "; ".join(f"{key} {_shown(value)}" for key, value in tuned.parameters.items()),
            "tried": tuned.tried,
            "search_s": round(tuned.delay_s, 3),
            "delay_s": round(_delay(environment, tuned.make()), 3),
        }
    if environment.network.rows * environment.network.columns == 1:
        delay = round(_delay(environment, LookAhead(environment, depth)), 3)
        yield {"controller": f"look-ahead, {depth} decisions", "delay_s": delay}


def refined(config: SectionConfig, factor: int, seeds: Sequence[int] = VALIDATION[:50]) -> Iterator[dict[str, Any]]:
    """Yield tuned controllers and an agent trained here, each on this grid and on one with shorter cells."""
    model = build_training(config)
    model.learn(config.training.n_timesteps)
    coarse = config.environment
    players = {name: tune(name, coarse, SEARCH) for name in CONTROLLERS}
    for length in (coarse.network.cell_length_m, coarse.network.cell_length_m / factor):
        network = coarse.network.model_copy(update={"cell_length_m": length})
        grid = coarse.model_copy(update={"network": network})
        agent = evaluate(model, lambda grid=grid: traffic_env(grid, list(seeds)))
        yield {"cell_length_m": length, "who": "agent", "delay_s": round(agent.traffic["mean_delay_s"], 3)}
        for name, tuned in players.items():
            delays = [row["mean_delay_s"] for row in simulate(grid, tuned.make(), seeds)]
            yield {"cell_length_m": length, "who": name, "delay_s": round(float(np.mean(delays)), 3)}


def environment_of(scenario: str) -> EnvironmentConfig:
    """Return the environment of a scenario of section.yml or of the candidates."""
    candidates = load_yaml(CANDIDATES)
    if scenario in candidates:
        return parse_document(EnvironmentConfig, candidates[scenario], CANDIDATES)
    return load_section(SECTION, Overrides(scenario=scenario)).environment


def _delay(environment: EnvironmentConfig, controller: Any) -> float:
    return float(np.mean([row["mean_delay_s"] for row in simulate(environment, controller, VALIDATION)]))


def _shown(value: Any) -> str:
    return "/".join(f"{part:g}" for part in value) if isinstance(value, tuple) else f"{value:g}"
