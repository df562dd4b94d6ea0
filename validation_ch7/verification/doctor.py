"""The doctor: what is missing on this machine, and what for Kaggle; nothing is trained, and no network is touched."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from validation_ch7.remote.credentials import REMEDY, credential_places
from validation_ch7.verification.finding import Finding, guarded, success, warning
from validation_ch7.verification.installation import check_copies
from validation_ch7.verification.machine import (
    check_console,
    check_disk,
    check_long_paths,
    check_torch,
    check_write_access,
)
from validation_ch7.verification.requirements import check_extras, check_kaggle_client, check_needed


def examine(workspace: Path, root: Path, environ: Mapping[str, str], online: bool = False) -> Iterator[Finding]:
    """Yield what is there and what is missing, each with what to do.

    Args:
        workspace: where training trees and outputs live.
        root: the checkout, or the folder from which an installed package is used.
        environ: environment variables; credentials are looked for there.
        online: whether Kaggle may be asked.
    """
    checks: dict[str, Iterable[Finding]] = {
        "dependencies": check_needed(root),
        "installation": check_copies(),
        "torch": check_torch(),
        "disk": check_disk(workspace),
        "write-access": check_write_access(workspace),
        "long-paths": check_long_paths(workspace),
        "console": check_console(),
        "kaggle-client": check_kaggle_client(),
        "credentials": check_places(environ),
        "extra": check_extras(root),
    }
    for name, findings in checks.items():
        yield from guarded(name, findings)
    if online:
        from validation_ch7.verification.online import check_online  # late: it needs what may be missing

        yield from guarded("kaggle", check_online(workspace, environ))


def check_places(environ: Mapping[str, str]) -> Iterator[Finding]:
    """Say of each place where the client looks for credentials whether they are there, never what they are."""
    used, places = False, credential_places(environ)
    for place in places:
        if place.fault:
            yield warning("credentials", f"{place.shown}: {place.fault}", "set both, or neither")
        elif place.filled:
            note = "there, and not used: the one above comes first" if used else "there: this one is used"
            yield success("credentials", f"{place.shown}: {note}")
            used = True
    if not used:
        looked = ", ".join(place.shown for place in places)
        text = f"none: sessions run on this machine, not on Kaggle; looked for in {looked}"
        yield warning("credentials", text, REMEDY)
