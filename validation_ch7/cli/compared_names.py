"""Which run a person means: a workspace, a store, a session, or a checkpoint."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from validation_ch7.checkpoints.inventory import Item, Kind, inspect, take_inventory
from validation_ch7.checkpoints.lookup import locate
from validation_ch7.checkpoints.store import CheckpointStore
from validation_ch7.cli.selection import Selection
from validation_ch7.errors import CheckpointNotFoundError, ConfigurationError
from validation_ch7.journal import Journal, JournalEntry
from validation_ch7.reporting.comparison.run import Run, make_run
from validation_ch7.reporting.curves import read_chain_rows
from validation_ch7.reporting.dashboard.gather import with_session_ends
from validation_ch7.reporting.dashboard.log_tail import results_folder
from validation_ch7.reporting.standing import read_standing
from validation_ch7.session import logs_tree, training_tree
from validation_ch7.training.curve import SESSION_ID

OUTPUT, PACKAGE = "validation_output", "validation_ch7"


def find_run(selection: Selection, name: str, *, verify: bool) -> Run:
    """Return the run that ``name`` means.

    Raises:
        ConfigurationError: it is a folder that is neither workspace nor store, or a store of several prefixes.
        CheckpointNotFoundError: it is nothing of all this.
    """
    folder = _folder(name)
    if folder is not None:
        return _of_folder(selection, name, folder, verify)
    entry = None if selection.store is not None else _session(selection, name)
    return _of_session(selection, entry, verify) if entry else _of_checkpoint(selection, name, verify)


def _folder(name: str) -> Path | None:
    try:
        path = Path(name).expanduser()
        return path.resolve() if path.is_dir() else None
    except (OSError, ValueError, RuntimeError):  # no name of a file at all
        return None


def _of_folder(selection: Selection, name: str, folder: Path, verify: bool) -> Run:
    if (folder / OUTPUT).is_dir() or (folder / PACKAGE).is_dir():
        chosen = replace(selection, workspace=folder, store=None, prefix=None)
        store, config = chosen.open(), chosen.config()
        assert config is not None
        logs = logs_tree(folder / PACKAGE / config.section, config.scenario)
        items = _items(store, verify)
        run = make_run(name, "workspace", items, read_chain_rows(logs))
        standing = read_standing(Journal(folder / OUTPUT / "sessions"), items, store.best(), config)
        return replace(run, curve=with_session_ends(run.curve, standing.sessions))
    if (folder / "checkpoints").is_dir() or folder.name == "checkpoints":
        chosen = replace(selection, workspace=None, store=folder)
        return make_run(name, "store", _items(chosen.open(), verify))
    raise ConfigurationError(
        "This folder holds no run.",
        where=folder,
        expected=f"a workspace, with {OUTPUT}/ in it, or a store, with checkpoints/ in it",
        found=", ".join(sorted(path.name for path in folder.iterdir())[:8]) or "nothing",
        remedy="name the folder that was given to --workspace or to CheckpointStore(...)",
    )


def _session(selection: Selection, name: str) -> JournalEntry | None:
    entries = Journal(selection.root / OUTPUT / "sessions").entries()
    return next((entry for entry in entries if name in (entry.session_id, entry.kernel_slug)), None)


def _of_session(selection: Selection, entry: JournalEntry, verify: bool) -> Run:
    chosen = replace(selection, scenario=entry.scenario)
    config = chosen.config()
    assert config is not None
    items = [item for item in _items(chosen.open(), verify) if _is_of(item, entry)]
    results = results_folder(entry, selection.root / OUTPUT)
    if results is not None:
        left = training_tree(results / entry.section, config.scenario, config.default_scenario)
        known = {item.path.name for item in items}
        found = _items(CheckpointStore(left, config.scenario), verify)
        items += [item for item in found if _is_of(item, entry) and item.path.name not in known]
    rows = read_chain_rows(logs_tree(selection.root / PACKAGE / entry.section, entry.scenario))
    return make_run(entry.session_id, "session", items, [row for row in rows if row[SESSION_ID] == entry.session_id])


def _of_checkpoint(selection: Selection, name: str, verify: bool) -> Run:
    store = selection.open()
    try:
        found = locate(store, name)
    except CheckpointNotFoundError as fault:
        raise CheckpointNotFoundError(
            "There is no such run.",
            where=fault.where,
            expected="a folder of a workspace or a store, a session of the journal, or a checkpoint",
            found=fault.found,
            remedy="list what is there: python -m validation_ch7 status, or checkpoints list",
        ) from None
    item = inspect(found.path, found.chunks, verify=verify)
    return make_run(name, "checkpoint", [replace(item, kind=Kind.BEST) if found.path == store.best_path else item])


def _items(store: CheckpointStore, verify: bool) -> list[Item]:
    return [item for item in take_inventory(store, verify=verify) if item.kind is not Kind.QUARANTINED]


def _is_of(item: Item, entry: JournalEntry) -> bool:
    return item.manifest is not None and item.manifest.session_id == entry.session_id
