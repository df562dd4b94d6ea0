"""Seeds: training rows derive theirs from the run's seed, evaluation has held-out ones, and the two never meet."""

from __future__ import annotations

import numpy as np

HELD_OUT = 1 << 16
"""Width of the window of seeds that belong to evaluation, whatever the number of episodes."""


def held_out_seeds(first: int, episodes: int) -> list[int]:
    """Return the seeds of one evaluation.

    >>> held_out_seeds(1_000_003, 3)
    [1000003, 1000004, 1000005]
    """
    return list(range(first, first + min(episodes, HELD_OUT)))


def training_seeds(seed: int, n_envs: int, held_out: int) -> list[int]:
    """Return one seed for each training environment, none of them in the window that starts at ``held_out``.

    >>> training_seeds(42, 2, 1_000_003) == training_seeds(42, 3, 1_000_003)[:2]
    True
    """
    window = range(held_out, held_out + HELD_OUT)
    sequence = np.random.SeedSequence(seed)
    seeds: list[int] = []
    while len(seeds) < n_envs:
        (child,) = sequence.spawn(1)
        candidate = int(child.generate_state(1)[0]) >> 1  # some environments take signed 32-bit seeds
        if candidate not in window and candidate not in seeds:
            seeds.append(candidate)
    return seeds
