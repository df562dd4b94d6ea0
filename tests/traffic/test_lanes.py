"""Four roads side by side in vectors end where the loops over slots end, to rounding."""

from typing import Any

import numpy as np
import pytest
from numba import njit

from validation_ch7.environment_config import EnvironmentConfig, Network, Solver
from validation_ch7.traffic import Simulator, build_layout, flow, junction, kernel, lanes, measure, start_episodes
from validation_ch7.traffic.arrays import make_scratch
from validation_ch7.traffic.vectors import above, greatest, least, load, spread, store

UNEQUAL = Network(rows=1, columns=2, entry_length_m=100, spacing_m=60, cell_length_m=5)
NETWORKS = {"equal roads": Network(entry_length_m=150), "unequal roads": UNEQUAL, "grid": Network(rows=2, columns=2)}


def step_by_slots(simulator: Simulator, wanted: Any) -> None:
    """Advance the first environment by one decision with the loops over slots, as a CUDA device does it."""
    tables, x, queue = simulator.layout.tables, simulator.x[0], simulator.queue[0]
    slots, measures, signal = tables.rate.size, simulator.measures[0], simulator.signal[0]
    work = make_scratch(tables, len(queue), order=2)
    measures[:] = 0.0
    kernel.request(signal, wanted, tables)
    measure.mark(x, work.marks, tables.physics)
    work.marks[1:] = 0.0
    substeps, samples = tables.timing[:2]
    for n in range(substeps):
        queue += simulator.arrivals[0, simulator.clock[0]] / substeps
        kernel.tick(signal, work.open_road, tables)
        flow.relax_and_wave(x, work.v, work.wave, tables.physics)
        flow.hll_fluxes(x, work.v, work.wave, work.flux, tables.physics)
        junction.look(x, work.v, work.tips, tables)
        junction.join(work.tips, queue, work.open_road, work.ends, work.edges, measures[4], tables)
        junction.put(work.edges, work.flux, tables)
        flow.update(x, work.flux, tables.rate, tables.physics)
        if (n + 1) % (substeps // samples) == 0:
            measure.mark(x, work.marks, tables.physics)
            measure.add_up(x, work.marks, work.sums, tables)
            measure.sample(work.sums, queue, measures, tables)
    measure.conclude(work.sums, simulator.roads[0], measures, tables)
    simulator.clock += 1
    assert slots == x.shape[1]


def test_lanes_end_where_slots_end() -> None:
    for network in NETWORKS.values():  # one test, since the loops are compiled anew in every process
        config = EnvironmentConfig(network=network)
        pair = Simulator(config, 1), Simulator(config, 1)
        for simulator in pair:
            start_episodes(simulator, config, [3])
        for step in range(40):
            wanted = np.full((1, pair[0].layout.intersections), step // 4 % 2)
            pair[0].step(wanted)
            step_by_slots(pair[1], wanted[0])
            for name in ("measures", "roads", "x", "queue"):
                first, second = (getattr(simulator, name) for simulator in pair)
                assert np.allclose(first, second, rtol=1e-9, atol=1e-9), (network, step, name)
        assert pair[0].vehicles().sum() > 20 and pair[0].signal.tolist() == pair[1].signal.tolist()


@pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS)
def test_every_cell_has_a_place_of_its_own(network: Network) -> None:
    tables = build_layout(EnvironmentConfig(network=network)).tables
    taken: set[tuple[int, int]] = set()
    for (first, last, _, _), (row, group, lane) in zip(tables.links, tables.places, strict=True):
        rows = range(row, row + last - first)
        assert rows[0] >= tables.groups[group, 0] and rows[-1] + 1 == tables.groups[group, 1]
        assert taken.isdisjoint((row, lane) for row in rows)
        taken |= {(row, lane) for row in rows}
    for stretch, (first, last) in enumerate(tables.stretches):
        for lane in range(4):
            inside = {(row, lane) in taken for row in range(first, last)}
            assert inside == {bool(tables.steps[stretch, lane])}
    assert tables.starts.sum() == len(tables.links) and len(taken) == np.count_nonzero(tables.rate)


def test_nobody_is_put_side_by_side_and_back_as_nobody() -> None:
    tables = build_layout(EnvironmentConfig(network=UNEQUAL)).tables
    work, x = make_scratch(tables, 0, order=1), np.zeros((4, tables.rate.size))
    lanes.gather(x, work.cells, tables)
    assert work.cells[:, :2].min() > 0.0
    lanes.scatter(work.cells, x, tables)
    assert not x.any()


@njit
def compute(numbers: Any, result: Any) -> None:
    one, two = spread((numbers[0], numbers[1]))
    a, b = load(numbers, 2), load(numbers, 6)
    store(result, 1, a + b)
    store(result, 5, a - b)
    store(result, 9, a * b)
    store(result, 13, a / b)
    store(result, 17, least(a, b))
    store(result, 21, greatest(a, b))
    store(result, 25, above(a, b, one, two))


@pytest.mark.parametrize("kind", [np.float64, np.float32])
def test_vectors_compute_as_arrays_do(kind: type) -> None:
    numbers = np.random.default_rng(0).normal(size=10).astype(kind)
    a, b = numbers[2:6], numbers[6:]
    result = np.zeros(30, kind)
    compute(numbers, result)
    expected = [a + b, a - b, a * b, a / b, np.minimum(a, b), np.maximum(a, b), np.where(a > b, *numbers[:2])]
    assert result[1:29].tobytes() == np.concatenate(expected).tobytes() and result[0] == result[29] == 0


def test_scalars_go_through_the_same_functions() -> None:
    assert (least(1, 2), greatest(1, 2), above(2, 1, "then", "else")) == (1, 2, "then")


def test_scratch_of_one_order_has_no_room_for_the_other() -> None:
    tables = build_layout(EnvironmentConfig(solver=Solver(order=2))).tables
    assert make_scratch(tables, 4, order=2).cells.shape[0] == 1 and make_scratch(tables, 4, order=1).v.size == 0
    assert make_scratch(tables, 4, order=1).cells.ctypes.data % 64 == 0
