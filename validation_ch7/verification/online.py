"""Kaggle itself: whether it accepts the credentials, and what is left of the week's hours."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from validation_ch7.errors import CredentialsError, ValidationError
from validation_ch7.remote.credentials import REMEDY, find_credentials
from validation_ch7.remote.kaggle import KaggleBackend
from validation_ch7.verification.finding import Finding, fault_text, issue, success, warning

LITTLE_H = 1.0


def check_online(workspace: Path, environ: Mapping[str, str]) -> Iterator[Finding]:
    """Ask Kaggle whether it accepts the credentials, and for the quota."""
    if find_credentials(environ) is None:
        yield warning("kaggle", "not asked: no credentials were found", REMEDY)
        return
    backend = KaggleBackend(workspace, environ=environ)
    try:
        yield success("kaggle", f"the credentials of '{backend.account()}' are accepted")
        yield judge_quota(backend.quota().left_s / 3600)
    except CredentialsError as fault:
        yield issue("kaggle", fault_text(fault), fault.remedy or REMEDY)
    except ValidationError as fault:
        yield warning("kaggle", f"it cannot be asked now: {fault_text(fault)}", fault.remedy)


def judge_quota(left_h: float) -> Finding:
    """Decide whether so many GPU hours are enough for a session.

    >>> judge_quota(21.5).text
    '21.5 GPU hours are left this week'
    """
    text = f"{left_h:.1f} GPU hours are left this week"
    if left_h < LITTLE_H:
        return warning("kaggle", text, "wait for the new week, or run with --backend local")
    return success("kaggle", text)
