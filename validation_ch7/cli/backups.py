"""``checkpoints backup`` and ``restore``."""

from __future__ import annotations

from typing import Any

from validation_ch7.checkpoints.backup import Backup, back_up, list_backups, restore_backup
from validation_ch7.checkpoints.backup_limit import limit_backups
from validation_ch7.checkpoints.inventory import Kind, Standing, require_usable, take_inventory
from validation_ch7.checkpoints.naming import checkpoint_prefix, checkpoint_steps
from validation_ch7.checkpoints.store import CheckpointStore
from validation_ch7.cli.outcome import print_json
from validation_ch7.cli.screen import Column, Screen, age_text, size_text
from validation_ch7.cli.selection import Selection

EXIT_DONE = 0


def list_all(selection: Selection) -> int:
    """Show the backups of the store, newest first."""
    store, screen = selection.open(), Screen(selection.as_json)
    backups = list_backups(store)
    rows = [
        (item.path.name, _age(item), f"{_newest(item):,}", str(_checkpoints(item)), size_text(item.bytes))
        for item in backups
    ]
    if rows:
        columns = (Column("name"), *(Column(title, right=True) for title in ("age", "steps", "checkpoints", "size")))
        screen.table(columns, rows)
        screen.say("Put one back:")
        screen.whole(f"python -m validation_ch7 checkpoints restore NAME{selection.typed()}", indent=2)
    else:
        screen.say("No backup yet. Take one:")
        screen.whole(f"python -m validation_ch7 checkpoints backup{selection.typed()}", indent=2)
    if selection.as_json:
        print_json({"success": True, "backups": [_json(item) for item in backups]})
    return EXIT_DONE


def take_backup(selection: Selection, reason: str) -> int:
    """Copy the store as it is now."""
    store, screen = selection.open(), Screen(selection.as_json)
    require_usable(take_inventory(store, verify=False)[:1], store.folder)
    with store.exclusive(f"backup of {store.prefix}"):
        made = back_up(store, reason)
        limit_backups(store, selection.retention().backup_bytes)
    assert made is not None
    screen.say(f"✓ {made.path.name}: {_checkpoints(made)} checkpoint(s), {size_text(made.bytes)}")
    screen.whole(f"in {made.path}", indent=2)
    if selection.as_json:
        print_json({"success": True, **_json(made)})
    return EXIT_DONE


def put_back(selection: Selection, name: str) -> int:
    """Put a backup in place of what the store holds, which is backed up first."""
    store, screen = selection.open(), Screen(selection.as_json)
    backups = list_backups(store)
    wanted = backups[0].path.name if name == "latest" and backups else name
    known = next((item for item in backups if item.path.name == wanted), None)
    damaged: list[str] = []
    if known is not None:
        held = CheckpointStore(known.path, store.prefix)
        items = [item for item in take_inventory(held) if item.kind is Kind.CHECKPOINT]
        require_usable(items, known.path)
        damaged = [f"{item.path.name}: {item.reason}" for item in items if item.standing is Standing.DAMAGED]
    with store.exclusive(f"restoring {wanted}"):
        restored = restore_backup(store, wanted)
        limit_backups(store, selection.retention().backup_bytes)
    newest = next(iter(store.entries()), None)
    for line in damaged:
        screen.say(f"✗ {line}", style="yellow")
    screen.say(f"✓ {restored.path.name} is back; what was there before is backed up as well.")
    screen.say(f"The next run goes on from step {newest.steps:,}." if newest else "It holds no checkpoint to resume.")
    if selection.as_json:
        print_json({"success": True, **_json(restored), "steps": newest.steps if newest else 0, "damaged": damaged})
    return EXIT_DONE


def _checkpoints(backup: Backup) -> int:
    return sum(name.endswith("_steps.zip") for name in backup.files)


def _newest(backup: Backup) -> int:
    names = [name.rsplit("/", 1)[-1] for name in backup.files]
    found = [
        steps for name in names if (prefix := checkpoint_prefix(name)) and (steps := checkpoint_steps(name, prefix))
    ]
    return max(found, default=0)


def _age(backup: Backup) -> str:
    return age_text(backup.path.name.split("-")[0])


def _json(backup: Backup) -> dict[str, Any]:
    facts = {"name": backup.path.name, "path": str(backup.path), "reason": backup.reason}
    return facts | {"steps": _newest(backup), "bytes": backup.bytes, "files": list(backup.files)}
