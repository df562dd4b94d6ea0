"""``study run`` and ``study status``: what they say, and with which exit code they end."""

from __future__ import annotations

import sys
from pathlib import Path

from validation_ch7.cli.outcome import print_json
from validation_ch7.cli.screen import Column, Screen
from validation_ch7.config import section_file
from validation_ch7.console import Console
from validation_ch7.errors import ConfigurationError
from validation_ch7.study.chain import ChainStatus
from validation_ch7.study.drive import StudyRun, run_study
from validation_ch7.study.executor import Executor, SerialExecutor, ThreadExecutor
from validation_ch7.study.layout import StudyFolder
from validation_ch7.study.rehearsal import rehearse_study
from validation_ch7.study.spec import StudySpec, load_study
from validation_ch7.study.standing import ChainStanding, StudyStanding, read_standing

KAGGLE_JOBS = 2
"""Sessions that Kaggle runs at a time for one user."""
_COLUMNS = (
    Column("chain"),
    Column("state"),
    Column("steps", right=True),
    Column("target", right=True),
    Column("done", right=True),
    Column("sessions", right=True),
    Column("digest"),
)


def run_command(
    workspace: Path,
    study_path: Path,
    as_json: bool,
    *,
    executor: str | None,
    jobs: int | None,
    seeds: int | None,
    config_path: Path | None,
) -> int:
    """Run the study and say how it ended."""
    spec = load_study(study_path).reduced(seeds)
    console = Console(sys.stderr if as_json else None)
    chosen, section = choose_executor(spec, executor, jobs), config_path or section_file(spec.section)
    try:
        rehearse_study(spec, section, console.say)
        run = run_study(spec, workspace, section, chosen, console.say)
    finally:
        chosen.close()
    _conclude(run, console)
    if as_json:
        print_json(run.as_json())
    return run.exit_code


def choose_executor(spec: StudySpec, name: str | None, jobs: int | None) -> Executor:
    """Return who carries out the study.

    Raises:
        ConfigurationError: the flags contradict each other.
    """
    count = jobs or (KAGGLE_JOBS if spec.backend == "kaggle" and name != "serial" else 1)
    name = name or ("threads" if count > 1 else "serial")
    if name == "serial" and count > 1:
        raise ConfigurationError(
            "One after the other is not several at a time.",
            where="--executor serial --jobs",
            expected="--jobs 1, or --executor threads",
            found=f"--jobs {count}",
            remedy="leave --executor out",
        )
    return SerialExecutor() if name == "serial" else ThreadExecutor(count)


def _conclude(run: StudyRun, console: Console) -> None:
    done = sum(record.status is ChainStatus.DONE for record in run.chains)
    console.say()
    console.say(f"{'✅' if run.success else '❌'} {run.status}: {done} of {len(run.chains)} chain(s) of {run.name}")
    if run.small:
        console.say("   a reduced study: less than the full protocol, and its report says so")
    if run.error:
        console.say(f"   why: {run.error}")
    console.say(f"   folder: {run.folder}")
    if not run.success:
        console.say("   the same command again goes on from here")


def show_standing(workspace: Path, study_path: Path, as_json: bool) -> int:
    """Show every chain of the study."""
    spec, screen = load_study(study_path), Screen(as_json)
    standing = read_standing(StudyFolder.of(workspace, spec.name))
    if standing is None:
        screen.say(f"Study {spec.name} was never run in {workspace}")
    else:
        _show(standing, screen)
    if as_json:
        print_json(_json(spec, standing))
    return 0


def _show(standing: StudyStanding, screen: Screen) -> None:
    small = ", a reduced study" if standing.study.small else ""
    done = standing.count(ChainStatus.DONE)
    screen.say(f"{standing.study.spec.name}: {done} of {len(standing.chains)} chain(s) done{small}", style="bold")
    screen.say(f"worked on by {standing.driver}" if standing.driver else "nobody works on it now", indent=2)
    screen.say()
    screen.table(_COLUMNS, [_row(chain) for chain in standing.chains])
    for chain in standing.chains:
        if chain.record.error:
            screen.say(f"✗ {chain.record.chain_id}: {chain.record.error}", style="yellow")


def _row(chain: ChainStanding) -> tuple[str, ...]:
    record = chain.record
    share, digest = f"{100 * chain.share:.0f} %", (record.digest or "")[:12]
    steps, target = f"{chain.steps:,}", f"{record.target_steps:,}"
    return record.chain_id, chain.status.value, steps, target, share, str(record.sessions), digest


def _json(spec: StudySpec, standing: StudyStanding | None) -> dict[str, object]:
    if standing is None:
        return {"success": True, "study": spec.name, "run": False, "chains": []}
    chains = [
        chain.record.model_dump(mode="json", exclude={"format", "version"})
        | {"status": chain.status.value, "steps": chain.steps}
        for chain in standing.chains
    ]
    facts = {"study": spec.name, "run": True, "small": standing.study.small, "driver": standing.driver}
    return {"success": True, **facts, "chains": chains}
