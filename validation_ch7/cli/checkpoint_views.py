"""``checkpoints list``, ``verify``, ``show`` and ``quarantine list``: they read, and change nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from validation_ch7.checkpoints.archive import read_archive, read_manifest
from validation_ch7.checkpoints.inventory import (
    Item,
    Kind,
    Standing,
    inspect,
    judge_next,
    lineage,
    quarantined,
    require_usable,
    take_inventory,
)
from validation_ch7.checkpoints.lookup import locate
from validation_ch7.checkpoints.manifest import Manifest
from validation_ch7.checkpoints.state_digest import state_digest
from validation_ch7.checkpoints.store import CheckpointStore
from validation_ch7.cli.outcome import print_json
from validation_ch7.cli.screen import Column, Screen, age_text, ago_text, reward_text, size_text
from validation_ch7.cli.selection import Selection
from validation_ch7.errors import CheckpointError

if TYPE_CHECKING:
    from validation_ch7.reporting.fit import Fit

EXIT_DONE, EXIT_UNUSABLE = 0, 5
_COLUMNS = (
    Column("steps", right=True),
    Column("size", right=True),
    Column("age", right=True),
    Column("exactness"),
    Column("reward", right=True),
    Column("session"),
    Column("state"),
)
_GOOD = frozenset({Standing.INTACT, Standing.UNREAD})


def list_checkpoints(selection: Selection, *, verify: bool) -> int:
    """Show everything that the store holds."""
    store, screen = selection.open(), Screen(selection.as_json)
    items = take_inventory(store, verify=verify)
    fit = _fit(selection, items) if verify else None
    if fit is not None:
        items = judge_next(items, fit.report)
    screen.whole(f"{store.prefix} in {store.root}")
    if items:
        show_items(screen, items)
    else:
        screen.say("No checkpoint yet: the next run starts at step 0.")
    if fit is not None:
        _say_fit(screen, fit)
    if selection.as_json:
        listed = [item_json(item) | {"state_digest": _state_digest(item)} for item in items]
        print_json({"success": True, "store": str(store.root), "prefix": store.prefix, "checkpoints": listed})
    return EXIT_DONE


def _fit(selection: Selection, items: Sequence[Item]) -> Fit | None:
    manifest = next((item.manifest for item in items if item.next), None)
    if manifest is None or selection.store is not None:
        return None
    from validation_ch7.reporting.fit import find_fit  # late: it builds a model, which other commands need not

    return find_fit(manifest, selection.config_with)


def _say_fit(screen: Screen, fit: Fit) -> None:
    if not fit.report.compatible:
        screen.say("A run stops there (exit code 5): give it the checkpoint's values, or archive them with --fresh.")
    elif fit.algorithm is not None:
        screen.say(f"A run resumes from it only with --algorithm {fit.algorithm}.")
    for item in fit.report.warnings:
        screen.say(f"no obstacle: {item}", style="dim")


def list_quarantined(selection: Selection) -> int:
    """Show what was set aside, and why."""
    store, screen = selection.open(), Screen(selection.as_json)
    items = quarantined(store)
    for item in items:
        screen.say(f"{item.path.name}  {size_text(item.bytes)}")
        screen.say(item.reason, indent=4)
    screen.say(f"{len(items)} checkpoint(s) set aside in {store.folder}" if items else "Nothing was ever set aside.")
    if selection.as_json:
        print_json({"success": True, "store": str(store.root), "quarantined": [item_json(item) for item in items]})
    return EXIT_DONE


def verify_checkpoints(selection: Selection, names: Sequence[str]) -> int:
    """Read every byte of the checkpoints named, or of all and the best model."""
    store, screen = selection.open(), Screen(selection.as_json)
    items = _named(store, names) if names else [item for item in take_inventory(store) if _counts(item)]
    if not items:
        require_usable(items, store.folder)
    for item in items:
        good = item.standing is Standing.INTACT
        screen.say(f"{'✓' if good else '✗'} {item.path.name}: {_verdict(item)}", style="" if good else "red")
    broken = [item for item in items if item.standing is not Standing.INTACT]
    screen.say(f"{len(items) - len(broken)} of {len(items)} verified, every byte")
    if broken:
        screen.say("To do: the next run uses an older one; 'checkpoints backup --list' shows what can be put back.")
    if selection.as_json:
        print_json(
            {"success": not broken, "store": str(store.root), "checkpoints": [item_json(item) for item in items]}
        )
    return EXIT_UNUSABLE if broken else EXIT_DONE


def show_checkpoint(selection: Selection, name: str) -> int:
    """Show a checkpoint's manifest, its ancestors, and what it lost."""
    store, screen = selection.open(), Screen(selection.as_json)
    found = locate(store, name)
    manifest = read_manifest(found.path)
    item = inspect(found.path, found.chunks)
    known = [entry.manifest for entry in store.entries() if entry.manifest]
    ancestors = lineage(manifest, known)
    state = _state_digest(item)
    _describe(screen, manifest, item, state)
    _descent(screen, manifest, ancestors)
    if selection.as_json:
        shown = {"manifest": manifest.model_dump(mode="json"), "lineage": [parent.digest for parent in ancestors]}
        print_json({"success": True, **item_json(item), "state_digest": state, **shown})
    return EXIT_DONE


