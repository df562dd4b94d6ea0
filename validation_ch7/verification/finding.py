"""What a check finds, and what all findings together say."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from validation_ch7.errors import ValidationError


class Grade(StrEnum):
    """How much a finding matters."""

    SUCCESS = "success"
    WARNING = "warning"
    """Nothing is broken; the text says why it is worth a word."""
    ISSUE = "issue"
    """Something is broken, or will be."""


MARKS = {Grade.SUCCESS: "✅", Grade.WARNING: "⚠️", Grade.ISSUE: "❌"}


@dataclass(frozen=True)
class Finding:
    """One result of one check."""

    check: str
    """Short name of the check, the same in every version."""
    grade: Grade
    text: str
    remedy: str | None = None
    """What to do next."""

    def lines(self) -> list[str]:
        """Return the lines for a person.

        >>> Finding("disk", Grade.SUCCESS, "12 GB free").lines()
        ['✅ disk: 12 GB free']
        """
        first = f"{MARKS[self.grade]} {self.check}: {self.text}"
        return [first] if self.remedy is None else [first, f"     to do: {self.remedy}"]


@dataclass(frozen=True)
class Verdict:
    """All findings of one verification."""

    workspace: str
    findings: tuple[Finding, ...]

    def count(self, grade: Grade) -> int:
        """Return how many findings have this grade."""
        return sum(finding.grade is grade for finding in self.findings)

    @property
    def verified(self) -> bool:
        """Whether there is no issue."""
        return self.count(Grade.ISSUE) == 0

    def closing_lines(self) -> list[str]:
        """Return the lines that every verification ends with.

        >>> Verdict(".", ()).closing_lines()[-1]
        '✅ CHECKPOINT SYSTEM VERIFIED'
        """
        last = "✅ CHECKPOINT SYSTEM VERIFIED" if self.verified else "❌ CHECKPOINT SYSTEM NOT VERIFIED"
        return [
            f"✅ Successes: {self.count(Grade.SUCCESS)}",
            f"⚠️ Warnings: {self.count(Grade.WARNING)}",
            f"❌ Issues: {self.count(Grade.ISSUE)}",
            last,
        ]

    def as_json(self) -> dict[str, Any]:
        """Return the verdict as data that JSON can hold."""
        return {
            "verified": self.verified,
            "successes": self.count(Grade.SUCCESS),
            "warnings": self.count(Grade.WARNING),
            "issues": self.count(Grade.ISSUE),
            "workspace": self.workspace,
            "findings": [
                {"check": item.check, "grade": item.grade.value, "text": item.text, "remedy": item.remedy}
                for item in self.findings
            ],
        }


def success(check: str, text: str) -> Finding:
    """Return a finding that all is well."""
    return Finding(check, Grade.SUCCESS, text)


def warning(check: str, text: str, remedy: str | None = None) -> Finding:
    """Return a finding that breaks nothing."""
    return Finding(check, Grade.WARNING, text, remedy)


def issue(check: str, text: str, remedy: str | None = None) -> Finding:
    """Return a finding that something is broken."""
    return Finding(check, Grade.ISSUE, text, remedy)


def fault_text(fault: ValidationError) -> str:
    """Return what an error says, in one line, without its remedy.

    >>> fault_text(ValidationError("It is too small.", found=0))
    'It is too small. Found: 0'
    """
    found = "" if fault.found is None else f" Found: {fault.found}"
    return " ".join(f"{fault.what}{found}".split())


def guarded(check: str, findings: Iterable[Finding]) -> Iterator[Finding]:
    """Yield the findings of a check; a check that breaks becomes an issue and does not end the others."""
    try:
        yield from findings
    except ValidationError as fault:
        where = f" ({fault.where})" if fault.where is not None else ""
        yield issue(check, fault_text(fault) + where, fault.remedy)
    except Exception as fault:  # noqa: BLE001  whatever a damaged tree provokes must end as a finding
        yield issue(check, f"the check itself failed: {type(fault).__name__}: {fault}", "report this line")
