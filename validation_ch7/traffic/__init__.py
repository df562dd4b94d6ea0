"""ARZ flow physics: arrays and SI units; no gymnasium, no input or output."""

from validation_ch7.traffic.arrays import MEASURES, Tables
from validation_ch7.traffic.demand import base_flows, draw_arrivals, start_episodes
from validation_ch7.traffic.devices import make_simulator
from validation_ch7.traffic.layout import Layout, build_layout
from validation_ch7.traffic.simulator import Simulator
from validation_ch7.traffic.statistics import summarise

__all__ = [
    "MEASURES",
    "Layout",
    "Simulator",
    "Tables",
    "base_flows",
    "build_layout",
    "draw_arrivals",
    "make_simulator",
    "start_episodes",
    "summarise",
]
