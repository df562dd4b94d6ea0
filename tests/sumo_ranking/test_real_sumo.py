"""The real thing, briefly, where this interpreter or the one of ``SUMO_PYTHON`` has libsumo and SUMO."""

import os
import subprocess
import sys

import numpy as np
import pytest

from benchmarks.sumo_ranking import players
from benchmarks.sumo_ranking.network import write_network
from benchmarks.sumo_ranking.simulator import open_rivals
from validation_ch7.control import FixedTime

PYTHON = os.environ.get("SUMO_PYTHON", sys.executable)


def has_sumo() -> bool:
    return subprocess.run([PYTHON, "-c", "import libsumo, sumo"], capture_output=True).returncode == 0


@pytest.mark.slow
def test_plan_with_greens_that_fit_loses_less_time_than_one_without(tmp_path) -> None:
    if not has_sumo():
        pytest.skip("no libsumo: pip install eclipse-sumo libsumo, or let SUMO_PYTHON name an interpreter with them")
    config = players.spec("ppo", 0, None).environment
    write_network(tmp_path, config, 1.1)
    with open_rivals(PYTHON, tmp_path, 2) as rivals:
        arena = players.Arena("sumo", config, {}, rivals)
        fits, twice, starves = (
            arena.judge(FixedTime(greens, 4.0), [1, 2])
            for greens in ((31.0, 21.0, 11.0), (31.0, 21.0, 11.0), (11.0, 31.0, 31.0))
        )
    delay = np.array([[episode["mean_delay_s"] for episode in plan] for plan in (fits, twice, starves)])
    assert (delay[0] == delay[1]).all()  # common random numbers
    assert (delay[0] < 0.8 * delay[2]).all()
    assert all(15.0 < episode["own_delay_s"] < 60.0 for episode in fits)
