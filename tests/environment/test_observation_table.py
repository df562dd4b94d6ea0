"""The table of the default environment's 28 numbers says what they are."""

import numpy as np

from validation_ch7.environment import TrafficEnv


def test_each_number_of_the_default_observation_is_what_the_table_says() -> None:
    env = TrafficEnv()
    assert env.observation_space.shape == (28,)
    first, _ = env.reset(seed=0)
    assert first[24:].tolist() == [1.0, 0.0, 0.0, 0.0]
    simulator, waiting = env.batch.simulator, np.array([[1.0, 2.0], [0.0, 0.0], [0.0, 3.0], [0.0, 0.0]])
    state = env.get_state()
    state["simulator"]["queue"][0] = waiting
    last = simulator.layout.tables.links[:, 1]
    state["simulator"]["x"][0, 1, last[1] - 1] = 0.85  # cars stand before the southern stop line
    state["simulator"]["x"][0, 3, last[1] - 1] = 0.85 * 13.9
    env.set_state(state)
    seen = env.batch.observe()[0]
    scale = float(simulator.layout.tables.scalars[3])
    outside = waiting.sum(axis=1)
    assert np.allclose(seen[5:24:6], outside / (outside + scale))
    assert seen[6 * 1 + 2] > 0.0 and np.count_nonzero(seen[2:24].reshape(-1)[[0, 1, 2, 12, 13, 14, 18, 19, 20]]) == 0
    env.set_state({**state, "simulator": {**state["simulator"], "queue": np.zeros_like(state["simulator"]["queue"])}})
    for _ in range(2):
        seen = env.step(1)[0]
    assert seen[6 * 1 + 1] > 0.0 or seen[6 * 1 + 2] > 0.0
    assert seen[24:26].sum() == 1.0 and 0.0 < seen[27] < 1.0
