"""What the project requires and what is installed of it; read from metadata, as it may be missing."""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.version import Version

from validation_ch7.extras import install_command
from validation_ch7.verification.finding import Finding, Grade, issue, success, warning

INSTALL = "python -m pip install -c constraints.txt -e ."
_DISTRIBUTION = "validation-ch7"
_OF_KAGGLE = ("kaggle", "kagglesdk", "six")
"""``six`` is imported by the client, which does not say so."""
_OURS = frozenset({"test", "test-cloud", "test-notebook", "docs"})
"""Extras for those who work on this package."""


def check_dependencies(root: Path | None = None) -> Iterator[Finding]:
    """Compare installed versions with what the project requires, and with the known-good set."""
    wanted, python = required(root)
    findings = [finding for text in wanted if (finding := judge_requirement(Requirement(text))) is not None]
    if python and Version(".".join(map(str, sys.version_info[:3]))) not in Requirement(f"python{python}").specifier:
        findings.append(issue("dependencies", f"Python {sys.version.split()[0]} is not {python}", "use such a Python"))
    yield from findings
    if not findings:
        yield success("dependencies", f"{len(wanted)} requirements are met, Python {sys.version.split()[0]}")
    if root is not None and (root / "constraints.txt").is_file():
        yield from _check_known_good(root / "constraints.txt", {Requirement(text).name for text in wanted})


def required(root: Path | None) -> tuple[list[str], str]:
    """Return what the project requires, and of which Python."""
    if root is not None and (root / "pyproject.toml").is_file():
        project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        return list(project["dependencies"]), str(project.get("requires-python", ""))
    try:
        found = metadata.requires(_DISTRIBUTION) or []
        facts = metadata.metadata(_DISTRIBUTION)
    except metadata.PackageNotFoundError:
        return [], ""
    python = facts["Requires-Python"] if "Requires-Python" in facts else ""  # noqa: SIM401  typed without get()
    return [text for text in found if "extra ==" not in text], python


def judge_requirement(wanted: Requirement) -> Finding | None:
    """Return what is wrong with what is installed of ``wanted``, or None."""
    if wanted.marker is not None and not wanted.marker.evaluate():
        return None
    try:
        found = metadata.version(wanted.name)
    except metadata.PackageNotFoundError:
        return issue("dependencies", f"{wanted.name} is not installed (required: {wanted})", INSTALL)
    if wanted.specifier.contains(found, prereleases=True):
        return None
    return issue("dependencies", f"{wanted.name} {found} does not satisfy {wanted.specifier}", INSTALL)


def _check_known_good(path: Path, names: set[str]) -> Iterator[Finding]:
    odd = []
    for line in path.read_text(encoding="utf-8").splitlines():
        pinned = re.fullmatch(r"([A-Za-z0-9._-]+)==(\S+)", line.strip())
        if pinned is None or pinned[1] not in names:
            continue
        found = installed(pinned[1])
        if found is not None and Version(found).public != Version(pinned[2]).public:
            odd.append(f"{pinned[1]} {found} (known good: {pinned[2]})")
    if odd:
        text = f"{len(odd)} version(s) differ from constraints.txt, the set that is tested: {', '.join(odd)}"
        yield warning(
            "dependencies", text, f"bit-for-bit resume holds within one set of versions; to get it: {INSTALL}"
        )


def check_kaggle_client() -> Iterator[Finding]:
    """Say which packages of the Kaggle client are installed, and in which version."""
    found = {name: installed(name) for name in _OF_KAGGLE}
    absent = [name for name, version in found.items() if version is None]
    if absent:
        text = f"not installed: {', '.join(absent)}: sessions cannot run on Kaggle, local ones can"
        yield warning("kaggle-client", text, INSTALL)
    else:
        yield success("kaggle-client", ", ".join(f"{name} {version}" for name, version in found.items()))


def check_needed(root: Path | None = None) -> Iterator[Finding]:
    """As :func:`check_dependencies`, without what only Kaggle needs."""
    for finding in check_dependencies(root):
        if finding.grade is not Grade.ISSUE or finding.text.split()[0] not in _OF_KAGGLE:
            yield finding


def check_extras(root: Path | None = None) -> Iterator[Finding]:
    """Say which optional parts are installed, and how to get the others."""
    for extra, wanted in sorted(extras(root).items()):
        absent = [item.name for item in wanted if installed(item.name) is None]
        if absent:
            text = f"{extra}: {', '.join(absent)} not installed"
            yield Finding("extra", Grade.SUCCESS, text, install_command(extra))
        else:
            yield success("extra", f"{extra}: {', '.join(f'{item.name} {installed(item.name)}' for item in wanted)}")


def extras(root: Path | None) -> dict[str, list[Requirement]]:
    """Return what each optional part requires, as far as it is meant for users."""
    if root is not None and (root / "pyproject.toml").is_file():
        project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        groups = {
            name: [Requirement(text) for text in texts] for name, texts in project["optional-dependencies"].items()
        }
    else:
        groups = _declared()
    return {name: wanted for name, wanted in groups.items() if name not in _OURS}


def _declared() -> dict[str, list[Requirement]]:
    try:
        facts, texts = metadata.metadata(_DISTRIBUTION), metadata.requires(_DISTRIBUTION) or []
    except metadata.PackageNotFoundError:
        return {}
    wanted = [Requirement(text) for text in texts]
    return {
        extra: [item for item in wanted if item.marker is not None and item.marker.evaluate({"extra": extra})]
        for extra in facts.get_all("Provides-Extra") or []
    }


def installed(name: str) -> str | None:
    """Return the version of an installed package, or None.

    >>> installed("no-such-package-at-all") is None
    True
    """
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