def _state_digest(item: Item) -> str | None:
    if item.standing not in (Standing.INTACT, Standing.MISFIT):
        return None
    try:
        return state_digest(read_archive(item.path))
    except CheckpointError:  # whole, and yet not as this version reads it
        return None


def show_items(screen: Screen, items: Sequence[Item]) -> None:
    """Write a table of files of a store, then the reasons of those that are not used."""
    styles = ["" if item.standing in _GOOD else "yellow" for item in items]
    screen.table(_COLUMNS, [_row(item, screen) for item in items], styles)
    if any(item.reward is None and item.train_reward is not None for item in items):
        screen.say("* not evaluated: mean of the last training episodes", style="dim")
    doubtful = [item for item in items if item.reason]
    if doubtful:
        screen.say()
        screen.say("Why they are not used, or only in part:")
    for item in doubtful:
        screen.say(f"{item.path.name}: {item.reason}", indent=2)


def _row(item: Item, screen: Screen) -> tuple[str, ...]:
    manifest = item.manifest
    return (
        "?" if item.steps is None else f"{item.steps:,}",
        size_text(item.bytes),
        age_text(manifest.created) if manifest else "?",
        str(manifest.exactness) if manifest else "-",
        _reward(item),
        screen.session(manifest.session_id) if manifest else "-",
        _state(item),
    )


def _reward(item: Item) -> str:
    trained = item.reward is None and item.train_reward is not None
    return f"{reward_text(item.train_reward)}*" if trained else reward_text(item.reward)


def _state(item: Item) -> str:
    words = {Kind.BEST: "best", Kind.QUARANTINED: "quarantined"}
    parts = [words.get(item.kind, ""), "next" if item.next else "", "pinned" if item.pinned else ""]
    if item.standing is not Standing.ASIDE:
        parts.append("ok" if item.standing is Standing.INTACT else str(item.standing))
    return ", ".join(part for part in parts if part)


def item_json(item: Item) -> dict[str, Any]:
    """Return one file of a store as data that JSON can hold."""
    manifest = item.manifest
    return {
        "kind": item.kind.value,
        "name": item.path.name,
        "path": str(item.path),
        "steps": item.steps,
        "bytes": item.bytes,
        "standing": item.standing.value,
        "verified": item.standing is Standing.INTACT,
        "next": item.next,
        "pinned": item.pinned,
        "reason": item.reason or None,
        "created": manifest.created if manifest else None,
        "exactness": manifest.exactness.value if manifest else None,
        "session_id": manifest.session_id if manifest else None,
        "mean_reward": item.reward,
        "train_reward": item.train_reward,
        "digest": manifest.digest if manifest else None,
    }


def _named(store: CheckpointStore, names: Sequence[str]) -> list[Item]:
    found = [locate(store, name) for name in names]
    return [inspect(item.path, item.chunks, store.prefix) for item in found]


def _counts(item: Item) -> bool:
    return item.kind is not Kind.QUARANTINED


def _verdict(item: Item) -> str:
    if item.manifest is None:
        return f"{item.standing}: {item.reason}"
    return f"{item.manifest.steps:,} steps, {size_text(item.bytes)}, {item.manifest.exactness}"


def _describe(screen: Screen, manifest: Manifest, item: Item, state: str | None) -> None:
    good = item.standing is Standing.INTACT
    screen.say(f"{item.path.name}  {'✓ verified, every byte' if good else '✗ ' + str(item.standing)}")
    replay = manifest.replay
    rows = f"{min(replay.added, replay.capacity):,} of {replay.capacity:,} rows" if replay else ""
    pairs = [
        ("not used because", item.reason),
        ("steps", f"{manifest.steps:,}"),
        ("scenario", manifest.scenario),
        ("session", manifest.session_id),
        ("created", f"{manifest.created}  ({ago_text(manifest.created)})"),
        ("exactness", str(manifest.exactness)),
        ("lost", "; ".join(manifest.lost)),
        ("digest", manifest.digest),
        ("state digest", state or ""),
        ("size", size_text(item.bytes)),
        ("replay buffer", f"{rows} in {len(replay.chunks)} chunk(s)" if replay else ""),
        ("taken at", manifest.boundary),
        ("file", str(item.path)),
    ]
    screen.fields(pairs)
    facts = manifest.compatibility.model_dump(mode="json", exclude={"hyperparameters", "environment"})
    parts = {
        "Metrics": {name: f"{value:.6g}" for name, value in sorted(manifest.metrics.items())},
        "Model": {name.replace("_", " "): str(value) for name, value in facts.items()},
        "Hyper-parameters": manifest.compatibility.hyperparameters,
        "Environment": manifest.compatibility.environment,
        "Software": manifest.software,
        "Members": {name: size_text(member.bytes) for name, member in manifest.members.items()},
    }
    for title, values in parts.items():
        if values:
            screen.say(title, style="bold")
            screen.fields(values.items())


def _descent(screen: Screen, manifest: Manifest, ancestors: Sequence[Manifest]) -> None:
    screen.say("Lineage", style="bold")
    for parent in ancestors:
        screen.say(f"{parent.steps:,} steps, session {parent.session_id}, {parent.digest[:12]}", indent=2)
    oldest = ancestors[-1] if ancestors else manifest
    gone = f"before that: {oldest.parent[:12]}, no longer here" if oldest.parent else "before that: step 0"
    screen.say(gone, indent=2)
