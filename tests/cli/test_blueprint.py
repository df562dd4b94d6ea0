from __future__ import annotations

import json

import numpy as np
import pytest
from gymnasium import spaces

from validation_ch7.checkpoints.blueprint import BlueprintError, build_space, space_node

SPACES = [
    spaces.Box(-np.inf, np.inf, (3,), np.float32),
    spaces.Box(np.array([-4.8, -1e30]), np.array([4.8, 1e30]), dtype=np.float64),
    spaces.Box(0, 255, (4, 5, 3), np.uint8),
    spaces.Box(0.0, 1.0, (), np.float32),
    spaces.Discrete(7, start=-2),
    spaces.MultiDiscrete([3, 4]),
    spaces.MultiBinary(5),
    spaces.MultiBinary([2, 3]),
    spaces.Dict({"a": spaces.Discrete(2), "b": spaces.Box(0.0, 1.0, (2,), np.float32)}),
]


@pytest.mark.parametrize("space", SPACES, ids=str)
def test_space_survives_as_plain_data(space):
    assert build_space(json.loads(json.dumps(space_node(space)))) == space


def test_space_without_plain_form_is_none():
    assert space_node(spaces.Text(3)) is None
    assert space_node(spaces.Dict({"a": spaces.Text(3)})) is None


@pytest.mark.parametrize(
    "node",
    [
        None,
        3,
        {},
        {"kind": "os.system"},
        {"kind": "Discrete", "n": -1, "start": 0},
        {"kind": "Box", "low": "AAAA", "high": "AAAA", "shape": [2], "dtype": "O"},
        {"kind": "Box", "low": "AAAAAA==", "high": "AAAAAA==", "shape": [10**9, 10**9], "dtype": "<f4"},
        {"kind": "Box", "low": "?", "high": "", "shape": [2], "dtype": "<f4"},
        {"kind": "Dict", "parts": 1},
    ],
)
def test_wrong_space_is_refused(node):
    with pytest.raises(BlueprintError, match="cannot be built"):
        build_space(node)
