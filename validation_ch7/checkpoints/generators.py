"""The process-wide random generators: Python's, numpy's and torch's, as plain data."""

from __future__ import annotations

import random
from functools import partial
from typing import Any

import numpy as np
import torch as th
from numpy.typing import NDArray

from validation_ch7.checkpoints.graph import Deferred, Node, generator_node, generator_state

_WORDS = 625
_OFFSET = 8
"""Where the state of a CUDA generator counts what was drawn, behind its seed; zeros: nobody has drawn from it."""


def take_generators() -> tuple[Node, dict[str, NDArray[Any] | Deferred]]:
    """Return the state of every global generator, as nodes and arrays, some of them made later."""
    version, words, gauss = random.getstate()
    cuda = th.cuda.get_rng_state_all() if th.cuda.is_initialized() else []  # type: ignore[no-untyped-call]
    legacy = np.random.get_state(legacy=False)
    numpy_state = {**legacy, "state": {**legacy["state"], "key": None}}
    arrays: dict[str, NDArray[Any] | Deferred] = {
        "rng_python": Deferred(partial(np.array, words, np.uint64)),
        "rng_numpy": legacy["state"]["key"],
        "rng_torch": th.get_rng_state().numpy(),
    }
    arrays |= {f"rng_cuda_{index}": state.numpy() for index, state in enumerate(cuda)}
    return {
        "python": [version, gauss],
        "numpy": Deferred(partial(generator_node, numpy_state)),
        "cuda": len(cuda),
    }, arrays


def put_generators(node: Node, arrays: dict[str, NDArray[Any]]) -> list[str]:
    """Put the state of every global generator back and return what could not be put back.

    Raises:
        KeyError, TypeError, ValueError: the data is no such state.
    """
    version, gauss = node["python"]
    if len(arrays["rng_python"]) != _WORDS:
        raise ValueError("the state of Python's generator has the wrong length")
    random.setstate((version, tuple(int(word) for word in arrays["rng_python"]), gauss))
    state = generator_state(node["numpy"])
    state["state"]["key"] = arrays["rng_numpy"]
    np.random.set_state(state)
    th.set_rng_state(th.from_numpy(arrays["rng_torch"].copy()))
    return _put_cuda(node["cuda"], arrays)


def _put_cuda(saved: int, arrays: dict[str, NDArray[Any]]) -> list[str]:
    present = th.cuda.device_count() if th.cuda.is_available() else 0
    states = [arrays[f"rng_cuda_{index}"] for index in range(saved)]
    for index, state in enumerate(states[:present]):
        th.cuda.set_rng_state(th.from_numpy(state.copy()), index)
    drawn = any(state[_OFFSET:].any() for state in states[present:])
    return [f"generators of {saved} CUDA device(s); {present} here"] if drawn else []
