"""The examples of docs/TRAFFIC.md work as they stand."""

import re
from pathlib import Path
from typing import Any

import yaml

from validation_ch7.control import CONTROLLERS
from validation_ch7.environment_config import EnvironmentConfig
from validation_ch7.schema import parse_document

TEXT = (Path(__file__).parents[2] / "docs" / "TRAFFIC.md").read_text(encoding="utf-8")


def block(language: str) -> str:
    found = re.search(rf"```{language}\n(.*?)```", TEXT, re.DOTALL)
    assert found
    return found.group(1)


def test_python_example_runs() -> None:
    names: dict[str, Any] = {}
    exec(compile(block("python"), "TRAFFIC.md", "exec"), names)  # noqa: S102
    assert names["observations"].shape == (64, 28)


def test_yaml_example_is_a_valid_configuration() -> None:
    section = yaml.safe_load(block("yaml"))
    environment = section["scenarios"]["traffic_light_control"]["environment"]
    assert parse_document(EnvironmentConfig, environment, "TRAFFIC.md").network.columns == 3


def test_every_controller_is_documented() -> None:
    assert all(f"`{name}`" in TEXT for name in CONTROLLERS)
