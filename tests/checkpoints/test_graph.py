"""What is taken from live objects comes back as it was: aliases, views, layouts, generators, bound methods."""

from __future__ import annotations

import collections
import json
import operator
import random
from typing import Any

import numpy as np
import pytest
import torch as th
from gymnasium import spaces
from hypothesis import given
from hypothesis import strategies as st

from validation_ch7.checkpoints.arrays import pack_arrays, unpack_arrays
from validation_ch7.checkpoints.graph import node_text, ordinary
from validation_ch7.checkpoints.graph_capture import Capture
from validation_ch7.checkpoints.graph_restore import Restore, RestoreError


class Car:
    """An ordinary object."""

    def __init__(self, **attributes: Any) -> None:
        self.__dict__.update(attributes)

    def drive(self) -> Any:
        self.distance += 1
        return self.distance


def taken(value: Any) -> tuple[Any, dict[str, Any]]:
    capture = Capture()
    node = capture.take(value, "it")
    capture.join_views()
    assert capture.lost == []
    return json.loads(node_text(node)), unpack_arrays(pack_arrays(capture.arrays))


def through(value: Any, live: Any = None) -> Any:
    """Return ``value`` after the way through a file, put into ``live``."""
    node, arrays = taken(value)
    return Restore(arrays, live).put(node, live, "it")


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(), inner) | st.tuples(inner, inner),
)


@given(PLAIN)
def test_plain_data_comes_back_equal(value: Any) -> None:
    assert through(value) == value


@pytest.mark.parametrize("value", [float("inf"), float("-inf"), 5e-324, -0.0, 1 << 200, 1 + 2j, {1, 2}, frozenset({3})])
def test_odd_values_come_back_equal(value: Any) -> None:
    assert repr(through(value)) == repr(value)


def test_not_a_number_comes_back() -> None:
    assert np.isnan(through(float("nan")))


@pytest.mark.parametrize("dtype", ["f4", "f8", "i1", "u8", "?", "c16", "U3", "S2", "M8[s]"])
def test_array_types_come_back(dtype: str) -> None:
    value = np.zeros((2, 3), dtype)
    assert through(value).dtype == value.dtype and np.array_equal(through(value), value)


def test_aliases_stay_aliases() -> None:
    shared = np.zeros(3)
    first, second, mapping = through([shared, shared, {"again": shared}])
    assert first is second is mapping["again"]


def test_cycles_come_back() -> None:
    car = Car()
    car.self = [car]
    live = Car()
    assert through(car, live) is live and live.self[0] is live


def test_views_share_memory_again() -> None:
    track = np.arange(12.0)
    whole, part = through([track, track[3:9:2]])
    whole[5] = -1.0
    assert part.tolist() == [3.0, -1.0, 7.0]


def test_views_backwards_share_memory_again() -> None:
    track = np.arange(4)
    whole, back = through([track, track[::-1]])
    whole[0] = 9
    assert back.tolist() == [3, 2, 1, 9]


def test_views_of_what_nobody_else_holds_share_memory_again() -> None:
    track = np.arange(6.0)
    left, right = through([track[:4], track[2:]])
    left[3] = -1.0
    assert right.tolist() == [2.0, -1.0, 4.0, 5.0]


@pytest.mark.parametrize("lanes", [1, 20])
def test_arrays_in_memory_of_a_tensor_share_it_again(lanes: int) -> None:
    track = np.arange(6.0)
    tensor = th.from_numpy(track)
    whole, *parts = through([track, *(tensor.numpy()[1:3] for _ in range(lanes)), th.zeros(3).numpy()])
    whole[2] = -1.0
    assert [part.tolist() for part in parts] == [[1.0, -1.0]] * lanes + [[0.0] * 3]


def test_arrays_apart_are_written_by_themselves() -> None:
    node, arrays = taken([np.zeros(3), np.arange(8.0)[2:4], th.ones(2).numpy()])
    assert [item["$"] for item in node["v"]] == ["array"] * 3 and [array.size for array in arrays.values()] == [3, 2, 2]


@pytest.mark.parametrize("shape", [(1, 8, 8, 1), (2, 4, 4, 3)])
def test_memory_layout_comes_back(shape: tuple[int, ...]) -> None:
    image = np.transpose(np.random.default_rng(0).random(shape), (0, 3, 1, 2))
    assert through(image).strides == image.strides and np.array_equal(through(image), image)


def test_objects_are_filled_in_place() -> None:
    live = Car(wheels=3, owner=Car(name="old"))
    owner = live.owner
    assert through(Car(wheels=4, owner=Car(name="new")), live) is live
    assert live.owner is owner and (live.wheels, owner.name) == (4, "new")


def test_two_objects_never_fill_the_same_live_one() -> None:
    shared = Car(name="both")
    live = Car(left=shared, right=shared)
    through(Car(left=Car(name="a"), right=Car(name="b")), live)
    assert (live.left.name, live.right.name) == ("a", "b")


