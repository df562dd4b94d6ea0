"""The miniature cycle: two sessions of a tiny chain, against one session that does the same steps at once.

Everything is real: bundle, child process, download, restoration, resume. The uninterrupted run goes through
the run script in a process of its own, at the same time. Both must end with the same weights and the same
training state, bit for bit; DQN is used, because its replay buffer takes part in every step of the way.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from validation_ch7.checkpoints import CheckpointStore
from validation_ch7.checkpoints.manifest import Manifest
from validation_ch7.checkpoints.resume import ARRAYS_NAME
from validation_ch7.errors import CheckpointError, ValidationError
from validation_ch7.session import MODELS_FOLDER
from validation_ch7.verification.finding import Finding, fault_text, issue, success
from validation_ch7.verification.installation import RUN_SCRIPT

if TYPE_CHECKING:
    from validation_ch7.section_run import SectionRun

SECTION, SCENARIO = "self_check", "miniature"
HALF, WHOLE = 128, 256
TINY = f"""
section: {SECTION}
default_scenario: {SCENARIO}
default_algorithm: dqn
seed: 7
scenarios:
  {SCENARIO}:
    environment: {{horizon_s: 60, network: {{entry_length_m: 100, spacing_m: 100}}}}
algorithms:
  dqn:
    n_timesteps: {WHOLE}
    n_envs: 2
    policy_kwargs: {{net_arch: [8]}}
    buffer_size: 500
    learning_starts: 16
    batch_size: 16
    train_freq: 4
    device: cpu
checkpoints: {{save_freq: 100000, save_interval_s: 3600}}
evaluation: {{freq: 100000, episodes: 1}}
session: {{timesteps: {HALF}}}
"""
_LIMIT_S = 300.0
_REPORT = "report this with the file session.log of a run"


def check_cycle() -> Iterator[Finding]:
    """Run the miniature cycle in a temporary folder and compare it with the uninterrupted run."""
    with tempfile.TemporaryDirectory(prefix="validation_self_check_", ignore_cleanup_errors=True) as name:
        folder = Path(name).resolve()
        config = folder / "section.yml"
        config.write_text(TINY, encoding="utf-8")
        with _start_uninterrupted(config, folder / "whole") as child:
            try:
                yield from _halves(config, folder / "halves")
                yield from _compare(folder / "halves", folder / "whole", child)
            finally:
                child.kill()


def _start_uninterrupted(config: Path, workspace: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, str(RUN_SCRIPT), "--backend", "local", "--session-timesteps", str(WHOLE), "--json"]
    command += ["--config", str(config), "--workspace", str(workspace)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL)


def _halves(config: Path, workspace: Path) -> Iterator[Finding]:
    from validation_kaggle_manager import ValidationKaggleManager  # late: it knows both rooms, and it needs torch

    lines: list[str] = []
    manager = ValidationKaggleManager(workspace, "local", say=lines.append)
    store = miniature_store(workspace)
    before: SectionRun | None = None
    for steps in (HALF, WHOLE):
        try:
            run = manager.run_validation_section(SECTION, config=config)
        except ValidationError as fault:
            yield issue("cycle", f"to {steps} steps: {fault_text(fault)}", fault.remedy)
            return
        faults = [*session_faults(run, before, steps), *_download_faults(run, store, steps)]
        if faults:
            yield issue(
                "cycle", f"to {steps} steps: {'; '.join(faults)}. Last line: {lines[-1] if lines else ''}", _REPORT
            )
            return
        begun = "trained" if before is None else f"resumed from {run.resumed_from} and trained"
        yield success("cycle", f"{begun} {run.steps_before} -> {run.steps_after} steps, downloaded, restored, verified")
        before = run


def miniature_store(workspace: Path) -> CheckpointStore:
    """Return the training tree of the miniature chain below ``workspace``."""
    return CheckpointStore(workspace / "validation_ch7" / SECTION / MODELS_FOLDER, SCENARIO)


def session_faults(run: SectionRun, before: SectionRun | None, steps: int) -> list[str]:
    """Return what a session of the cycle says of itself that it should not say."""
    faults = [] if run.success else [f"it ended as {run.status}: {run.error}"]
    begun = before.steps_after if before else 0
    if (run.steps_before, run.steps_after) != (begun, steps):
        faults.append(f"steps {run.steps_before} -> {run.steps_after}, expected {begun} -> {steps}")
    if (run.resumed_from is None) != (before is None):
        faults.append(f"resumed from {run.resumed_from or 'nothing'}")
    if run.exactness != "exact":
        faults.append(f"exactness {run.exactness}, expected exact")
    return faults


def _download_faults(run: SectionRun, store: CheckpointStore, steps: int) -> list[str]:
    """Compare what was downloaded with what now stands in the training tree."""
    if run.results_dir is None:
        return ["nothing was downloaded"]
    downloaded = CheckpointStore(Path(run.results_dir) / SECTION / MODELS_FOLDER, SCENARIO)
    try:
        here, there = store.verify(store.path(steps)), downloaded.verify(downloaded.path(steps))
    except CheckpointError as fault:
        return [fault_text(fault)]
    return [] if here.digest == there.digest else ["the restored checkpoint is not the one that was downloaded"]


def _compare(halves: Path, whole: Path, child: subprocess.Popen[bytes]) -> Iterator[Finding]:
    try:
        output, _ = child.communicate(timeout=_LIMIT_S)
    except subprocess.TimeoutExpired:
        yield issue("cycle", f"the run script did not end within {_LIMIT_S:.0f} s", _REPORT)
        return
    if child.returncode != 0:
        told = _error_of(output)
        yield issue("cycle", f"the run script ended with exit code {child.returncode}: {told}", _REPORT)
        return
    try:
        stores = miniature_store(halves), miniature_store(whole)
        interrupted, uninterrupted = (store.verify(store.path(WHOLE)) for store in stores)
    except CheckpointError as fault:
        yield issue("cycle", fault_text(fault), _REPORT)
        return
    odd = differing_members(interrupted, uninterrupted)
    if odd:
        text = f"two sessions and one session of the same steps differ in {', '.join(odd)}"
        yield issue("cycle", text, "runs go on, but not bit for bit; report this with the versions of torch and numpy")
    else:
        yield success("cycle", f"two sessions equal one uninterrupted session of {WHOLE} steps, bit for bit")


def _error_of(output: bytes) -> str:
    try:
        told: dict[str, Any] = json.loads(output)
    except ValueError:
        return "it printed no JSON"
    return str(told.get("error"))


def differing_members(one: Manifest, other: Manifest) -> list[str]:
    """Return the members, weights or arrays of the training state, whose bytes differ between two checkpoints."""
    names = {name for manifest in (one, other) for name in manifest.members}
    compared = sorted(name for name in names if name.endswith(".pth") or name == ARRAYS_NAME)
    return [name for name in compared if one.members.get(name) != other.members.get(name)]
