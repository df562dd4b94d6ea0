"""The commands ``notify …``: whether notifications arrive."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from validation_ch7.cli.leaf import SETTINGS, examples
from validation_ch7.cli.outcome import exit_code_of, print_json
from validation_ch7.cli.paths import PathType
from validation_ch7.cli.selection import SECTION

EXIT_DONE, EXIT_UNREACHED = 0, 3
_EPILOG = (
    examples(("notify test", "exit code 3 where one is not reached"), ("notify test --json", "as JSON"))
    + """
\b
Where they go: VALIDATION_NOTIFY=url[,url] in the environment, or the key
'notify' of section.yml. http:// and https:// receive a POST of JSON;
everything else goes through Apprise (extra [notify]).
"""
)


@click.group(short_help="Be told when a run ends or fails.", context_settings=SETTINGS, epilog=_EPILOG)
def notify() -> None:
    """Tell somebody when a run ends, fails, is refused, or finds a better model."""


@notify.command(context_settings=SETTINGS, epilog=_EPILOG)
@click.option("--config", "config_file", type=PathType(), help="Another section.yml.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")
def test(config_file: Path | None, as_json: bool) -> None:
    """Send a test to every receiver; exit code 3 where one is not reached."""
    sys.exit(exit_code_of(lambda: _test(config_file, as_json), as_json))


def _test(config_file: Path | None, as_json: bool) -> int:
    from validation_ch7.cli.screen import Screen
    from validation_ch7.config import load_notify, section_file
    from validation_ch7.errors import ConfigurationError
    from validation_ch7.notify import Notifier, addresses, open_channels, trial_event

    path = config_file or section_file(SECTION)
    found = addresses(os.environ, load_notify(path))
    if not found:
        raise ConfigurationError(
            "Nobody is to be notified.",
            where=f"VALIDATION_NOTIFY, or the key 'notify' in {path}",
            expected="one address or more",
            found="none",
            remedy="set VALIDATION_NOTIFY to an address, for example http://127.0.0.1:8080/hook",
        )
    channels, faults = open_channels(found)
    outcome = Notifier(channels).deliver(trial_event())
    screen = Screen(as_json)
    for name, reason in outcome.items():
        screen.say(f"✗ {name}: {reason}" if reason else f"✓ {name}", style="yellow" if reason else "")
    for fault in faults:
        screen.say(f"✗ {fault}", style="yellow")
    success = not faults and not any(outcome.values())
    if as_json:
        receivers = [
            {"receiver": name, "arrived": reason is None, "reason": reason} for name, reason in outcome.items()
        ]
        print_json({"success": success, "receivers": receivers, "unusable": faults})
    return EXIT_DONE if success else EXIT_UNREACHED
