"""The global random generators of the process: Python's, numpy's and torch's."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterator

import numpy as np
import torch as th


@contextlib.contextmanager
def undisturbed_generators() -> Iterator[None]:
    """Leave the global generators as they were, whatever is drawn inside.

    An evaluation happens between two updates of a training run that must not notice it.
    """
    python, legacy, torch_cpu = random.getstate(), np.random.get_state(), th.get_rng_state()
    cuda = th.cuda.get_rng_state_all() if th.cuda.is_initialized() else []  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(legacy)
        th.set_rng_state(torch_cpu)
        if cuda:
            th.cuda.set_rng_state_all(cuda)
