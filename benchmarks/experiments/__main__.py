"""``python -m benchmarks.experiments train|rivals|grid|table``: measure, add a row to the data, draw the tables.

Examples::

    python -m benchmarks.experiments train traffic_light_control ppo --seeds 1 2 3
    python -m benchmarks.experiments train traffic_light_control dqn --set gradient_steps=2 --env observation.segments=5
    python -m benchmarks.experiments rivals traffic_light_control
    python -m benchmarks.experiments grid traffic_light_control dqn
    python -m benchmarks.experiments table
"""

from __future__ import annotations

import argparse
import datetime
from typing import Any

import yaml

from benchmarks.experiments import tables


def pairs(texts: list[str]) -> dict[str, Any]:
    """Return ``key=value`` texts as a mapping, values read as YAML."""
    return {key: yaml.safe_load(value) for key, _, value in (text.partition("=") for text in texts)}


def main() -> None:
    """Run one command."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.experiments", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    for name in ("train", "rivals", "grid"):
        command = commands.add_parser(name)
        command.add_argument("scenario")
        if name != "rivals":
            command.add_argument("algorithm")
            command.add_argument("--seeds", type=int, nargs="+", default=[1])
            command.add_argument("--steps", type=int)
            command.add_argument("--set", dest="changes", nargs="*", default=[], metavar="KEY=VALUE")
            command.add_argument("--env", nargs="*", default=[], metavar="KEY=VALUE")
    commands.add_parser("table")
    options = parser.parse_args()
    if options.command != "table":
        measured(options)
    tables.write()


def measured(options: argparse.Namespace) -> None:
    """Measure and keep the rows as they come."""
    from benchmarks.experiments import measure  # late: tables need neither torch nor numba

    today = {"date": datetime.datetime.now(datetime.UTC).date().isoformat(), "scenario": options.scenario}
    if options.command == "rivals":
        for row in measure.rivals(measure.environment_of(options.scenario)):
            tables.append("controllers", today | row | {"by": "section"})
        return
    for seed in options.seeds:
        config = measure.configure(
            options.scenario, options.algorithm, seed, options.steps, pairs(options.changes), pairs(options.env)
        )
        run = today | {"algorithm": options.algorithm, "seed": seed}
        if options.command == "grid":
            for row in measure.refined(config, 2):
                tables.append("grid", run | row)
        else:
            changes = " ".join([*options.changes, *options.env])
            tables.append("experiments", run | {"changes": changes, **measure.train(config), "by": "section"})


if __name__ == "__main__":
    main()
