"""The intersection of a scenario as SUMO reads it: nodes, roads, connections, the driver, routes; plain XML.

Everybody goes straight on: our model knows no conflict of turning vehicles with oncoming ones, so that there a vehicle
that turns is like one that does not.
"""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

from validation_ch7.environment_config import APPROACHES, Approach, EnvironmentConfig

EXIT_LENGTH_M = 50.0
"""Length of the roads that lead away [m]; nothing holds vehicles back there."""
CAR_LENGTH_M, LEAST_GAP_M = 5.0, 2.5
"""SUMO's own car; together 7.5 m in a queue, as our 6.4 m of lane at a jam occupancy of 0.85."""
_PLACE: dict[Approach, tuple[int, int]] = {"north": (0, 1), "south": (0, -1), "east": (1, 0), "west": (-1, 0)}
_OPPOSITE: dict[Approach, Approach] = {"north": "south", "south": "north", "east": "west", "west": "east"}


def lanes(config: EnvironmentConfig, approach: Approach) -> int:
    """Return the lanes of an approach.

    >>> lanes(EnvironmentConfig(), "north")
    2
    """
    network = config.network
    return network.lanes_north_south if approach in ("north", "south") else network.lanes_east_west


def nodes(config: EnvironmentConfig) -> str:
    """Return the nodes: a traffic light and the four ends of the roads."""
    root = ElementTree.Element("nodes")
    ElementTree.SubElement(root, "node", id="centre", x="0", y="0", type="traffic_light")
    for approach, (x, y) in _PLACE.items():
        away = config.network.entry_length_m
        ElementTree.SubElement(root, "node", id=approach, x=f"{x * away:g}", y=f"{y * away:g}", type="priority")
    return _text(root)


def edges(config: EnvironmentConfig) -> str:
    """Return the roads: those from each side are named after it, those towards it begin with ``to_``."""
    root = ElementTree.Element("edges")
    speed = f"{config.traffic.car.free_speed_m_s:g}"
    for approach in APPROACHES:
        towards = {"from": approach, "to": "centre", "length": f"{config.network.entry_length_m:g}"}
        away = {"from": "centre", "to": approach, "length": f"{EXIT_LENGTH_M:g}"}
        for name, ends in ((approach, towards), (f"to_{approach}", away)):
            count = str(lanes(config, approach))
            ElementTree.SubElement(root, "edge", id=name, numLanes=count, speed=speed, **ends)
    return _text(root)


def connections(config: EnvironmentConfig) -> str:
    """Return which lane leads to which: each one straight on."""
    root = ElementTree.Element("connections")
    for approach in APPROACHES:
        for lane in map(str, range(lanes(config, approach))):
            ends = {"from": approach, "to": f"to_{_OPPOSITE[approach]}", "fromLane": lane, "toLane": lane}
            ElementTree.SubElement(root, "connection", **ends)
    return _text(root)


def drivers(tau_s: float) -> str:
    """Return the type of the vehicles, SUMO's own car with another headway [s], and the four routes."""
    root = ElementTree.Element("routes")
    size = {"length": f"{CAR_LENGTH_M:g}", "minGap": f"{LEAST_GAP_M:g}", "tau": f"{tau_s:g}"}
    ElementTree.SubElement(root, "vType", id="car", vClass="passenger", **size)
    for approach in APPROACHES:
        ElementTree.SubElement(root, "route", id=approach, edges=f"{approach} to_{_OPPOSITE[approach]}")
    return _text(root)


def facts(config: EnvironmentConfig) -> str:
    """Return what the rival's process has to know of the scenario, as JSON."""
    known = {
        "approaches": APPROACHES,
        "lanes": [lanes(config, approach) for approach in APPROACHES],
        "cells": round(config.network.entry_length_m / config.network.cell_length_m),
        "cell_length_m": config.network.cell_length_m,
        "free_speed_m_s": config.traffic.car.free_speed_m_s,
        "stop_speed_m_s": config.traffic.stop_speed_m_s,
    }
    return json.dumps(known)


def write_network(folder: Path, config: EnvironmentConfig, tau_s: float) -> None:
    """Write everything that the rival's process reads into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    texts = {
        "plain.nod.xml": nodes(config),
        "plain.edg.xml": edges(config),
        "plain.con.xml": connections(config),
        "drivers.rou.xml": drivers(tau_s),
        "facts.json": facts(config),
    }
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8", newline="\n")


def _text(root: ElementTree.Element) -> str:
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode") + "\n"
