"""Wrong settings are named, with their key and unit, when the configuration is made."""

from typing import Any

import pytest

from validation_ch7.environment_config import EnvironmentConfig
from validation_ch7.errors import ConfigurationError
from validation_ch7.schema import parse_document


@pytest.mark.parametrize(
    ("data", "key"),
    [
        (
            {"network": {"cell_length_m": 0}},
            r"network.cell_length_m: .* greater than or equal to 0.5, found 0 \(.*\[m\]",
        ),
        ({"network": {"cell_length_m": 7}}, r"entry_length_m \[m\] must be a multiple"),
        ({"network": {"turning_east_west": {"u_turn": 0.1}}}, "network.turning_east_west.u_turn"),
        ({"network": {"turning_north_south": {"left": 0.5}}}, r"must be 1 \[-\], not 1.35"),
        ({"demand": {"flow_veh_per_h": {"north": -1}}}, "demand.flow_veh_per_h.north"),
        ({"demand": {"profile": "rush"}}, "demand.profile"),
        ({"signal": {"phases": [["north"]]}}, "no phase gives green to east, south, west"),
        ({"signal": {"phases": [["up"]]}}, "signal.phases.0.0"),
        ({"signal": {"max_green_s": 5, "min_green_s": 10}}, r"max_green_s \[s\] must not be below"),
        ({"horizon_s": 601}, r"horizon_s \[s\] must be a multiple of decision_s"),
        ({"horizon_s": float("nan")}, "horizon_s"),
        ({"traffic": {"car": {"jam_occupancy": 1.2}}}, r"traffic.car.jam_occupancy: .*found 1.2 \(.*\[-\]"),
        ({"traffic": {"motorbike_share": -0.1}}, r"traffic.motorbike_share: .*found -0.1 \(.*\[-\]"),
    ],
)
def test_wrong_value_is_named(data: dict[str, Any], key: str) -> None:
    with pytest.raises(ConfigurationError, match=key):
        parse_document(EnvironmentConfig, data, "section.yml")


def test_configuration_survives_a_round_trip() -> None:
    config = EnvironmentConfig.model_validate({"network": {"columns": 3}, "signal": {"max_green_s": 60}})
    assert EnvironmentConfig.model_validate(config.model_dump(mode="json")) == config
