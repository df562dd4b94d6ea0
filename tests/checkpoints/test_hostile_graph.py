"""A training state that lies: it may break its own resume, it may not reach into memory or code."""

import numpy as np
import pytest

from validation_ch7.checkpoints.graph_restore import Restore, RestoreError

BLOCK = {"a0": np.full(64, 65, np.uint8)}


def view(**changes):
    return {
        "$": "view",
        "i": 0,
        "v": "a0",
        "dtype": "<f8",
        "offset": 0,
        "shape": [2],
        "strides": [8],
        "write": True,
    } | changes


@pytest.mark.parametrize("dtype", ["|O", [("x", "|O")]])
def test_bytes_of_a_file_are_never_taken_for_pointers(dtype):
    with pytest.raises(RestoreError, match="Python objects"):
        Restore(BLOCK).put(view(dtype=dtype), None, "env")


@pytest.mark.parametrize("changes", [{"offset": 60}, {"shape": [99]}, {"strides": [10**6]}, {"offset": -8}])
def test_a_view_never_leaves_its_block(changes):
    with pytest.raises(RestoreError, match="env"):
        Restore(BLOCK).put(view(**changes), None, "env")


@pytest.mark.parametrize("node", [{"$": "__init__"}, {"$": "eval", "v": "1"}, {"v": 1}, [1], {"$": 3}])
def test_an_unknown_kind_of_node_is_refused(node):
    with pytest.raises(RestoreError, match="env"):
        Restore(BLOCK).put(node, None, "env")


def test_a_class_that_lives_nowhere_in_the_environment_is_not_made():
    with pytest.raises(RestoreError, match=r"no subprocess\.Popen lives"):
        Restore({}).put({"$": "object", "i": 0, "class": "subprocess.Popen", "v": {}}, object(), "env")
