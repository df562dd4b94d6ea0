"""Kaggle itself: whether it accepts the credentials, and what is left of the week's hours."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from validation_ch7.errors import CredentialsError, SessionFailedError, ValidationError
from validation_ch7.journal import Journal
from validation_ch7.remote.credentials import REMEDY, find_credentials
from validation_ch7.remote.kaggle import KaggleBackend
from validation_ch7.remote.kaggle_kernels import GpuQuota
from validation_ch7.remote.kaggle_sessions import KaggleSession, KaggleSessions
from validation_ch7.session import SUMMARY_NAME, read_summary
from validation_ch7.verification.finding import Finding, fault_text, issue, success, warning

LITTLE_H = 1.0
RECENT = 5
"""Sessions that are looked at for signs of an account that is not verified."""
VERIFY = "verify your phone number at https://www.kaggle.com/settings: without it Kaggle gives neither GPU nor internet"


def check_online(workspace: Path, environ: Mapping[str, str]) -> Iterator[Finding]:
    """Ask Kaggle whether it accepts the credentials, and for the quota."""
    if find_credentials(environ) is None:
        yield warning("kaggle", "not asked: no credentials were found", REMEDY)
        return
    backend = KaggleBackend(workspace, environ=environ)
    try:
        yield success("kaggle", f"the credentials of '{backend.account()}' are accepted")
        quota = backend.quota()
        yield judge_grant(quota) or judge_quota(quota.left_s / 3600)
    except CredentialsError as fault:
        yield issue("kaggle", fault_text(fault), fault.remedy or REMEDY)
    except ValidationError as fault:
        yield warning("kaggle", f"it cannot be asked now: {fault_text(fault)}", fault.remedy)
    yield from check_phone(workspace)


def check_phone(workspace: Path) -> Iterator[Finding]:
    """Look at what recent sessions asked for and got, and at what Kaggle said to them."""
    output = workspace / "validation_output"
    for entry in Journal(output / "sessions").entries()[:RECENT]:
        if entry.backend == "kaggle" and re.search(r"phone|verif", entry.error or "", re.IGNORECASE):
            yield warning("kaggle", f"session {entry.session_id} ended with: {entry.error}", VERIFY)
            return
    for session in KaggleSessions(output / "kaggle_sessions").all()[: -RECENT - 1 : -1]:
        if (facts := machine_of(session, output)) is not None:
            yield judge_machine(session, facts)
            return


def machine_of(session: KaggleSession, output: Path) -> dict[str, str] | None:
    """Return what the session found where it ran, or None where it told nothing."""
    for path in (output / "results" / session.ref().results_name).glob(f"*/{SUMMARY_NAME}"):
        try:
            summary = read_summary(path.parent)
        except SessionFailedError:
            continue
        if summary and summary.session_id == session.session_id and "cuda_devices" in summary.environment:
            return summary.environment
    return None


def judge_machine(session: KaggleSession, facts: Mapping[str, str]) -> Finding:
    """Decide whether a session got what it asked for."""
    lacking = ["a GPU"] if session.gpu and facts.get("cuda_devices") == "0" else []
    lacking += ["the internet"] if session.internet and facts.get("network") == "no" else []
    if lacking:
        text = f"session {session.session_id} asked for {' and '.join(lacking)}, which it was not given"
        return warning("kaggle", text, VERIFY)
    return success("kaggle", f"session {session.session_id} got what it asked for: {facts['cuda_devices']} GPU(s)")


def judge_grant(quota: GpuQuota) -> Finding | None:
    """Return a warning where Kaggle grants this account no GPU hours at all."""
    return warning("kaggle", "Kaggle grants this account no GPU hours", VERIFY) if quota.allowed_s <= 0 else None


def judge_quota(left_h: float) -> Finding:
    """Decide whether so many GPU hours are enough for a session.

    >>> judge_quota(21.5).text
    '21.5 GPU hours are left this week'
    """
    text = f"{left_h:.1f} GPU hours are left this week"
    if left_h < LITTLE_H:
        return warning("kaggle", text, "wait for the new week, or run with --backend local")
    return success("kaggle", text)
