"""The self-check: every room is looked at as it is on this machine, and a miniature chain is really run."""

from validation_ch7.verification.finding import Finding, Grade, Verdict
from validation_ch7.verification.system import verify

__all__ = ["Finding", "Grade", "Verdict", "verify"]
