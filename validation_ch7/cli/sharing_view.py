"""``export`` and ``import``: progress, results, and which store is meant."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

from validation_ch7.checkpoints.manifest import Compatibility
from validation_ch7.checkpoints.store import CheckpointStore
from validation_ch7.cli.outcome import print_json
from validation_ch7.cli.screen import Screen, size_text
from validation_ch7.cli.selection import Selection
from validation_ch7.cli.transfer import progress_of
from validation_ch7.errors import ConfigurationError
from validation_ch7.sharing import Imported, export_store, import_store, open_place
from validation_ch7.sharing.hub import HuggingFace, publish_best, repository_of
from validation_ch7.sharing.hub_import import bring_model, fetch_model
from validation_ch7.sharing.index import only_prefix
from validation_ch7.sharing.place import Place

EXIT_DONE, EXIT_UNUSABLE = 0, 5
DEFAULT_PREFIX = "model"
"""Prefix of a new store for a model of the Hub that does not say its own."""


def send(selection: Selection, target: str, *, check: bool, public: bool) -> int:
    """Send the store to another place."""
    store, screen = selection.open(), Screen(selection.as_json)
    place = open_place(target, public=public)
    with progress_of("export", quiet=selection.as_json) as progress:
        done = export_store(store, place, check=check, progress=progress)
    for name, reason in done.left_out:
        screen.say(f"✗ {name} was left out: {reason}", style="yellow")
    screen.say(
        f"✓ {len(done.index.files)} file(s) at step {done.index.steps:,} lie there: "
        f"{size_text(done.sent_bytes)} sent and compared, {size_text(done.reused_bytes)} were there already"
    )
    screen.whole(f"in {place.shown}, index {done.version[:12]}", indent=2)
    if selection.as_json:
        facts = {"place": place.shown, "prefix": store.prefix, "index": done.version, "steps": done.index.steps}
        counts = {"files": len(done.index.files), "sent": list(done.sent), "sent_bytes": done.sent_bytes}
        left_out = [{"name": name, "reason": reason} for name, reason in done.left_out]
        print_json({"success": True, **facts, **counts, "reused_bytes": done.reused_bytes, "left_out": left_out})
    return EXIT_DONE


def publish(selection: Selection, target: str, *, public: bool) -> int:
    """Publish the best model on the Hugging Face Hub."""
    repository = repository_of(target)
    store, screen = selection.open(), Screen(selection.as_json)
    done = publish_best(store, repository, HuggingFace(), private=not public)
    screen.say(f"✓ {', '.join(done.files)} of step {done.steps:,} lie there")
    screen.whole(done.address, indent=2)
    if selection.as_json:
        facts = {"place": f"hf://{repository}", "address": done.address, "files": list(done.files)}
        print_json({"success": True, **facts, "steps": done.steps})
    return EXIT_DONE


def fetch(selection: Selection, source: str) -> int:
    """Bring a model from the Hugging Face Hub."""
    repository, screen = repository_of(source), Screen(selection.as_json)
    found = fetch_model(repository, HuggingFace())
    store = _receiving(selection, lambda: found.prefix or DEFAULT_PREFIX)
    current, room = _current(selection), selection.retention().backup_bytes
    done = bring_model(store, found, screen.say, current=current, backup_bytes=room)
    if not done.misfits:
        screen.say(f"✓ {found.name} of step {done.steps:,} is here, {done.exactness}")
        screen.say(f"✓ The next run goes on from step {store.newest_steps() or 0:,}")
    if selection.as_json:
        facts = {"place": f"hf://{repository}", "prefix": store.prefix, "model_steps": done.steps}
        facts |= {"exactness": str(done.exactness), "restored": list(done.restored), "rejected": list(done.misfits)}
        facts |= {"backup": str(done.backup.path) if done.backup else None, "steps": store.newest_steps() or 0}
        print_json({"success": not done.misfits, **facts})
    return EXIT_UNUSABLE if done.misfits else EXIT_DONE


def _current(selection: Selection) -> Compatibility | None:
    config = selection.config()
    if config is None:
        return None
    from validation_ch7.training.facts import current_facts  # late: it builds a model

    return current_facts(config)


def bring(selection: Selection, source: str, version: str | None) -> int:
    """Bring a store from another place."""
    screen, place = Screen(selection.as_json), open_place(source)
    _check_version(version)
    store, current = _receiving(selection, lambda: only_prefix(place)), _current(selection)
    room = selection.retention().backup_bytes
    with progress_of("import", quiet=selection.as_json) as progress:
        done = import_store(
            store, place, screen.say, current=current, version=version, backup_bytes=room, progress=progress
        )
    screen.say(f"{size_text(done.received_bytes)} received, {size_text(done.reused_bytes)} were here already")
    newest = store.newest_steps() or 0
    refused = bool(done.admission.misfits) or not (done.admission.restored or newest)
    if not refused:
        screen.say(f"✓ The next run goes on from step {newest:,}")
    if selection.as_json:
        print_json({"success": not refused, **_facts(place, store, done), "steps": newest})
    return EXIT_UNUSABLE if refused else EXIT_DONE


def _facts(place: Place, store: CheckpointStore, done: Imported) -> dict[str, object]:
    admission = done.admission
    return {
        "place": place.shown,
        "prefix": store.prefix,
        "received_bytes": done.received_bytes,
        "reused_bytes": done.reused_bytes,
        "restored": list(admission.restored),
        "rejected": [{"name": name, "reason": reason} for name, reason in admission.rejected],
        "backup": str(admission.backup.path) if admission.backup else None,
    }


def _check_version(version: str | None) -> None:
    if version is not None and not re.fullmatch(r"[0-9a-f]{64}", version):
        raise ConfigurationError(
            "This is no digest of an index.",
            where="--index",
            expected="64 hexadecimal digits, as export --json names them",
            found=version[:80],
            remedy="leave --index out for the present state",
        )


def _receiving(selection: Selection, prefix_there: Callable[[], str]) -> CheckpointStore:
    """Return the store to bring into: unlike other commands, it need not exist yet."""
    if selection.store is None:
        return selection.open(new=True)
    folder = selection.store.expanduser()
    if folder.is_dir():
        return replace(selection, prefix=selection.prefix or prefix_there()).open()
    return CheckpointStore(folder, selection.prefix or prefix_there())
