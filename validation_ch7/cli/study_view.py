"""``study run`` and ``study status``: what they say, and with which exit code they end."""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path

from validation_ch7.cli.outcome import print_json
from validation_ch7.cli.screen import Column, Screen
from validation_ch7.cli.study_words import study_command
from validation_ch7.config import section_file
from validation_ch7.console import Console
from validation_ch7.errors import ConfigurationError
from validation_ch7.study.chain import ChainStatus
from validation_ch7.study.drive import StudyRun, run_study
from validation_ch7.study.executor import Executor, ProcessExecutor, SerialExecutor, ThreadExecutor
from validation_ch7.study.layout import StudyFolder
from validation_ch7.study.spec import StudySpec, load_study
from validation_ch7.study.standing import ChainStanding, StudyStanding, read_standing
from validation_ch7.training.signals import stop_requests

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
    address: str | None,
    token_file: Path | None,
    jobs: int | None,
    seeds: int | None,
    train_only: bool,
    config_path: Path | None,
) -> int:
    """Run the study and say how it ended."""
    if token_file is not None:
        use_token(token_file)
    spec = load_study(study_path).reduced(seeds)
    console = Console(sys.stderr if as_json else sys.stdout)
    if address is not None and address.startswith(("http://", "https://")):
        words = _words(workspace, study_path, config_path, jobs, seeds, train_only)
        return _as_job(spec, workspace, address, words, console, as_json)
    section = config_path or section_file(spec.section)
    with contextlib.ExitStack() as crew:
        crew.enter_context(contextlib.redirect_stdout(sys.stderr))  # Ray reports lost workers with print()
        trainers = choose_executor(spec, executor, jobs, address)
        crew.callback(trainers.close)
        judges = None if train_only else choose_judges(trainers, jobs)
        if judges is not None:
            crew.callback(judges.close)
        run = run_study(spec, workspace, section, trainers, console.say, judges=judges)
    _conclude(run, console, study_command("report", workspace, study_path, config_path))
    if as_json:
        print_json(run.as_json())
    return run.exit_code


def use_token(path: Path) -> None:
    """Tell Ray where the cluster's token lies.

    Raises:
        ConfigurationError: there is no such file.
    """
    if not path.is_file():
        raise ConfigurationError("There is no such file.", where=f"--token-file {path}", expected="the cluster's token")
    os.environ |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(path.resolve())}


def _words(
    workspace: Path, study_path: Path, config: Path | None, jobs: int | None, seeds: int | None, train_only: bool
) -> list[str]:
    given = {"--workspace": workspace, "--study": study_path.resolve(), "--config": config and config.resolve()}
    pairs = {**given, "--jobs": jobs, "--seeds": seeds}
    words = [word for flag, value in pairs.items() if value is not None for word in (flag, str(value))]
    return [*words, *(["--train-only"] if train_only else [])]


def _as_job(spec: StudySpec, workspace: Path, address: str, words: list[str], console: Console, as_json: bool) -> int:
    """Run the study as one job of a cluster, and say where it stands when it has ended."""
    from validation_ch7.study.ray_job import RayJobs, entrypoint_of, follow_job, job_prefix  # late: it needs the extra

    here = any(name in address for name in ("//127.0.0.1", "//localhost"))
    entrypoint = entrypoint_of(sys.executable if here else "python", words)
    with stop_requests() as stop:
        code = follow_job(RayJobs(address), job_prefix(spec.name, str(workspace)), entrypoint, stop, console.say)
    if as_json:
        standing = read_standing(StudyFolder.of(workspace, spec.name))
        print_json(_json(spec, standing) | {"success": code == 0, "exit_code": code})
    return code


def choose_executor(spec: StudySpec, name: str | None, jobs: int | None, address: str | None = None) -> Executor:
    """Return who carries out the study.

    Raises:
        ConfigurationError: the flags contradict each other.
    """
    count = jobs or (KAGGLE_JOBS if spec.backend == "kaggle" and name != "serial" else 1)
    name = name or ("ray" if address else "threads" if count > 1 else "serial")
    if name == "serial" and count > 1:
        raise ConfigurationError(
            "One after the other is not several at a time.",
            where="--executor serial --jobs",
            expected="--jobs 1, or --executor threads",
            found=f"--jobs {count}",
            remedy="leave --executor out",
        )
    if address is not None and name != "ray":
        raise ConfigurationError("An address is one of Ray's.", where="--address", found=f"--executor {name}")
    if name == "ray":
        from validation_ch7.study.ray_executor import RayExecutor  # late: it needs the extra

        return RayExecutor(address, jobs)
    return SerialExecutor() if name == "serial" else ThreadExecutor(count)


def choose_judges(trainers: Executor, jobs: int | None) -> Executor:
    """Return who carries out the evaluations: whoever trains, but processes where threads would share one core."""
    if not isinstance(trainers, ThreadExecutor):
        return trainers
    return ProcessExecutor(jobs) if jobs and jobs > 1 else SerialExecutor()


def _conclude(run: StudyRun, console: Console, report: str) -> None:
    done = sum(record.status is ChainStatus.DONE for record in run.chains)
    console.say()
    console.say(f"{'✅' if run.success else '❌'} {run.status}: {done} of {len(run.chains)} chain(s) of {run.name}")
    if run.small:
        console.say("   a reduced study: less than the full protocol, and its report says so")
    if run.judgement:
        console.say(f"   evaluations: {run.judgement.done} of {run.judgement.count}")
    if run.error:
        console.say(f"   why: {run.error}")
    console.say(f"   folder: {run.folder}")
    console.say(f"   next: {report}" if run.success else "   the same command again goes on from here")


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
