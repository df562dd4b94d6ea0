"""Arrivals at the entries: rates from a profile, Poisson counts from a generator that the caller owns."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from validation_ch7.environment_config import APPROACHES, EnvironmentConfig
from validation_ch7.traffic.arrays import Floats
from validation_ch7.traffic.layout import Layout
from validation_ch7.traffic.simulator import Simulator


def base_flows(config: EnvironmentConfig, layout: Layout) -> Floats:
    """Return the demand of each entry before the profile [veh/h], shape (entries,).

    ``saturated`` scales all entries so that the critical ones need ``degree_of_saturation`` of the green that a
    reference cycle leaves after its lost times (Webster 1958), turning between intersections neglected.
    """
    sides = [getattr(config.demand.flow_veh_per_h, APPROACHES[road % 4]) for road in layout.entries]
    flows = np.array(sides, dtype=np.float64)
    if config.demand.profile not in ("saturated", "platoons"):
        return flows
    need = sum(phase_ratios(config, layout, flows))
    lost = int(layout.tables.green.any(axis=1).sum()) * (config.signal.yellow_s + config.signal.all_red_s)
    green = 1.0 - lost / config.demand.reference_cycle_s
    return flows * (config.demand.degree_of_saturation * green / need) if need > 0.0 else flows


def phase_ratios(config: EnvironmentConfig, layout: Layout, flows: Floats) -> list[float]:
    """Return for each phase the greatest flow over saturation flow [-] among the entries that it serves.

    Args:
        config: the configuration.
        layout: its layout.
        flows: (entries,) demand [veh/h].
    """
    greatest = [0.0] * 4
    for road, ratio in zip(layout.entries, flow_ratios(config, layout, flows), strict=True):
        greatest[road % 4] = max(greatest[road % 4], float(ratio))
    return [max((greatest[a] for a in np.flatnonzero(green)), default=0.0) for green in layout.tables.green]


def flow_ratios(config: EnvironmentConfig, layout: Layout, flows: Floats) -> Floats:
    """Return the flow over the saturation flow of each entry [-], for flows (..., entries) [veh/h], the same shape."""
    mix = config.traffic
    pcu = 1.0 - mix.motorbike_share * (1.0 - mix.motorbike.length_m / mix.car.length_m)
    lanes = layout.tables.widths[layout.entries, 1]
    return np.asarray(flows * pcu / (lanes * config.network.saturation_flow_pcu_per_h_lane))


def shape(config: EnvironmentConfig) -> Floats:
    """Return the profile's factor in each decision interval, shape (decisions,).

    ``peak`` rises linearly to ``peak_factor`` at half the horizon and falls again; ``step`` jumps to it for the
    middle third; the others are level.

    >>> from validation_ch7.environment_config import Demand
    >>> demand = Demand(profile="step", peak_factor=2.0)
    >>> shape(EnvironmentConfig(horizon_s=30, demand=demand)).tolist()
    [1.0, 1.0, 2.0, 2.0, 1.0, 1.0]
    """
    middle = (np.arange(config.steps_per_episode) + 0.5) / config.steps_per_episode
    extra = config.demand.peak_factor - 1.0
    if config.demand.profile == "peak":
        return np.asarray(1.0 + extra * (1.0 - np.abs(2.0 * middle - 1.0)))
    if config.demand.profile == "step":
        return np.asarray(1.0 + extra * ((middle > 1 / 3) & (middle < 2 / 3)))
    return np.ones(config.steps_per_episode)


def platoons(config: EnvironmentConfig, fill: Floats, cycles_s: Floats, lags_s: Floats) -> Floats:
    """Return the factor of each entry's rate behind a signal upstream, (..., decisions, entries), 1 on average.

    ``platoon_share`` of the vehicles come as the queue of the signal's red, which leaves at saturation flow when
    its green begins; the others come at any time. At saturation flow both together last the share
    g = s f / (1 - (1 - s) f) of the cycle, s the platoon's share and f flow over saturation flow.

    >>> from validation_ch7.environment_config import Demand
    >>> config = EnvironmentConfig(horizon_s=40, decision_s=5, demand=Demand(profile="platoons", platoon_share=0.75))
    >>> platoons(config, np.array([4 / 13]), np.array([20.0]), np.array([0.0]))[:, 0].round(6).tolist()
    [3.25, 0.25, 0.25, 0.25, 3.25, 0.25, 0.25, 0.25]

    Args:
        config: the configuration.
        fill: (..., entries) flow over saturation flow [-].
        cycles_s: (..., entries) cycle of the signal upstream [s].
        lags_s: (..., entries) how long before the episode its green began [s].
    """
    share = config.demand.platoon_share
    filled = np.minimum(fill, 1.0)
    lasting = cycles_s * share * filled / np.maximum(1.0 - (1.0 - share) * filled, 1e-9)
    cycles_s, lasting, lags_s = cycles_s[..., None, :], lasting[..., None, :], lags_s[..., None, :]
    edges = np.arange(config.steps_per_episode + 1)[:, None] * config.decision_s + lags_s
    whole, part = np.divmod(edges, cycles_s)
    shown = np.diff(whole + np.minimum(part / np.maximum(lasting, 1e-9), 1.0), axis=-2)
    return np.asarray(1.0 - share + share * shown * cycles_s / config.decision_s)


def draw_arrivals(
    config: EnvironmentConfig, layout: Layout, flows: Floats, generators: Sequence[np.random.Generator]
) -> NDArray[np.uint16]:
    """Draw the arrivals of one episode per generator, (generators, decisions, entries, 2) [veh per decision].

    Each depends on its own generator alone, whichever others are there.

    Args:
        config: the configuration.
        layout: its layout.
        flows: (entries,) base demand [veh/h].
        generators: advanced by the draw.
    """
    entries = len(flows)
    rates = np.tile(flows, (len(generators), 1))
    if config.demand.profile != "constant":
        for rate, generator in zip(rates, generators, strict=True):
            rate *= generator.uniform(1.0 - config.demand.spread, 1.0 + config.demand.spread, entries)
    mean = shape(config)[:, None] * rates[:, None, :] * (config.decision_s / 3600.0)
    if config.demand.profile == "platoons":
        cycles, lags = np.empty_like(rates), np.empty_like(rates)
        for row, generator in enumerate(generators):
            cycles[row] = generator.uniform(*config.demand.platoon_cycle_s, entries)
            lags[row] = generator.uniform(0.0, 1.0, entries)
        mean *= platoons(config, flow_ratios(config, layout, rates), cycles, cycles * lags)
    share = config.traffic.motorbike_share
    means = np.stack([mean * share, mean * (1.0 - share)], axis=-1)
    most = np.iinfo(np.uint16).max
    arrivals = np.empty(means.shape, np.uint16)
    for row, generator in enumerate(generators):
        arrivals[row] = np.minimum(generator.poisson(means[row]), most)
    return arrivals


def start_episodes(simulator: Simulator, config: EnvironmentConfig, seeds: Sequence[int]) -> None:
    """Start in each row the first episode of an environment that is made with its seed.

    Args:
        simulator: as many rows as there are seeds.
        config: what it was built from.
        seeds: one per row.
    """
    flows, generators = base_flows(config, simulator.layout), [np.random.default_rng(seed) for seed in seeds]
    simulator.restart(range(len(seeds)), draw_arrivals(config, simulator.layout, flows, generators))
