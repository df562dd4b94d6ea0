"""The validation report passes, and says so only where it is true."""

import json
from pathlib import Path

import pytest

from validation_ch7.reporting import traffic_validation
from validation_ch7.reporting.traffic_validation import Convergence, as_json, table
from validation_ch7.traffic.checks import Check


def test_failures_are_named() -> None:
    row = Convergence("smooth wave", 2, (20, 40), (1e-2, 5e-3), (1e-1, 1e-1), least_rate=1.9)
    check = Check("red light", "flow [veh]", 0.1, 0.0, 0.0)
    assert "**fails**" in table([row], []) and "**fails**" in table([], [check])
    assert as_json([row], [])["passed"] is False and as_json([], [check])["passed"] is False


@pytest.mark.parametrize(("errors", "passed"), [((1e-2, 5e-3), True), ((3e-2, 5e-3), False), ((1e-2, 7e-3), False)])
def test_errors_on_the_coarsest_and_on_the_finest_grid_count(errors: tuple[float, float], passed: bool) -> None:
    assert Convergence("contact", 1, (100, 800), errors, (2e-2, 6e-3)).passed is passed


def test_rates_are_claimed_on_smooth_rows_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(traffic_validation, "CELLS", (20, 40))
    monkeypatch.setattr(traffic_validation, "SMOOTH_CELLS", (20, 40))
    rows = traffic_validation.converge()
    assert [row.least_rate is not None for row in rows] == [row.name == "smooth wave" for row in rows]


@pytest.mark.slow
def test_report_passes_and_is_complete(tmp_path: Path) -> None:
    assert traffic_validation.main(tmp_path / "report") == 0
    result = json.loads((tmp_path / "report" / "traffic_validation.json").read_text())
    assert result["passed"] and len(result["convergence"]) == 10
    for name in ("riemann", "convergence"):
        assert (tmp_path / "report" / f"traffic_{name}.png").read_bytes().startswith(b"\x89PNG")
