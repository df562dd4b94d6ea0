"""The installation: run script, configuration, journal."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import validation_ch7
from validation_ch7.config import SECTION_FILE, Overrides, SectionFile, load_section
from validation_ch7.errors import ConfigurationError, UnsuitedError
from validation_ch7.journal import Journal
from validation_ch7.remote.code import TOP_LEVEL
from validation_ch7.schema import load_yaml, parse_document
from validation_ch7.verification.finding import Finding, fault_text, issue, success, warning
from validation_ch7.verification.requirements import INSTALL

PACKAGE = Path(validation_ch7.__file__).parent
RUN_SCRIPT = PACKAGE / "scripts" / "run_kaggle_validation_section_7_6.py"
_HELP_LIMIT_S = 60.0


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


def check_copies(folders: Sequence[str] | None = None, home: Path = PACKAGE.parent) -> Iterator[Finding]:
    """Look for copies of the modules beside the package: an earlier editable installation left some, which go stale.

    Args:
        folders: where Python looks for modules.
        home: the folder that holds the package in use.
    """
    places = [Path(folder or ".").resolve() for folder in (sys.path if folders is None else folders)]
    copies = sorted(
        {place / name for place in places if place != home for name in TOP_LEVEL if (place / name).is_file()}
    )
    for path in copies:
        yield warning(
            "installation",
            f"a copy that is not kept up to date lies in {path}",
            INSTALL,
        )
    if not copies:
        yield success("installation", "there is one copy of the code")


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

    good, unsuited = [], []
    for algorithm in document.algorithms:
        try:
            current_facts(load_section(path, Overrides(scenario=scenario, algorithm=algorithm)))
        except UnsuitedError:  # no fault where the file offers it for another scenario
            unsuited.append(algorithm)
        except ConfigurationError as fault:
            yield issue("configuration", f"{path}: {scenario}, {algorithm}: {fault_text(fault)}", fault.remedy)
        else:
            good.append(algorithm)
    if good:
        but = f"; not suited: {', '.join(unsuited)}" if unsuited else ""
        models = f"models can be built with {', '.join(good)}{but}"
        yield success("configuration", f"{document.section}, {scenario}: {models}")
    elif unsuited:
        text = f"{path}: no algorithm can take the actions of {scenario}"
        yield issue("configuration", text, "add one that can, such as ppo")


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
