"""``status``: where the training stands, in one screen."""

from __future__ import annotations

from typing import Any

from validation_ch7.checkpoints.inventory import newest_usable
from validation_ch7.cli.outcome import print_json
from validation_ch7.cli.screen import Column, Screen, age_text, ago_text, reward_text
from validation_ch7.cli.selection import Selection
from validation_ch7.journal import Journal
from validation_ch7.reporting.standing import ChainStanding, SessionLine, read_standing

EXIT_DONE = 0
_COLUMNS = (
    Column("session"),
    Column("backend"),
    Column("state"),
    Column("steps", right=True),
    Column("reward", right=True),
    Column("age", right=True),
)


def show_status(selection: Selection, sessions: int) -> int:
    """Show the sessions of a chain, where it stands, and the next command."""
    store, config, screen = selection.open(), selection.config(), Screen(selection.as_json)
    assert config is not None
    journal = Journal(selection.root / "validation_output" / "sessions")
    standing = read_standing(journal, newest_usable(store), store.best(), config, selection.run_flags())
    _chain(screen, standing)
    _sessions(screen, standing, sessions)
    for fault in standing.faults:
        screen.say(f"✗ {fault.path.name} in the journal cannot be read: {fault.reason}", style="yellow")
    screen.say()
    screen.say(f"Next ({standing.next_reason}):")
    screen.whole(standing.next_command, indent=2)
    if selection.as_json:
        print_json(_json(standing, str(store.root), sessions))
    return EXIT_DONE


def _chain(screen: Screen, standing: ChainStanding) -> None:
    newest, best = standing.newest, standing.best
    described = newest.manifest if newest else None
    screen.say(f"{standing.scenario} of {standing.section}", style="bold")
    none = "none that can be used" if standing.damaged else "none yet"
    checkpoint = f"{newest.path.name}, {described.exactness if described else newest.reason}" if newest else none
    pairs = [
        ("steps", f"{standing.steps:,} of {standing.target_steps:,} ({100 * standing.share:.1f} %)"),
        ("newest checkpoint", checkpoint),
        ("saved", ago_text(described.created) if described else ""),
        ("last reward", reward_text(standing.last_reward)),
        ("best model", f"{reward_text(best.reward)} at {best.steps:,} steps" if best else "none yet"),
    ]
    screen.fields(pairs)
    for item in standing.damaged:
        screen.say(f"✗ {item.path.name} is newer, but the next run passes it over: {item.reason}", style="yellow")


def _sessions(screen: Screen, standing: ChainStanding, limit: int) -> None:
    shown = standing.sessions[:limit]
    if shown:
        screen.say()
        screen.table(_COLUMNS, [_row(line, screen) for line in shown])
    for line in shown:
        if line.entry.error:
            screen.say(f"✗ {line.entry.session_id}: {line.entry.error}", style="yellow", indent=2)
    hidden = len(standing.sessions) - len(shown)
    if hidden:
        screen.say(f"... and {hidden} earlier session(s): --sessions {len(standing.sessions)}")
    if not standing.sessions:
        screen.say("No session yet in this workspace.")


def _row(line: SessionLine, screen: Screen) -> tuple[str, ...]:
    entry = line.entry
    after = "?" if entry.steps_after is None else f"{entry.steps_after:,}"
    return (
        screen.session(entry.session_id),
        entry.backend,
        line.state.replace("_", " "),
        f"{entry.steps_before:,} → {after}",
        reward_text(line.reward),
        age_text(entry.created),
    )


def _json(standing: ChainStanding, training_dir: str, limit: int) -> dict[str, Any]:
    newest, best = standing.newest, standing.best
    return {
        "success": True,
        "section": standing.section,
        "scenario": standing.scenario,
        "steps": standing.steps,
        "target_steps": standing.target_steps,
        "training_dir": training_dir,
        "newest": newest.path.name if newest else None,
        "damaged": [{"path": str(item.path), "reason": item.reason} for item in standing.damaged],
        "exactness": newest.manifest.exactness.value if newest and newest.manifest else None,
        "mean_reward": standing.last_reward,
        "best": best.model_dump(mode="json") if best else None,
        "sessions": [
            {**line.entry.model_dump(mode="json", exclude={"history", "ref"}), "mean_reward": line.reward}
            for line in standing.sessions[:limit]
        ],
        "unfinished": [entry.session_id for entry in standing.unfinished],
        "unreadable": [{"path": str(fault.path), "reason": fault.reason} for fault in standing.faults],
        "next_command": standing.next_command,
    }
