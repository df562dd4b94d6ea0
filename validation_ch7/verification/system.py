"""All checks in their order, as one verification."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from validation_ch7.verification.cycle import check_cycle
from validation_ch7.verification.finding import Finding, Verdict, guarded
from validation_ch7.verification.installation import check_configuration, check_journal, check_run_script
from validation_ch7.verification.leaks import check_credentials, check_repository
from validation_ch7.verification.machine import check_disk
from validation_ch7.verification.online import check_online
from validation_ch7.verification.requirements import check_dependencies
from validation_ch7.verification.stores import check_backups, check_best_models, check_checkpoints, check_metadata
from validation_ch7.verification.trees import check_locks, check_structure

Check = Callable[[], Iterable[Finding]]


def checks(workspace: Path, root: Path, environ: Mapping[str, str], online: bool = False) -> dict[str, Check]:
    """Return every check by its name, the quick ones first.

    Args:
        workspace: where training trees and outputs live.
        root: the checkout, or the folder from which an installed package is used.
        environ: environment variables; credentials are looked for there.
        online: whether Kaggle may be asked.
    """
    found: dict[str, Check] = {
        "dependencies": lambda: check_dependencies(root),
        "disk": lambda: check_disk(workspace),
        "run-script": check_run_script,
        "configuration": check_configuration,
        "credentials": lambda: check_credentials(environ),
        "repository": lambda: check_repository(root, workspace),
        "structure": lambda: check_structure(workspace),
        "lock": lambda: check_locks(workspace),
        "checkpoints": lambda: check_checkpoints(workspace),
        "best-model": lambda: check_best_models(workspace),
        "backups": lambda: check_backups(workspace),
        "metadata": lambda: check_metadata(workspace),
        "journal": lambda: check_journal(workspace),
    }
    if online:
        found["kaggle"] = lambda: check_online(workspace, environ)
    return found | {"cycle": check_cycle}


def verify(workspace: Path, selected: Mapping[str, Check], say: Callable[[str], None]) -> Verdict:
    """Run the selected checks, say each finding as it comes, and return them all."""
    findings: list[Finding] = []
    for name, check in selected.items():
        for finding in guarded(name, check()):
            findings.append(finding)
            for line in finding.lines():
                say(line)
    return Verdict(str(workspace), tuple(findings))
