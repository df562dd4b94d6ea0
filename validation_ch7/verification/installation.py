"""The installation: run script, configuration, dependencies, journal, disk."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Sequence
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.version import Version

import validation_ch7
from validation_ch7.config import SECTION_FILE, Overrides, SectionFile, load_section
from validation_ch7.errors import ConfigurationError
from validation_ch7.journal import Journal
from validation_ch7.schema import load_yaml, parse_document
from validation_ch7.verification.finding import Finding, fault_text, issue, success, warning

PACKAGE = Path(validation_ch7.__file__).parent
RUN_SCRIPT = PACKAGE / "scripts" / "run_kaggle_validation_section_7_6.py"
INSTALL = "python -m pip install -c constraints.txt -e ."
_DISTRIBUTION = "validation-ch7"
_HELP_LIMIT_S = 60.0
MB = 1_000_000
LITTLE_DISK, TIGHT_DISK = 200 * MB, 2000 * MB


def check_run_script(script: Path = RUN_SCRIPT) -> Iterator[Finding]:
    """Compile the run script, then let a child process show its help."""
    try:
        compile(script.read_text(encoding="utf-8"), str(script), "exec")
    except (OSError, SyntaxError, ValueError) as fault:
        yield issue("run-script", f"{script}: {fault}", "restore the file from the repository: git checkout -- <file>")
        return
    command = [sys.executable, str(script), "--help"]
    try:
        child = subprocess.run(command, capture_output=True, timeout=_HELP_LIMIT_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as fault:
        yield issue("run-script", f"{script.name} --help: {fault}", INSTALL)
        return
    if child.returncode == 0 and b"--quick" in child.stdout:
        yield success("run-script", f"{script.name} parses, and --help works in a process of its own")
    else:
        lines = child.stderr.decode("utf-8", "replace").strip().splitlines()
        why = lines[-1] if lines else "no --quick among its options"
        yield issue("run-script", f"{script.name} --help ended with {child.returncode}: {why}", INSTALL)


def check_configuration(files: Sequence[Path] | None = None) -> Iterator[Finding]:
    """Load every section with every scenario and algorithm, and build the model of each."""
    for path in files if files is not None else sorted(PACKAGE.glob(f"*/{SECTION_FILE}")):
        try:
            document = parse_document(SectionFile, load_yaml(path), path)
        except ConfigurationError as fault:
            yield issue("configuration", f"{path}: {fault_text(fault)}", fault.remedy)
            continue
        for scenario in document.scenarios:
            yield from _check_algorithms(path, document, scenario)


def _check_algorithms(path: Path, document: SectionFile, scenario: str) -> Iterator[Finding]:
    from validation_ch7.training.facts import current_facts  # late: the other checks must not wait for torch

    good = []
    for algorithm in document.algorithms:
        try:
            current_facts(load_section(path, Overrides(scenario=scenario, algorithm=algorithm)))
        except ConfigurationError as fault:
            yield issue("configuration", f"{path}: {scenario}, {algorithm}: {fault_text(fault)}", fault.remedy)
        else:
            good.append(algorithm)
    if good:
        yield success("configuration", f"{document.section}, {scenario}: models can be built with {', '.join(good)}")


def check_dependencies(root: Path | None = None) -> Iterator[Finding]:
    """Compare installed versions with what the project requires, and with the known-good set."""
    wanted, python = _requirements(root)
    findings = [finding for text in wanted if (finding := _judge_requirement(Requirement(text))) is not None]
    if python and Version(".".join(map(str, sys.version_info[:3]))) not in Requirement(f"python{python}").specifier:
        findings.append(issue("dependencies", f"Python {sys.version.split()[0]} is not {python}", "use such a Python"))
    yield from findings
    if not findings:
        yield success("dependencies", f"{len(wanted)} requirements are met, Python {sys.version.split()[0]}")
    if root is not None and (root / "constraints.txt").is_file():
        yield from _check_known_good(root / "constraints.txt", {Requirement(text).name for text in wanted})


def _requirements(root: Path | None) -> tuple[list[str], str]:
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


def _judge_requirement(wanted: Requirement) -> Finding | None:
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
        found = Version(metadata.version(pinned[1]))
        if found.public != Version(pinned[2]).public:
            odd.append(f"{pinned[1]} {found} (known good: {pinned[2]})")
    if odd:
        text = f"{len(odd)} version(s) differ from constraints.txt, the set that is tested: {', '.join(odd)}"
        yield warning(
            "dependencies", text, f"bit-for-bit resume holds within one set of versions; to get it: {INSTALL}"
        )


def check_journal(workspace: Path) -> Iterator[Finding]:
    """Read every entry of the journal."""
    journal = Journal(workspace / "validation_output" / "sessions")
    faults = journal.faults()
    for fault in faults:
        yield issue(
            "journal", f"{fault.path}: {' '.join(fault.reason.split())}", "move it away: its session is unknown"
        )
    entries = journal.entries()
    for entry in entries:
        if not entry.phase.over:
            text = f"session {entry.session_id} on {entry.backend} was left at '{entry.phase}'"
            yield warning("journal", text, "run the same command again: it attaches to this session and finishes it")
    if entries:
        yield success("journal", f"{len(entries)} session(s) can be read, the last one: {entries[0].session_id}")
    elif not faults:
        yield warning("journal", "the journal is empty: no session was started here")


def check_disk(workspace: Path) -> Iterator[Finding]:
    """Compare the free space with what checkpoints need."""
    folder = next(path for path in (workspace, *workspace.parents) if path.exists())
    yield judge_disk(shutil.disk_usage(folder).free, str(folder))


def judge_disk(free: int, where: str) -> Finding:
    """Decide whether so many free bytes are enough.

    >>> judge_disk(10**10, "/w").text
    '10000 MB free at /w'
    """
    text = f"{free // MB} MB free at {where}"
    if free < LITTLE_DISK:
        return issue(
            "disk", f"{text}, less than {LITTLE_DISK // MB} MB", "free some space, or choose another --workspace"
        )
    if free < TIGHT_DISK:
        remedy = "large replay buffers and backups may not fit: free some space, or set checkpoints.max_bytes"
        return warning("disk", f"{text}, less than {TIGHT_DISK // MB} MB", remedy)
    return success("disk", text)
