"""What the next session is told: how far it goes, how long it may take, and what it must resume from.

Pure: the journal's last entry and the newest checkpoint go in, a :class:`SessionPlan` comes out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from validation_ch7.budget import remaining
from validation_ch7.config import SectionConfig
from validation_ch7.journal import JournalEntry
from validation_ch7.session import SessionPlan

_ENDED = frozenset({"completed", "already_complete"})
_LOCAL_MARGIN_S = 60.0
_CHAIN = ("scenario", "algorithm", "config", "seed")
_EXTENT = ("timesteps", "session_timesteps", "session_hours", "max_sessions")
_SWITCHES = ("trust_foreign", "wait", "relay", "quick")


@dataclass(frozen=True)
class RunOptions:
    """What one call of ``run_validation_section`` was asked for."""

    quick: bool = False
    max_sessions: int = 1
    fresh: bool = False
    trust_foreign: bool = False
    wait: bool = False
    relay: bool = False
    """Whether sessions on Kaggle read the checkpoint from the output of the one before."""
    again: str = ""
    """Flags of this call as they were typed, for the commands that are recommended."""
    chain: Mapping[str, str] = field(default_factory=dict)
    """Those of them that name the chain, by their names; a file with its whole path."""


@dataclass(frozen=True)
class Origin:
    """The checkpoint that a session starts from; step 0 without one."""

    steps: int = 0
    digest: str | None = None
    name: str | None = None


def plan_session(
    config: SectionConfig, options: RunOptions, origin: Origin, last: JournalEntry | None, session_id: str, local: bool
) -> SessionPlan:
    """Return the plan of the next session.

    Args:
        last: the newest journal entry of this chain.
        local: whether it runs on this machine, where nothing has to be uploaded after the deadline.
    """
    target = config.training.n_timesteps
    stop_at = broken_off(config, options, origin.steps, last)
    if stop_at is None:
        stop_at = origin.steps + remaining(target, origin.steps, session_limit(config, options))
    limit_s = config.session.hours * 3600
    return SessionPlan(
        session_id=session_id,
        section=config.section,
        scenario=config.scenario,
        config=config.plain(),
        stop_at=min(stop_at, max(target, origin.steps)),
        target_steps=target,
        quick=options.quick,
        parent=origin.digest,
        limit_s=limit_s,
        margin_s=min(_LOCAL_MARGIN_S, limit_s / 10) if local else config.session.margin_minutes * 60,
        trust_foreign=options.trust_foreign,
    )


def session_limit(config: SectionConfig, options: RunOptions) -> int | None:
    """Return how many steps a session may train, or None where only target and clock end it."""
    return config.session.quick_timesteps if options.quick else config.session.timesteps


def broken_off(config: SectionConfig, options: RunOptions, done: int, last: JournalEntry | None) -> int | None:
    """Return where the session before should have ended, if it was broken off and this call repeats it.

    So a run that is killed and started again ends where it would have ended, and not one limit further.
    """
    limit = session_limit(config, options)
    if last is None or options.fresh or limit is None or not last.phase.over:
        return None
    asked = (options.quick, limit, config.training.n_timesteps)
    repeated = (last.quick, last.session_limit, last.target_steps) == asked
    cut = last.status not in _ENDED and last.steps_before <= done < last.stop_at
    return last.stop_at if repeated and cut else None


def first_entry(
    plan: SessionPlan, origin: Origin, backend: str, created: str, limit: int | None, chain: Mapping[str, str]
) -> JournalEntry:
    """Return the journal's first word about a session: what is intended, before anything is done."""
    return JournalEntry(
        session_id=plan.session_id,
        section=plan.section,
        scenario=plan.scenario,
        backend=backend,
        created=created,
        steps_before=origin.steps,
        stop_at=plan.stop_at,
        target_steps=plan.target_steps,
        parent=plan.parent,
        quick=plan.quick,
        session_limit=limit,
        flags=dict(chain),
    )


def fresh_command(options: RunOptions) -> str:
    """Return the command that archives incompatible checkpoints and starts anew."""
    return f"python validation_ch7/scripts/run_kaggle_validation_section_7_6.py{options.again} --fresh"


