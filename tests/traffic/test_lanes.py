"""Four roads side by side in vectors end where the loops over slots end, to rounding."""

from typing import Any

import numpy as np
import pytest
from numba import njit
from numba.core.errors import TypingError

from validation_ch7.environment_config import EnvironmentConfig, Network, Solver
from validation_ch7.traffic import Simulator, build_layout, flow, junction, kernel, lanes, measure, start_episodes
from validation_ch7.traffic.arrays import make_scratch
from validation_ch7.traffic.layout import put_side_by_side
from validation_ch7.traffic.vectors import above, greatest, least, load, spread, store

UNEQUAL = Network(rows=1, columns=2, entry_length_m=100, spacing_m=60, cell_length_m=5)
LONG_INSIDE = Network(columns=2, entry_length_m=15, spacing_m=100, cell_length_m=5)
NETWORKS = {
    "equal roads": Network(entry_length_m=150),
    "unequal roads": UNEQUAL,
    "short entries": LONG_INSIDE,
    "grid": Network(rows=2, columns=2),
}


def step_by_slots(simulator: Simulator, wanted: Any) -> None:
    """Advance the first environment by one decision with the loops over slots, as a CUDA device does it."""
    tables, x, queue = simulator.layout.tables, simulator.x[0], simulator.queue[0]
    measures, signal = simulator.measures[0], simulator.signal[0]
    work = make_scratch(tables, simulator.layout.rows, len(queue), order=2)
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


@pytest.mark.slow
@pytest.mark.parametrize(
    ("precision", "least"), [("float64", 1e-7), ("float32", 2e-2)]
)  # a class counts from 1e-9 (1e-6)
def test_lanes_end_where_slots_end(precision: str, least: float) -> None:
    for network in NETWORKS.values():  # one test, since the loops are compiled anew in every process
        config = EnvironmentConfig(network=network, solver=Solver.model_validate({"precision": precision}))
        pair = Simulator(config, 1), Simulator(config, 1)
        for simulator in pair:
            start_episodes(simulator, config, [3])
        for step in range(40):
            wanted = np.full((1, pair[0].layout.intersections), step // 4 % 2)
            pair[0].step(wanted)
            step_by_slots(pair[1], wanted[0])
            for name in ("measures", "roads", "x", "queue"):
                first, second = (getattr(simulator, name) for simulator in pair)
                assert np.allclose(first, second, rtol=least, atol=least), (network, step, name)
        assert pair[0].vehicles().sum() > 20 and pair[0].signal.tolist() == pair[1].signal.tolist()


@pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS)
def test_every_cell_has_a_place_of_its_own(network: Network) -> None:
    layout = build_layout(EnvironmentConfig(network=network))
    tables, side_by_side = layout.tables, layout.rows
    taken: set[tuple[int, int]] = set()
    begins: set[tuple[int, int]] = set()
    for (first, last, _, _), (row, group, lane) in zip(tables.links, tables.places, strict=True):
        rows = range(row, row + last - first)
        assert rows[0] >= side_by_side.groups[group, 0] and rows[-1] + 1 == side_by_side.groups[group, 1]
        assert taken.isdisjoint((row, lane) for row in rows)
        taken |= {(row, lane) for row in rows}
        begins.add((row, lane))
    for (first, last), steps, starts in zip(*side_by_side[1:], strict=True):
        for lane in range(4):
            assert {(row, lane) in taken for row in range(first, last)} == {bool(steps[lane])}
            assert ((first, lane) in begins) == bool(starts[lane])
    assert side_by_side.starts.sum() == len(tables.links) and len(taken) == np.count_nonzero(tables.rate)
    assert (side_by_side.groups[1:, 0] > side_by_side.groups[:-1, 1]).all() and side_by_side.groups[0, 0] == 1


INVENTED = ((7, 5, 5, 1), (1, 1, 1, 1), (9, 2, 9, 4))


@pytest.mark.parametrize("lengths", INVENTED, ids=str)
def test_faces_are_passed_as_by_the_loops_over_slots(lengths: tuple[int, ...]) -> None:
    random, physics = np.random.default_rng(0), build_layout(EnvironmentConfig()).tables.physics
    last = np.cumsum(np.array(lengths) + 1)
    links = np.stack([last - lengths, last], axis=1)
    places, side_by_side = put_side_by_side(links, np.full(4, 0.02), np.dtype(np.float64))
    cells, waves, edges = np.zeros((last[-1], 4, 4)), np.zeros((last[-1], 4, 4)), np.zeros((1, 8, 4))
    x, v, wave = np.zeros((4, last[-1] + 1)), np.zeros((2, last[-1] + 1)), np.zeros((2, last[-1] + 1))
    flux, rate = np.zeros((4, last[-1] + 2)), np.zeros(last[-1] + 1)
    for first, after in links:
        x[:2, first:after] = random.uniform(0.0, 0.4, (2, after - first))
        rate[first:after] = 0.02
    x[2:] = 11.0 * x[:2]
    again = x.copy()
    lanes.gather(x, cells, links, places, physics)
    lanes.relax(cells, waves, 1, side_by_side.groups[0, 1], physics)
    flow.relax_and_wave(again, v, wave, physics)
    flow.hll_fluxes(again, v, wave, flux, physics)
    for (first, after), (_, _, lane) in zip(links, places, strict=True):
        edges[0, :, lane] = random.uniform(0.0, 1.0, 8)
        flux[:, first], flux[:, after] = edges[0, :4, lane], edges[0, 4:, lane]
    lanes.renew(cells, waves, edges, 0, side_by_side, physics)
    flow.update(again, flux, rate, physics)
    again[2:] = again[:2] * np.minimum(again[2:] / np.maximum(again[:2], 1e-100), physics[0][:, None])
    lanes.scatter(cells, x, links, places, physics)
    assert again[:2].sum() > 0.1 and np.allclose(x, again, rtol=1e-12, atol=1e-13)


