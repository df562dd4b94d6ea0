"""The commands ``checkpoints …``: what they are called, what they take. What they do is imported when they run."""

from __future__ import annotations

from pathlib import Path

import click

from validation_ch7.cli.leaf import SETTINGS, examples
from validation_ch7.cli.paths import NameType, PathType
from validation_ch7.cli.selection import Selection, selects_store

_NAMES = """
\b
A CHECKPOINT is named by its steps, 'latest', 'best', a file name, a path, or
the first digits of its digest. Without --store, the training tree of the
workspace is meant.
"""
_named = click.argument("checkpoint", metavar="CHECKPOINT", type=NameType())


@click.group(context_settings=SETTINGS, epilog=_NAMES)
def checkpoints() -> None:
    """Look at checkpoints, verify, keep, restore and export them."""


@checkpoints.command(
    "list",
    context_settings=SETTINGS,
    epilog=examples(
        ("checkpoints list", "what is there, and why some of it is not used"),
        ("checkpoints list --no-verify", "reads manifests only"),
        ("checkpoints list --store models", "any store of learn_resumable"),
    ),
)
@click.option("--no-verify", is_flag=True, help="Read manifests only: faster on large stores.")
@selects_store
def list_(selection: Selection, no_verify: bool) -> int:
    """List what is there: steps, size, age, exactness, reward, and why some of it is not used."""
    from validation_ch7.cli.checkpoint_views import list_checkpoints

    return list_checkpoints(selection, verify=not no_verify)


@checkpoints.command(
    context_settings=SETTINGS,
    epilog=examples(
        ("checkpoints verify", "every one, and the best model"),
        ("checkpoints verify latest best", "these two"),
    )
    + _NAMES,
)
@click.argument("names", metavar="[CHECKPOINT]...", nargs=-1, type=NameType())
@selects_store
def verify(selection: Selection, names: tuple[str, ...]) -> int:
    """Read every byte of the checkpoints named, or of all; exit code 5 where one differs."""
    from validation_ch7.cli.checkpoint_views import verify_checkpoints

    return verify_checkpoints(selection, names)


@checkpoints.command(
    context_settings=SETTINGS,
    epilog=examples(
        ("checkpoints show latest", "the one with the most steps"),
        ("checkpoints show best --json", "the best model, as JSON"),
    )
    + _NAMES,
)
@_named
@selects_store
def show(selection: Selection, checkpoint: str) -> int:
    """Show all that a checkpoint says of itself, where it comes from, and what it lost."""
    from validation_ch7.cli.checkpoint_views import show_checkpoint

    return show_checkpoint(selection, checkpoint)


@checkpoints.command(
    context_settings=SETTINGS,
    epilog=examples(
        ("checkpoints diff latest best", "side by side"),
        ("checkpoints diff 4096 8192", "by their steps"),
    )
    + _NAMES,
)
@click.argument("first", metavar="A", type=NameType())
@click.argument("second", metavar="B", type=NameType())
@selects_store
def diff(selection: Selection, first: str, second: str) -> int:
    """Compare two checkpoints: facts, metrics, files, weights."""
    from validation_ch7.cli.diff_view import diff_checkpoints

    return diff_checkpoints(selection, first, second)


@checkpoints.command(
    context_settings=SETTINGS,
    epilog=examples(
        ("checkpoints prune --dry-run", "what would go, and why"),
        ("checkpoints prune --keep-every 50000 --yes", "after a backup"),
        ("checkpoints prune --max-keep 2 --yes --no-backup", "frees the room at once"),
    ),
)
@click.option("--dry-run", is_flag=True, help="Only say what would be kept and deleted, and why.")
@click.option("--yes", is_flag=True, help="Delete without asking.")
@click.option("--no-backup", is_flag=True, help="Take no backup before: the room is free at once.")
@click.option("--max-keep", type=int, metavar="N", help="Newest checkpoints to keep, at least 2.")
@click.option("--keep-best", type=click.IntRange(min=0), metavar="N", help="Best checkpoints to keep besides.")
@click.option("--keep-every", type=click.IntRange(min=1), metavar="STEPS", help="Keep one in so many steps for good.")
@click.option("--max-bytes", type=click.IntRange(min=1), metavar="BYTES", help="Budget; the newest two stay anyway.")
@selects_store
def prune(selection: Selection, dry_run: bool, yes: bool, no_backup: bool, **limits: int | None) -> int:
    """Delete what no rule keeps, after a backup; asks before, and in a pipe deletes only with --yes."""
    from validation_ch7.cli.checkpoint_changes import prune_checkpoints

    return prune_checkpoints(selection, limits, dry_run=dry_run, yes=yes, keep_copy=not no_backup)


