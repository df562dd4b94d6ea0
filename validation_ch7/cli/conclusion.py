"""The last lines of a run: what happened, where the results are, and the three most useful next commands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from validation_ch7.console import Console
from validation_ch7.planning import next_step, same_place, same_run
from validation_ch7.section_run import SectionRun
from validation_ch7.session import ending_in_words

PROGRAM = "python -m validation_ch7"
_PAUSED = frozenset({"interrupted", "timeout", "cancelled"})


@dataclass(frozen=True)
class Typed:
    """What a person typed, so that the commands that are recommended mean the same.

    Args:
        backend: as it was asked for.
        flags: of the run, by their names in Python.
        configured: target of a run without ``--timesteps``; where it is not known, the flag is always named.
    """

    backend: str
    workspace: Path | None
    flags: Mapping[str, object]
    configured: int | None = None

    @property
    def home(self) -> str:
        """Flags that name the workspace alone."""
        return same_place("auto", self.workspace, {})

    @property
    def place(self) -> str:
        """Flags that every other command needs in order to look at the same training tree."""
        return same_place("auto", self.workspace, {name: self.flags.get(name) for name in ("scenario", "config")})

    def run(self, more: tuple[str, ...], **changes: object) -> str:
        """Return the same run again, with its target told by ``more``."""
        flags = {**self.flags, **changes, "timesteps": None}
        return " ".join([f"{PROGRAM} run{same_run(self.backend, self.workspace, flags)}", *more])


def conclude(run: SectionRun, console: Console, typed: Typed) -> None:
    """Say how a run ended, and what to type next."""
    if run.status == "planned":
        return
    console.say()
    console.say(headline(run))
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
    for command, purpose in next_commands(run, typed):
        console.say(f"   {command}")
        console.say(f"      {purpose}")


def headline(run: SectionRun) -> str:
    """Return in one line how a run ended; one that can go on as if nothing had happened is no failure.

    >>> headline(SectionRun(False, "interrupted", "local", "city", 0, 4096, 8192, "models"))
    '⏸ interrupted: city, saved at step 4,096 of 8,192; the first command below goes on from there'
    >>> headline(SectionRun(True, "already_complete", "local", "city", 8192, 8192, 8192, "models"))
    '✅ the target was met already: city, steps 8,192 -> 8,192 of 8,192'
    """
    if run.status in _PAUSED:
        if not run.steps_after:
            return f"⏸ {run.status}: {run.scenario}, before anything was saved; the first command below starts again"
        saved = f"saved at step {run.steps_after:,} of {run.target_steps:,}"
        return f"⏸ {run.status}: {run.scenario}, {saved}; the first command below goes on from there"
    mark, words = "✅" if run.success else "❌", ending_in_words(run.status)
    return f"{mark} {words}: {run.scenario}, steps {run.steps_before:,} -> {run.steps_after:,} of {run.target_steps:,}"


def shown(path: str) -> str:
    """Return a path as it is shown: relative where it lies below the current folder."""
    here = Path.cwd()
    return str(Path(path).relative_to(here)) if Path(path).is_relative_to(here) else path


def next_commands(run: SectionRun, typed: Typed) -> list[tuple[str, str]]:
    """Return the most useful next commands, each with what it does; the first goes on as it was typed.

    >>> cut = SectionRun(False, "interrupted", "local", "city", 0, 4096, 60000, "models")
    >>> next_commands(cut, Typed("local", None, {"timesteps": 60000, "seed": 3}))[0]
    ('python -m validation_ch7 run --backend local --seed 3 --timesteps 60000', 'goes on from step 4,096')
    """
    configured = None if typed.flags.get("timesteps") else typed.configured
    more, reason = next_step(run.steps_after, run.target_steps, (), configured, evaluated=run.success)
    first = (typed.run(more), reason)
    if not run.success:
        doctor = (f"{PROGRAM} doctor{typed.home}", "what is missing on this machine, and for Kaggle")
        return [first, (f"{PROGRAM} status{typed.place}", "where the training stands"), doctor]
    look = (f"{PROGRAM} status{typed.place}", "rewards, sessions, checkpoints: where the training stands")
    if typed.flags.get("quick") and run.steps_after < run.target_steps:
        return [first, (typed.run(more, quick=False), f"trains on to the target of {run.target_steps:,}"), look]
    export = f"{PROGRAM} checkpoints export-sb3 best exported{typed.place}"
    return [first, look, (export, "the best model for plain Stable-Baselines3")]