def chain_flags(flags: Mapping[str, object]) -> dict[str, str]:
    """Return the flags that name the chain, as far as they were typed.

    >>> chain_flags({"scenario": None, "algorithm": "dqn", "seed": 3, "quick": True})
    {'algorithm': 'dqn', 'seed': '3'}
    """
    return {name: str(flags[name]) for name in _CHAIN if flags.get(name) is not None}


def same_place(backend: str, workspace: Path | None, flags: Mapping[str, object]) -> str:
    """Return the flags that a next command needs in order to mean the same chain.

    >>> same_place("auto", None, {"scenario": "arterial", "algorithm": None, "config": "my section.yml"})
    ' --scenario arterial --config "my section.yml"'
    """
    given: dict[str, object] = {"backend": None if backend == "auto" else backend, "workspace": workspace}
    given |= {name: flags.get(name) for name in _CHAIN}
    return "".join(f" --{name} {quoted(str(value))}" for name, value in given.items() if value is not None)


def same_run(backend: str, workspace: Path | None, flags: Mapping[str, object]) -> str:
    """Return the flags of a run as they were typed, but for ``--fresh``, which is done once.

    >>> same_run("local", None, {"seed": 3, "timesteps": 60000, "max_sessions": 1, "wait": True, "fresh": True})
    ' --backend local --seed 3 --timesteps 60000 --wait'
    """
    extent = {name: flags.get(name) for name in _EXTENT}
    if extent["max_sessions"] == 1:  # what it is where nothing was typed
        extent["max_sessions"] = None
    words = [f"{_flag(name)} {value}" for name, value in extent.items() if value is not None]
    words += [_flag(name) for name in _SWITCHES if flags.get(name)]
    return same_place(backend, workspace, flags) + "".join(f" {word}" for word in words)


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")


def next_step(
    steps: int, target: int, unfinished: Sequence[JournalEntry], configured: int | None, *, evaluated: bool = True
) -> tuple[tuple[str, ...], str]:
    """Return the flags of the next run of a chain, beside those that name the chain, and what it will do.

    Args:
        configured: the target of a run without ``--timesteps``; None where the flag must be named.
        evaluated: whether what was trained was also evaluated; else the next run does that first.

    >>> next_step(0, 100, (), 100)
    ((), 'starts training at step 0')
    >>> next_step(60, 100, (), 900)
    (('--timesteps', '100'), 'goes on from step 60')
    >>> next_step(100, 100, (), 100)
    (('--timesteps', '200'), 'the target is met; this raises it and goes on')
    >>> next_step(100, 100, (), 100, evaluated=False)
    ((), 'the target is met; this evaluates what was trained')
    """
    wanted = () if target == configured else ("--timesteps", str(target))
    if unfinished:
        left, quick = unfinished[0], ("--quick",) if unfinished[0].quick else ()
        return (*quick, *wanted), f"attaches to session {left.session_id}, which was left {left.phase}"
    if steps >= target and not evaluated:
        return wanted, "the target is met; this evaluates what was trained"
    if steps >= target:
        return ("--timesteps", str(2 * target)), "the target is met; this raises it and goes on"
    return wanted, f"goes on from step {steps:,}" if steps else "starts training at step 0"


def quoted(text: str) -> str:
    """Return a word of a command line as cmd, PowerShell and bash take it.

    >>> print(quoted("runs/a"), quoted("my runs"))
    runs/a "my runs"
    """
    return text if re.fullmatch(r"[\w./\\:,=+@%~-]+", text) else f'"{text}"'


def describe_plan(plan: SessionPlan, origin: Origin, algorithm: str, last: JournalEntry | None) -> list[str]:
    """Return what a person is told before a session starts.

    Args:
        last: the newest journal entry of this chain.
    """
    start = f"resumes from {origin.name}" if origin.name else "starts at step 0"
    lines = [f"Session {plan.session_id}: {algorithm} on {plan.scenario}, {start}"]
    if origin.steps and last is not None and last.target_steps not in (0, plan.target_steps):
        change = f"The target of this chain changes: it was {last.target_steps:,} steps, now it is"
        lines.append(f"{change} {plan.target_steps:,}; schedules, as of the learning rate, follow the new one")
    if origin.steps >= plan.target_steps:
        met = f"Target of {plan.target_steps:,} steps is met ({origin.steps:,} done): this session only evaluates"
        return [*lines, met]
    return [*lines, f"Steps {origin.steps:,} -> {plan.stop_at:,} of {plan.target_steps:,}"]
