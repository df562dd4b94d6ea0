"""Baseline controllers: each with its source, all deciding from the simulator's state."""

from validation_ch7.control.controller import Controller
from validation_ch7.control.lookahead import LookAhead
from validation_ch7.control.plans import AllRed, FixedTime, RandomPhase, webster
from validation_ch7.control.pressure import Greedy, MaxPressure
from validation_ch7.control.responsive import Actuated, Sotl
from validation_ch7.control.runs import CONTROLLERS, make_controller, mean_delay_s, search_fixed_time, simulate
from validation_ch7.control.tuning import Tuned, tune

__all__ = [
    "CONTROLLERS",
    "Actuated",
    "AllRed",
    "Controller",
    "FixedTime",
    "Greedy",
    "LookAhead",
    "MaxPressure",
    "RandomPhase",
    "Sotl",
    "Tuned",
    "make_controller",
    "mean_delay_s",
    "search_fixed_time",
    "simulate",
    "tune",
    "webster",
]
