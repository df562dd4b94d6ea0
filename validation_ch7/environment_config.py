"""What the traffic environment is made of: lengths in metres, times in seconds, flows in vehicles per hour."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from validation_ch7.schema import Document


class EnvironmentConfig(Document):
    """One signalised intersection, its demand and its episode."""

    horizon_s: Annotated[float, Field(gt=0)] = 600.0
    """Simulated time of one episode [s]."""
