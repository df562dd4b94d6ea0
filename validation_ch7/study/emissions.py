"""A proxy of carbon dioxide from what the simulator measures: time, distance and stops, by class.

Fuel F = a T + b (r0 + r1 v^2) x + b M v^2 h / 2 for travel time T, distance x, stops h and free speed v: the
energy-related model of D. C. Biggs and R. Akcelik, Traffic Engineering and Control 27 (6), 1986, without its term
in the square of the acceleration. It ranks controllers; it is no inventory of emissions.
"""

from __future__ import annotations

from collections.abc import Mapping

from validation_ch7.environment_config import TrafficMix

IDLE_ML_S = 0.444
"""Fuel that keeps the engine of the default car running, a [mL/s] (1600 mL/h; Bowyer, Akcelik & Biggs 1985)."""
FUEL_ML_KJ = 0.09
"""Fuel for each unit of work at the wheels, b [mL/kJ] (the same)."""
ROLLING_KN, DRAG_KN = 0.333, 0.00108
"""Resistance r0 [kN] and r1 [kN/(m/s)^2] of the default car (the same)."""
MASS_T = 1.2
"""Mass M of the default car [t] (the same)."""
CO2_G_ML = 2.348
"""Carbon dioxide of petrol [g/mL] (8,887 g/US gallon; US EPA, EPA-420-F-23-014)."""
MOTORBIKE_SHARE = 0.25
"""Fuel of a motorbike against that of a car [-]: an assumption, about 2 L against 8 L on 100 km at 50 km/h."""


def co2_g(time_s: float, distance_m: float, stops: float, speed_m_s: float) -> float:
    """Return the proxy of one default car [g].

    Args:
        time_s: travel time with the engine running [s].
        distance_m: distance travelled [m].
        stops: number of stops from free speed.
        speed_m_s: free speed [m/s].

    >>> round(co2_g(60.0, 0.0, 0.0, 13.9), 1)  # a minute of idling
    62.6
    >>> round(co2_g(1000 / 13.9, 1000.0, 0.0, 13.9) / CO2_G_ML, 1)  # a kilometre without a stop [mL]
    80.7
    """
    work = (ROLLING_KN + DRAG_KN * speed_m_s**2) * distance_m + MASS_T * speed_m_s**2 * stops / 2.0
    return CO2_G_ML * (IDLE_ML_S * time_s + FUEL_ML_KJ * work)


def emission_measures(episode: Mapping[str, float], mix: TrafficMix) -> dict[str, float]:
    """Return ``co2_proxy_g`` per vehicle that arrived, overall and by class.

    Distance follows from the measures: delay is n (1 - v / Vmax), so Vmax (travel time - delay) was driven.

    Args:
        episode: what :func:`~validation_ch7.traffic.summarise` gave.
        mix: the two classes.
    """
    result, total = {}, 0.0
    for name, kind, factor in (("motorbike", mix.motorbike, MOTORBIKE_SHARE), ("car", mix.car, 1.0)):
        time, delay = episode[f"travel_time_s_{name}"], episode[f"mean_delay_s_{name}"]
        speed = kind.free_speed_m_s
        each = factor * co2_g(time, speed * (time - delay), episode[f"stops_per_veh_{name}"], speed)
        result[f"co2_proxy_g_{name}"] = each
        total += each * episode[f"arrived_veh_{name}"]
    return {"co2_proxy_g": total / max(episode["arrived_veh"], 1.0), **result}
