"""Pictures of the traffic: the network from above, and occupancy over time and space; uint8 RGB arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from validation_ch7.environment_config import Network
from validation_ch7.traffic import Simulator

Picture = NDArray[np.uint8]
GRASS, JUNCTION = (226, 232, 222), (90, 90, 90)
RED, YELLOW, GREEN = (214, 39, 40), (240, 190, 20), (30, 160, 60)
HALF, LANE = 5, 3
"""Half a junction and the width of a road [pixels]; a cell is one pixel long."""


def occupancy_colours(occupancy: NDArray[np.floating[Any]]) -> Picture:
    """Return colours from dark grey (empty) over orange to red (jammed), shape (..., 3).

    >>> occupancy_colours(np.array([0.0, 1.0])).tolist()
    [[70, 70, 70], [255, 0, 40]]
    """
    r = np.clip(occupancy, 0.0, 1.0)[..., None]
    low, middle, high = np.array([70, 70, 70]), np.array([255, 170, 40]), np.array([255, 0, 40])
    colours = np.where(r < 0.5, low + 2 * r * (middle - low), middle + (2 * r - 1) * (high - middle))
    return np.asarray(np.rint(colours), np.uint8)


def signal_colour(simulator: Simulator, row: int, road: int) -> tuple[int, int, int]:
    """Return the colour of the light at the end of a road."""
    phase, target, elapsed = simulator.signal[row, road // 4]
    tables = simulator.layout.tables
    if not tables.green[phase, road % 4]:
        return RED
    if phase == target:
        return GREEN
    return YELLOW if elapsed < tables.timing[6] else RED


def draw_network(simulator: Simulator, network: Network, row: int = 0) -> Picture:
    """Return the network from above, north up, one pixel per cell length; traffic keeps right.

    Args:
        simulator: the simulator.
        network: how its intersections lie.
        row: which environment of the batch.
    """
    outer = round(network.entry_length_m / network.cell_length_m)
    pitch = round(network.spacing_m / network.cell_length_m) + 2 * HALF + 1
    margin = outer + HALF + 2
    height, width = (2 * margin + 1 + pitch * (count - 1) for count in (network.rows, network.columns))
    picture = np.full((height, width, 3), GRASS, np.uint8)
    for road, (first, last, _, _) in enumerate(simulator.layout.tables.links):
        line, column = divmod(road // 4, network.columns)
        centre = margin + pitch * line, margin + pitch * column
        strip = occupancy_colours(simulator.x[row, :2, first:last].sum(axis=0))
        strip = np.concatenate([strip, np.array([signal_colour(simulator, row, road)], np.uint8)])
        _paint(picture, centre, road % 4, strip)
    for line in range(network.rows):
        for column in range(network.columns):
            y, x = margin + pitch * line, margin + pitch * column
            picture[y - HALF + 1 : y + HALF, x - HALF + 1 : x + HALF] = JUNCTION
    return picture


def _paint(picture: Picture, centre: tuple[int, int], approach: int, strip: Picture) -> None:
    y, x = centre
    length = len(strip)
    if approach == 0:
        picture[y - HALF - length + 1 : y - HALF + 1, x - LANE : x] = strip[:, None]
    elif approach == 1:
        picture[y + HALF : y + HALF + length, x + 1 : x + 1 + LANE] = strip[::-1, None]
    elif approach == 2:
        picture[y - LANE : y, x + HALF : x + HALF + length] = strip[None, ::-1]
    else:
        picture[y + 1 : y + 1 + LANE, x - HALF - length + 1 : x - HALF + 1] = strip[None]


def draw_time_space(history: list[NDArray[np.floating[Any]]], stretch: int = 3) -> Picture:
    """Return the time-space diagram of recorded roads: time to the right, driving direction upwards.

    Args:
        history: one array of occupancies (cells,) per decision [-].
        stretch: pixels per decision.

    Returns:
        (cells, stretch * decisions, 3).
    """
    if not history:
        return np.full((1, 1, 3), GRASS, np.uint8)
    return np.repeat(occupancy_colours(np.stack(history, axis=1)[::-1]), stretch, axis=1)
