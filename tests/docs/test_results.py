"""The recorded study: its page says what its data say, and the data follow from the episodes."""

import csv
import gzip
import io
import json
import re

import pytest
from scipy.stats import trim_mean

from tests.docs.documents import ROOT

RESULTS = ROOT / "docs" / "results"
DATA = RESULTS / "section_7_6"
SUMMARY = json.loads((DATA / "summary.json").read_text(encoding="utf-8"))
[SCENARIO] = SUMMARY["scenarios"].values()
PAGE = (RESULTS / "SECTION_7_6.md").read_text(encoding="utf-8").replace("−", "-")


def percent(found):
    value, low, high = (f"{100 * found[key]:.1f}" for key in ("value", "low", "high"))
    return f"{value} % [{low}, {high}]"


def share(found):
    return "{value:.3f} [{low:.3f}, {high:.3f}]".format(**found)


@pytest.fixture(scope="module")
def delays():
    rows = csv.DictReader(io.StringIO(gzip.decompress((DATA / "metrics.csv.gz").read_bytes()).decode("utf-8")))
    found = {}
    for row in rows:
        found.setdefault((row["case"], row["grid"], row["policy"]), []).append(float(row["mean_delay_s"]))
    return found


def test_it_is_the_whole_protocol():
    assert SUMMARY["full"] is True and not SUMMARY["reductions"] and not SUMMARY["missing"]
    for case in SCENARIO["cases"].values():
        assert all(found["demand_seeds"] >= 100 for found in case["policies"].values())
        assert all(len(case["policies"][agent]["training_seeds"]) >= 10 for agent in ("ppo", "dqn"))


@pytest.mark.parametrize(
    "verdict", SCENARIO["verdicts"], ids=lambda verdict: f"{verdict['algorithm']} {verdict['target']}"
)
def test_verdicts_stand_on_the_page(verdict):
    word = "met" if verdict["met"] else "missed"
    shown = share(verdict["found"]) if "probability" in verdict["target"] else percent(verdict["found"])
    assert f"{shown}: {word}" in PAGE


@pytest.mark.parametrize("name", [name for name in SCENARIO["cases"] if name != SUMMARY["reference"]])
def test_other_demand_stands_on_the_page(name):
    case = SCENARIO["cases"][name]
    best = case["best_classical"]
    agents = [case["comparisons"][agent][best] for agent in ("ppo", "dqn")]
    cells = [f"{percent(found['reduction'])}, {found['probability']['value']:.3f}" for found in agents]
    delay = case["policies"][best]["delay"]["value"]
    assert f"| {case['title']} | {best}, {delay:.1f} s | {' | '.join(cells)} |" in PAGE


def test_delays_follow_from_the_episodes(delays):
    for name, case in SCENARIO["cases"].items():
        for policy, found in case["policies"].items():
            assert trim_mean(delays[name, "1", policy], 0.25) == pytest.approx(found["delay"]["value"], rel=1e-12)


def test_every_chain_is_named_with_its_digest():
    assert len(re.findall(r"^(?:ppo|dqn)-traffic_light_control-\d  [0-9a-f]{12}$", PAGE, re.MULTILINE)) == 20
