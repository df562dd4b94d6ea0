"""The last lines of a run: what happened, where the results are, and the three most useful next commands."""

from __future__ import annotations

from pathlib import Path

from validation_ch7.console import Console
from validation_ch7.section_run import SectionRun

PROGRAM = "python -m validation_ch7"


def conclude(run: SectionRun, console: Console, same: str, place: str, home: str) -> None:
    """Say how a run ended.

    Args:
        same: flags that a next run needs in order to mean the same chain.
        place: flags that every other command needs in order to look at the same training tree.
        home: flags that name the workspace alone.
    """
    if run.status == "planned":
        return
    mark = "✅" if run.success else "❌"
    console.say()
    steps = f"steps {run.steps_before:,} -> {run.steps_after:,} of {run.target_steps:,}"
    console.say(f"{mark} {run.status}: {run.scenario}, {steps}")
    origin = f"step {run.steps_before:,}" if run.steps_before else "nothing, started at step 0"
    console.say(f"   resumed from: {run.resumed_from or origin}")
    console.say(f"   exactness: {run.exactness}")
    if run.mean_reward is not None:
        console.say(f"   mean reward on held-out demand: {run.mean_reward:.3f}")
    if run.error:
        console.say(f"   why: {run.error}")
    console.say(f"   results: {shown(run.results_dir) if run.results_dir else 'none'}")
    console.say(f"   training tree: {shown(run.training_dir)}")
    console.say()
    console.say("Next:")
    for command, purpose in next_commands(run, same, place, home):
        console.say(f"   {command}")
        console.say(f"      {purpose}")


def shown(path: str) -> str:
    """Return a path as it is shown: relative where it lies below the current folder."""
    here = Path.cwd()
    return str(Path(path).relative_to(here)) if Path(path).is_relative_to(here) else path


def next_commands(run: SectionRun, same: str, place: str, home: str) -> list[tuple[str, str]]:
    """Return the three most useful next commands, each with what it does.

    >>> done = SectionRun(True, "completed", "local", "city", 0, 4096, 8192, "models")
    >>> [command for command, _ in next_commands(done, " --backend local", "", "")][0]
    'python -m validation_ch7 run --backend local --quick'
    """
    further = f" --timesteps {2 * run.target_steps}" if run.steps_after >= run.target_steps else ""
    words = "raises the target and trains further" if further else f"trains on to the target of {run.target_steps:,}"
    first = (f"{PROGRAM} run{same}{further or ' --quick'}", f"goes on from step {run.steps_after:,}")
    if not run.success:
        return [first, (f"{PROGRAM} status{place}", "where the training stands"), _doctor(home)]
    second = (f"{PROGRAM} run{same}", words)
    look = (f"{PROGRAM} status{place}", "rewards, sessions, checkpoints: where the training stands")
    export = (f"{PROGRAM} checkpoints export-sb3 best exported{place}", "the best model for plain Stable-Baselines3")
    return [(first[0], words), look, export] if further else [first, second, look]


def _doctor(home: str) -> tuple[str, str]:
    return f"{PROGRAM} doctor{home}", "what is missing on this machine, and for Kaggle"
