"""The table of a study's episodes, read back from its CSV: what is not in the file is in no figure and no sentence."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from validation_ch7.study.records import KEY_NAMES, MEASURE_NAMES
from validation_ch7.study.statistics import Scores

DELAY = "mean_delay_s"


@dataclass(frozen=True)
class Gap:
    """A task without episodes."""

    scenario: str
    case: str
    grid: int
    policy: str
    training_seed: int | None
    status: str
    reason: str


@dataclass(frozen=True)
class Runs:
    """Episodes of one policy under one demand.

    Attributes:
        measures: by name, (training seeds, demand seeds); a controller has one row.
        training_seeds: those of which every episode is there; empty for a controller.
        demand_seeds: in ascending order.
    """

    policy: str
    kind: str
    measures: dict[str, Scores]
    training_seeds: tuple[int, ...]
    demand_seeds: tuple[int, ...]

    @property
    def delay(self) -> Scores:
        """Mean delay of each episode, (training seeds, demand seeds) [s]."""
        return self.measures[DELAY]

    def on(self, demand_seeds: Iterable[int], measure: str = DELAY) -> Scores:
        """Return a measure on some of the demand seeds, in the order given."""
        places = {seed: place for place, seed in enumerate(self.demand_seeds)}
        return self.measures[measure][:, [places[seed] for seed in demand_seeds]]


Key = tuple[str, str, int, str]


class Table:
    """Every row of ``metrics.csv``.

    Args:
        data: its bytes.
    """

    def __init__(self, data: bytes) -> None:
        self.rows = list(csv.DictReader(io.StringIO(data.decode("utf-8"))))
        self.gaps = [_gap(row) for row in self.rows if row["status"] != "ok"]
        groups: dict[Key, list[dict[str, str]]] = {}
        for row in self.rows:
            key = (row["scenario"], row["case"], int(row["grid"]), row["policy"])
            if row["status"] == "ok":
                groups.setdefault(key, []).append(row)
        self._runs = {key: _runs(rows) for key, rows in groups.items()}

    @property
    def scenarios(self) -> list[str]:
        """Names of the scenarios, in the order of the file."""
        return list(dict.fromkeys(row["scenario"] for row in self.rows))

    def find(self, scenario: str, case: str, policy: str, grid: int = 1) -> Runs | None:
        """Return the runs of a policy, or None where there are none."""
        return self._runs.get((scenario, case, grid, policy))

    def compared(self, scenario: str, case: str, grid: int = 1) -> dict[str, Runs]:
        """Return the runs of every controller and algorithm under a demand, the oracle left out."""
        keys = [key for key in self._runs if key[:3] == (scenario, case, grid)]
        return {key[3]: self._runs[key] for key in keys if self._runs[key].kind != "oracle"}


def _runs(rows: list[dict[str, str]]) -> Runs:
    by_seed: dict[str, dict[int, dict[str, str]]] = {}
    for row in rows:
        by_seed.setdefault(row["training_seed"], {})[int(row["demand_seed"])] = row
    demand = sorted(set().union(*by_seed.values()))
    whole = [seed for seed, episodes in by_seed.items() if set(episodes) == set(demand)]
    measures = {
        name: np.array([[float(by_seed[seed][column][name]) for column in demand] for seed in whole])
        for name in MEASURE_NAMES
    }
    seeds = tuple(int(seed) for seed in whole if seed)
    return Runs(rows[0]["policy"], rows[0]["kind"], measures, seeds, tuple(demand))


def _gap(row: dict[str, str]) -> Gap:
    seed = int(row["training_seed"]) if row["training_seed"] else None
    key = {name: row[name] for name in KEY_NAMES}
    return Gap(key["scenario"], key["case"], int(key["grid"]), key["policy"], seed, key["status"], key["reason"])


def shared_seeds(*runs: Runs) -> tuple[int, ...]:
    """Return the demand seeds that all have."""
    return tuple(sorted(set.intersection(*(set(one.demand_seeds) for one in runs))))
