"""``checkpoints prune``, ``pin``, ``unpin`` and ``export-sb3``."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from validation_ch7.checkpoints.backup import BEFORE_PRUNE, Backup, back_up
from validation_ch7.checkpoints.backup_limit import limit_backups
from validation_ch7.checkpoints.export import export_sb3
from validation_ch7.checkpoints.lookup import locate
from validation_ch7.checkpoints.retention import Decision, Retention
from validation_ch7.checkpoints.store import CheckpointStore
from validation_ch7.cli.outcome import print_json
from validation_ch7.cli.screen import Column, Screen, size_text
from validation_ch7.cli.selection import Selection
from validation_ch7.errors import ConfigurationError, StorageError

EXIT_DONE = 0
_COLUMNS = (Column("steps", right=True), Column("size", right=True), Column(""), Column("reason"))


def prune_checkpoints(
    selection: Selection, limits: Mapping[str, int | None], *, dry_run: bool, yes: bool, keep_copy: bool
) -> int:
    """Say what retention keeps and deletes, and delete it where that was confirmed, after a backup."""
    store, screen = selection.open(), Screen(selection.as_json)
    retention = _retention(selection, limits)
    decisions = store.plan_retention(retention)
    _show(screen, decisions)
    doomed = [decision for decision in decisions if not decision.keep]
    deleted = bool(doomed) and not dry_run and (yes or _confirmed(selection, len(doomed), keep_copy))
    backup: Backup | None = None
    if deleted:
        with store.exclusive(f"pruning {store.prefix}"):
            backup = _saved(store) if keep_copy else None
            decisions = store.prune(retention)  # decided anew: a run may have saved meanwhile
            doomed = [decision for decision in decisions if not decision.keep]
            limit_backups(store, retention.backup_bytes)  # only now does the backup hold what nothing else names
    screen.say(_conclusion(len(doomed), deleted))
    if backup is not None:
        screen.say(f"They are kept in the backup {backup.path.name} until newer ones take its place. Bring them back:")
        screen.whole(f"python -m validation_ch7 checkpoints restore latest{selection.typed()}", indent=2)
    if selection.as_json:
        saved = {"backup": str(backup.path) if backup else None}
        told = [_decision_json(item) for item in decisions]
        print_json({"success": True, "deleted": deleted, **saved, "decisions": told})
    return EXIT_DONE


def _saved(store: CheckpointStore) -> Backup | None:
    try:
        return back_up(store, BEFORE_PRUNE)
    except StorageError as fault:
        raise StorageError(
            "The backup before pruning could not be made; nothing was deleted.",
            where=store.backups,
            found=fault.found or fault.what,
            remedy="free some disk space, or delete for good: add --no-backup",
        ) from None


def _retention(selection: Selection, limits: Mapping[str, int | None]) -> Retention:
    try:
        return replace(selection.retention(), **{name: value for name, value in limits.items() if value is not None})
    except ValueError as fault:
        raise ConfigurationError(
            "The rules cannot be applied.", where="--max-keep", found=str(fault), remedy="give 2 or more"
        ) from None


def _confirmed(selection: Selection, count: int, keep_copy: bool) -> bool:
    if selection.as_json or not sys.stdin.isatty():
        return False
    return click.confirm(f"Delete {count} checkpoint(s){'' if keep_copy else ' for good'}?", default=False)


def _show(screen: Screen, decisions: Sequence[Decision]) -> None:
    rows = [
        (f"{item.entry.steps:,}", size_text(item.entry.total_bytes), "keep" if item.keep else "delete", item.reason)
        for item in decisions
    ]
    if rows:
        screen.table(_COLUMNS, rows, ["" if item.keep else "yellow" for item in decisions])


def _conclusion(count: int, deleted: bool) -> str:
    if not count:
        return "Nothing to delete."
    if deleted:
        return f"{count} checkpoint(s) deleted."
    return f"{count} checkpoint(s) would be deleted; nothing was changed. To delete them: add --yes"


def _decision_json(decision: Decision) -> dict[str, Any]:
    entry = decision.entry
    return {
        "name": entry.name,
        "steps": entry.steps,
        "bytes": entry.total_bytes,
        "keep": decision.keep,
        "reason": decision.reason,
    }


def pin_checkpoint(selection: Selection, name: str, *, pinned: bool) -> int:
    """Protect a checkpoint of the store from retention, or release it."""
    store, screen = selection.open(), Screen(selection.as_json)
    path = locate(store, name).path
    if path.resolve().parent != store.folder.resolve():
        raise ConfigurationError(
            "Only a checkpoint of the store itself can be pinned.",
            where=store.folder,
            expected="a checkpoint in this folder; the best model is kept in any case",
            found=path,
            remedy="list them: python -m validation_ch7 checkpoints list",
        )
    store.pin(path, pinned)
    screen.say(f"{path.name} is {'pinned: no rule deletes it' if pinned else 'left to the rules again'}.")
    if selection.as_json:
        print_json({"success": True, "name": path.name, "pinned": pinned})
    return EXIT_DONE


def export_checkpoint(selection: Selection, name: str, outdir: Path, *, force: bool) -> int:
    """Write a checkpoint as plain SB3's own files."""
    store, screen = selection.open(), Screen(selection.as_json)
    found = locate(store, name)
    export = export_sb3(found.path, found.chunks, outdir.expanduser(), overwrite=force)
    for path in export.files:
        screen.whole(f"✓ {path}  {size_text(path.stat().st_size)}")
    for note in export.notes:
        screen.say(f"Not exported: {note}", style="yellow")
    screen.say(f"{export.algorithm} after {export.steps:,} steps. In Python:")
    for line in _usage(export.algorithm, export.files):
        screen.whole(line, indent=4)
    if selection.as_json:
        files = [str(path) for path in export.files]
        facts = {"algorithm": export.algorithm, "steps": export.steps, "files": files, "notes": list(export.notes)}
        print_json({"success": True, **facts})
    return EXIT_DONE


def _usage(algorithm: str, files: Sequence[Path]) -> list[str]:
    lines = [f"model = {algorithm}.load({str(files[0])!r})"]
    for path in files[1:]:
        call = "VecNormalize.load({!r}, env)" if path.name.startswith("vec") else "model.load_replay_buffer({!r})"
        lines.append(("env = " if path.name.startswith("vec") else "") + call.format(str(path)))
    return lines