def test_side_by_side_and_back_changes_nothing() -> None:
    tables, side_by_side = (layout := build_layout(EnvironmentConfig(network=UNEQUAL))).tables, layout.rows
    work, x = make_scratch(tables, side_by_side, 0, order=1), np.zeros((4, tables.rate.size))
    arrays = work.cells, tables.links, tables.places, tables.physics
    lanes.gather(x, *arrays)
    assert work.cells[:, :2].min() > 0.0
    lanes.scatter(work.cells, x, *arrays[1:])
    assert not x.any()
    x[:] = np.random.default_rng(0).uniform(0.0, 0.4, x.shape)
    x[2:] *= x[:2]
    kept, unused = x.copy(), tables.rate == 0
    x[:, unused] = 7.0
    work.cells[:] = 0.3
    lanes.gather(x, *arrays)
    lanes.scatter(work.cells, x, *arrays[1:])
    assert np.allclose(x[:, ~unused], kept[:, ~unused], rtol=1e-15, atol=0.0) and (x[:, unused] == 7.0).all()


def test_rows_of_a_batch_do_not_see_each_other_where_roads_differ() -> None:
    config = EnvironmentConfig(network=UNEQUAL)
    batch, alone = Simulator(config, 3), Simulator(config, 1)
    start_episodes(batch, config, [1, 2, 3])
    start_episodes(alone, config, [2])
    batch.x[0, :2], batch.x[0, 2:] = 0.5, np.nan
    for step in range(20):
        wanted = np.full((3, 2), step // 4 % 2)
        assert batch.step(wanted)[1].tobytes() == alone.step(wanted[:1])[0].tobytes()
    assert batch.x[1].tobytes() == alone.x[0].tobytes()


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
    numbers[3] = numbers[7]
    a, b = numbers[2:6], numbers[6:]
    result = np.zeros(30, kind)
    compute(numbers, result)
    expected = [a + b, a - b, a * b, a / b, np.minimum(a, b), np.maximum(a, b), np.where(a > b, *numbers[:2])]
    assert result[1:29].tobytes() == np.concatenate(expected).tobytes() and result[0] == result[29] == 0


@njit
def choose(a: float, b: float) -> tuple[float, float, float]:
    return least(a, b), greatest(a, b), above(a, b, 3.0, 4.0)


@pytest.mark.parametrize("pair", [(1.0, 2.0), (2.0, 1.0), (np.nan, 2.0), (1.0, 1.0)])
def test_scalars_and_vectors_choose_alike(pair: tuple[float, float]) -> None:
    numbers, result = np.array([3.0, 4.0, *[pair[0]] * 4, *[pair[1]] * 4]), np.zeros(30)
    compute(numbers, result)
    assert choose(*pair) == (least(*pair), greatest(*pair), above(*pair, 3.0, 4.0)) == tuple(result[[17, 21, 25]])


def test_what_is_not_a_number_becomes_the_limit() -> None:
    assert (least(np.nan, 1.0), greatest(np.nan, 1.0), above(np.nan, 0.0, 1.0, 2.0)) == (1.0, 1.0, 2.0)


def test_vectors_lie_in_contiguous_arrays_of_their_type() -> None:
    with pytest.raises(TypingError, match="contiguous"):
        compute(np.zeros(20)[::2], np.zeros(30))
    with pytest.raises(TypingError, match="of their own type"):
        compute(np.zeros(10), np.zeros(30, np.float32))


@pytest.mark.parametrize("precision", ["float64", "float32"])
def test_nobody_comes_from_nowhere_in_a_long_decision(precision: str) -> None:
    network, solver = Network(entry_length_m=20, cell_length_m=0.5), Solver.model_validate({"precision": precision})
    config = EnvironmentConfig(decision_s=60, network=network, solver=solver)
    simulator = Simulator(config, 1)
    assert simulator.layout.tables.timing[0] > 5000
    for _ in range(2):
        simulator.step(np.zeros((1, 1), np.int64))
        assert not simulator.x.any() and not simulator.measures.any()


def test_scratch_of_one_order_has_no_cells_for_the_other() -> None:
    layout = build_layout(EnvironmentConfig())
    first, second = (make_scratch(layout.tables, layout.rows, 4, order) for order in (1, 2))
    assert second.queued.size == 0 and first.v.size == 0
    for array in (first.cells, first.waves, first.queued, first.edges):
        assert array.ctypes.data % 64 == 0