@checkpoints.command(
    context_settings=SETTINGS,
    epilog=examples(
        ("checkpoints pin latest", "no rule deletes it"),
    )
    + _NAMES,
)
@_named
@selects_store
def pin(selection: Selection, checkpoint: str) -> int:
    """Keep a checkpoint whatever the rules say."""
    from validation_ch7.cli.checkpoint_changes import pin_checkpoint

    return pin_checkpoint(selection, checkpoint, pinned=True)


@checkpoints.command(
    context_settings=SETTINGS,
    epilog=examples(
        ("checkpoints unpin latest", "the rules may delete it again"),
    )
    + _NAMES,
)
@_named
@selects_store
def unpin(selection: Selection, checkpoint: str) -> int:
    """Leave a checkpoint to the rules again."""
    from validation_ch7.cli.checkpoint_changes import pin_checkpoint

    return pin_checkpoint(selection, checkpoint, pinned=False)


@checkpoints.command(
    context_settings=SETTINGS,
    epilog=examples(
        ('checkpoints backup --reason "new reward"', "takes one"),
        ("checkpoints backup --list", "those that are there"),
    ),
)
@click.option("--list", "only_list", is_flag=True, help="List the backups that are there.")
@click.option("--reason", default="manual", show_default=True, help="Becomes part of its name.")
@selects_store
def backup(selection: Selection, only_list: bool, reason: str) -> int:
    """Take a backup of the store now, or list those that are there."""
    from validation_ch7.cli.backups import list_all, take_backup

    return list_all(selection) if only_list else take_backup(selection, reason)


@checkpoints.command(
    context_settings=SETTINGS,
    epilog=examples(
        ("checkpoints restore latest", "again: undoes it"),
        ("checkpoints restore 20260101T120000Z-manual", "by the name of backup --list"),
    ),
)
@click.argument("name", metavar="NAME", type=NameType())
@selects_store
def restore(selection: Selection, name: str) -> int:
    """Put a backup back; what is there now is backed up first. NAME as 'backup --list' says it, or latest."""
    from validation_ch7.cli.backups import put_back

    return put_back(selection, name)


@checkpoints.group(context_settings=SETTINGS)
def quarantine() -> None:
    """Checkpoints that failed their verification and were set aside."""


@quarantine.command(
    "list",
    context_settings=SETTINGS,
    epilog=examples(
        ("checkpoints quarantine list", "what was set aside, and why"),
        ("checkpoints quarantine list --json", "as JSON"),
    ),
)
@selects_store
def quarantine_list(selection: Selection) -> int:
    """List them with the reasons."""
    from validation_ch7.cli.checkpoint_views import list_quarantined

    return list_quarantined(selection)


@checkpoints.command(
    "export-sb3",
    context_settings=SETTINGS,
    epilog=examples(
        ("checkpoints export-sb3 best exported/best", "then PPO.load('exported/best/model.zip')"),
        ("checkpoints export-sb3 latest exported/latest --force", "replaces an export"),
    )
    + _NAMES,
)
@_named
@click.argument("outdir", type=PathType())
@click.option("--force", is_flag=True, help="Replace an export that is there.")
@selects_store
def export_sb3(selection: Selection, checkpoint: str, outdir: Path, force: bool) -> int:
    """Write a checkpoint as plain Stable-Baselines3's own files: model.zip and two pickles."""
    from validation_ch7.cli.checkpoint_changes import export_checkpoint

    return export_checkpoint(selection, checkpoint, outdir, force=force)
