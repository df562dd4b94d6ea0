"""The rows of the experiments: committed CSV files, and the tables of docs/EXPERIMENTS.md that are drawn from them."""

from __future__ import annotations

import csv
import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT / "docs" / "results"
DOCUMENT = ROOT / "docs" / "EXPERIMENTS.md"
COLUMNS = {
    "experiments": (
        "date",
        "scenario",
        "algorithm",
        "seed",
        "steps",
        "changes",
        "processor_s",
        "delay_s",
        "curve",
        "by",
    ),
    "controllers": ("date", "scenario", "controller", "parameters", "tried", "search_s", "delay_s", "by"),
    "grid": ("date", "scenario", "algorithm", "seed", "cell_length_m", "who", "delay_s"),
}
"""Columns of each file, and of its table."""


def append(name: str, row: dict[str, Any]) -> None:
    """Add one row to a file."""
    path = DATA / f"{name}.csv"
    new = not path.exists()
    with path.open("a", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, COLUMNS[name], lineterminator="\n")
        if new:
            writer.writeheader()
        writer.writerow(row)


def read(name: str) -> list[dict[str, str]]:
    """Return the rows of a file; none where it is not there."""
    path = DATA / f"{name}.csv"
    return list(csv.DictReader(path.read_text(encoding="utf-8").splitlines())) if path.exists() else []


def markdown(name: str) -> str:
    """Return a file as a table."""
    columns = [column for column in COLUMNS[name] if column != "date"]
    lines = ["| " + " | ".join(columns) + " |", "|---" * len(columns) + "|"]
    lines += ["| " + " | ".join(row[column] or "–" for column in columns) + " |" for row in read(name)]
    return "\n".join(lines)


def leads() -> str:
    """Return how each training in a scenario of section.yml stands against fixed time, the best of all, the oracle."""
    judged = [row for row in read("controllers") if row["by"] == "section"]
    lines = [
        "| scenario | algorithm | seed | steps | best classical | fixed time | look-ahead |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in read("experiments"):
        delays = {
            rival["controller"]: float(rival["delay_s"]) for rival in judged if rival["scenario"] == row["scenario"]
        }
        if delays:
            oracle = next((delay for name, delay in delays.items() if name.startswith("look-ahead")), None)
            best = min(delay for name, delay in delays.items() if not name.startswith("look-ahead"))
            changes = [
                f"{100 * (float(row['delay_s']) / other - 1):+.1f} %" if other else "–"
                for other in (best, delays["fixed_time"], oracle)
            ]
            lines.append(
                "| " + " | ".join([*(row[key] for key in ("scenario", "algorithm", "seed", "steps")), *changes]) + " |"
            )
    return "\n".join(lines)


def drawn(text: str) -> str:
    """Return a document with each table between its two marks drawn anew.

    >>> drawn("no marks here")
    'no marks here'
    """
    for name in (*COLUMNS, "leads"):
        table = leads() if name == "leads" else markdown(name)
        text = re.sub(
            rf"(<!-- {name} -->\n).*?(\n<!-- /{name} -->)",
            lambda found, table=table: found[1] + "\n" + table + "\n" + found[2],
            text,
            flags=re.DOTALL,
        )
    return text


def write() -> None:
    """Draw the tables of the document."""
    DOCUMENT.write_text(drawn(DOCUMENT.read_text(encoding="utf-8")), encoding="utf-8", newline="\n")