def test_generator_goes_on_for_everyone_who_holds_it() -> None:
    written, live = np.random.default_rng(1), np.random.default_rng(2)
    car = Car(rng=live, draw=live.integers)
    through(Car(rng=written, draw=written.integers), car)
    assert car.draw(1 << 40) == written.integers(1 << 40)
    assert car.rng.random() == written.random()


@pytest.mark.parametrize("kind", [np.random.PCG64, np.random.MT19937, np.random.Philox, np.random.SFC64])
def test_every_bit_generator_comes_back(kind: Any) -> None:
    written = np.random.Generator(kind(5))
    copy = through(written)
    assert copy.random(3).tolist() == written.random(3).tolist()


def test_other_generators_come_back() -> None:
    old, state, torch = random.Random(3), np.random.RandomState(4), th.Generator().manual_seed(5)
    new = through([old, state, torch])
    assert new[0].random() == old.random() and new[1].rand() == state.rand()
    assert th.equal(th.rand(2, generator=new[2]), th.rand(2, generator=torch))


def test_bound_method_leads_to_its_object() -> None:
    live = Car(go=Car(distance=0).drive)
    through(Car(go=Car(distance=41).drive), live)
    assert live.go() == 42


def test_spaces_keep_their_generators() -> None:
    old = spaces.Dict({"a": spaces.Discrete(1000), "b": spaces.Box(0, 1, (2,))})
    old.seed(3)
    old.sample()
    new = through(old, spaces.Dict({"a": spaces.Discrete(1000), "b": spaces.Box(0, 1, (2,))}))
    assert str(new.sample()) == str(old.sample())


def test_tensors_and_deques_come_back() -> None:
    old = collections.deque([th.arange(3), th.ones(2, dtype=th.bfloat16)], maxlen=4)
    new = through(old)
    assert new.maxlen == 4 and th.equal(new[0], old[0]) and th.equal(new[1], old[1])


class Slotted:
    __slots__ = ("seats",)


class HalfSlotted(Slotted):
    """Has a dictionary as well, so that its slot is easily overlooked."""


@pytest.mark.parametrize(
    "value", [Slotted(), HalfSlotted(), memoryview(b""), range(3).__iter__(), collections.Counter()]
)
def test_what_cannot_be_taken_is_named(value: Any) -> None:
    capture = Capture()
    capture.take(Car(part=value), "it")
    assert len(capture.lost) == 1 and capture.lost[0].startswith("it.part (")


def test_subclasses_of_c_types_are_not_ordinary() -> None:
    assert not any(ordinary(type("Sub", (kind,), {})) for kind in (dict, list, float, np.ndarray, Exception, th.Tensor))


@pytest.mark.parametrize(
    "node",
    [
        {"$": "import", "v": "os.system"},
        {"$": 3},
        {"v": []},
        [],
        {"$": "object", "class": "os._wrap_close", "i": 0, "v": {}},
        {"$": "array", "i": 0, "v": "nowhere"},
        {"$": "ref", "v": 7},
        {"$": "generator", "i": 0, "v": {"bit_generator": "system"}},
        {"$": "list", "i": 0, "v": 5},
        {"$": "tuple", "v": [{"$": "tuple", "v": [{"$": "same"}, {}]}]},
        {"$": "state", "i": 0, "v": None},
        {"$": "view", "i": 0, "v": "a0", "dtype": "<f8", "offset": 9000, "shape": [2], "strides": [8], "write": True},
        {"$": "view", "i": 0, "v": "a0", "dtype": "O", "offset": 0, "shape": [1], "strides": [8], "write": True},
    ],
)
def test_hostile_node_is_refused(node: Any) -> None:
    with pytest.raises(RestoreError, match="it"):
        Restore({"a0": np.zeros(64, np.uint8)}, Car()).put(node, None, "it")


def test_deep_node_is_refused() -> None:
    node: Any = None
    for _ in range(5000):
        node = {"$": "tuple", "v": [node]}
    with pytest.raises(RestoreError, match="RecursionError"):
        Restore({}).put(node, None, "it")


@pytest.mark.parametrize("more", [0, 50])
def test_flat_rows_keep_numbers_aliases_and_what_is_not_flat(more: int) -> None:
    shared = {"r": 1, "l": True, "t": 0.5}
    others = [{"r": float(index)} for index in range(more)]
    rows = collections.deque([shared, {"r": -0.0}, {1: None, "two": "2"}, *others], maxlen=99)
    odd = [{"r": float("nan")}, {"r": 10**400, "t": 0.5}, shared, shared, *others]
    new, again, other = through([rows, shared, odd])
    assert repr(new) == repr(rows) and new.maxlen == 99
    assert new[0] is again is other[2] is other[3] and all(map(operator.is_, list(new)[3:], other[4:]))
    assert repr(other) == repr(odd)


@pytest.mark.parametrize("count", [1, 100])
def test_rows_are_copied_when_they_are_taken(count: int) -> None:
    row, numbers = {"r": 1.0}, [1.0, 2.0]
    node = Capture().take([[row, *({"r": 2.0} for _ in range(count - 1))], numbers], "it")
    row["r"], numbers[0] = 5.0, 5.0
    assert '["r",1.0]' in node_text(node) and "5.0" not in node_text(node)
