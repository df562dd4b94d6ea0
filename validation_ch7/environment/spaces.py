"""The spaces of the traffic environment.

Observation: float32 in [0, 1], for each road (intersections row by row, approaches north, south, east, west):

=====  ==========================================================  =========================
index  meaning                                                     unit
=====  ==========================================================  =========================
0, 1   queued motorbikes, cars                                     share of the jam capacity
2 …    occupancy of each road segment, from the stop line upstream  share of the lane area
last   vehicles q that wait outside the network                    q / (q + scale)
=====  ==========================================================  =========================

then for each intersection: the phase that has or will have green (one-hot), 1 while yellow or all-red is shown,
and the time t [s] since the last change as t / (t + 30 s).

The default environment, four roads seen in three segments and two phases, has these 28 numbers:

======  =============================================================  ===========
index   meaning                                                        unit
======  =============================================================  ===========
6 i     motorbikes queued on approach i: north, south, east, west      share [-]
6 i+1   cars queued there                                              share [-]
6 i+2…  occupancy of its segments: next to the stop line, middle, far  share [-]
6 i+5   vehicles outside                                               share [-]
24, 25  phase 0, phase 1 has or will have green                        0 or 1
26      yellow or all-red is shown                                     0 or 1
27      time since the last change                                     t / (t + 30 s)
======  =============================================================  ===========

Action, for each intersection (one: ``Discrete``; several: ``MultiDiscrete``, row by row):

==========  ===============  ==========================================================
kind        value            meaning
==========  ===============  ==========================================================
``phase``   0 to phases - 1  the phase of ``signal.phases`` that is to have green
``switch``  0                keep the phase
``switch``  1                go to the next phase, after the last one to the first
==========  ===============  ==========================================================

A request during yellow, all-red or the least green changes nothing.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium import spaces

from validation_ch7.environment_config import EnvironmentConfig
from validation_ch7.traffic import build_layout


def make_spaces(config: EnvironmentConfig) -> tuple[spaces.Box, spaces.Space[Any]]:
    """Return the observation and the action space of one environment.

    >>> make_spaces(EnvironmentConfig())
    (Box(0.0, 1.0, (28,), float32), Discrete(2))
    """
    layout = build_layout(config)
    choices = 2 if config.signal.action == "switch" else layout.phases
    observation = spaces.Box(0.0, 1.0, (layout.observation_size,), np.float32)
    if layout.intersections == 1:
        return observation, spaces.Discrete(choices)
    return observation, spaces.MultiDiscrete([choices] * layout.intersections)
