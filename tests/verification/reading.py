"""Short words for what the checks found."""

from collections.abc import Iterable

from validation_ch7.verification.finding import Finding, Grade


def texts(findings: Iterable[Finding], grade: Grade) -> list[str]:
    return [finding.text for finding in findings if finding.grade is grade]


def only_issue(findings: Iterable[Finding]) -> Finding:
    (found,) = [finding for finding in findings if finding.grade is Grade.ISSUE]
    assert found.remedy, "an issue says what to do"
    return found


def only_warning(findings: Iterable[Finding]) -> str:
    found = list(findings)
    assert not texts(found, Grade.ISSUE)
    (warning,) = texts(found, Grade.WARNING)
    return warning


def all_well(findings: Iterable[Finding]) -> bool:
    return {finding.grade for finding in findings} == {Grade.SUCCESS}
