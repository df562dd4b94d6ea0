"""Which file a person means by ``latest``, ``best``, a number of steps, a name, a path, or part of a digest."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from validation_ch7.checkpoints import naming
from validation_ch7.checkpoints.store import CheckpointStore, StoredCheckpoint
from validation_ch7.errors import CheckpointNotFoundError, ConfigurationError

WAYS = "a number of steps, latest, best, a file name, a path, or the first 4 or more digits of a digest"
_DIGEST = re.compile(r"[0-9a-f]{4,64}")
_SHOWN = 8
_LONG = 100


@dataclass(frozen=True)
class Located:
    """A checkpoint file, and the folder of the replay chunks that it may name."""

    path: Path
    chunks: Path


def locate(store: CheckpointStore, name: str) -> Located:
    """Return the checkpoint that ``name`` means in ``store``; nothing is verified.

    Raises:
        CheckpointNotFoundError: there is no such checkpoint.
        ConfigurationError: several digests begin like that.
    """
    entries = store.entries()
    path = _by_word(store, entries, name) or _by_name(store, name) or _by_path(name) or _by_digest(store, entries, name)
    if path is None:
        raise _unknown(store, entries, name)
    return Located(path, chunks_beside(path))


def chunks_beside(path: Path) -> Path:
    """Return the folder of replay chunks that belongs to the checkpoint at ``path``.

    >>> chunks_beside(Path("s/checkpoints/quarantine/a.zip")).as_posix(), chunks_beside(Path("a.zip")).as_posix()
    ('s/checkpoints/replay', 'replay')
    """
    folder = path.parent
    return (folder.parent if folder.name == naming.QUARANTINE else folder) / naming.REPLAY


def _by_word(store: CheckpointStore, entries: Sequence[StoredCheckpoint], name: str) -> Path | None:
    word = name.strip().lower()
    if word == "latest":
        return entries[0].path if entries else None
    if word == "best":
        return store.best_path if store.best_path.is_file() else None
    plain = word.replace(",", "").replace("_", "")
    if plain.isascii() and plain.isdigit():
        return next((entry.path for entry in entries if entry.steps == int(plain[:19])), None)
    return None


def _by_name(store: CheckpointStore, name: str) -> Path | None:
    if not name or name != Path(name).name or "\0" in name:
        return None
    folders = (store.folder, store.best_path.parent, store.folder / naming.QUARANTINE)
    candidates = [folder / item for folder in folders for item in (name, f"{name}.zip")]
    return next((path for path in candidates if path.suffix == ".zip" and _is_file(path)), None)


def _by_path(name: str) -> Path | None:
    try:
        path = Path(name).expanduser()
    except RuntimeError:  # the home of an unknown user
        return None
    return path if _is_file(path) else None


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # a name that is too long, or holds a NUL
        return False


def _by_digest(store: CheckpointStore, entries: Sequence[StoredCheckpoint], name: str) -> Path | None:
    start = name.strip().lower()
    if not _DIGEST.fullmatch(start):
        return None
    known = {entry.manifest.digest: entry.path for entry in entries if entry.manifest}
    if (best := store.best()) is not None:
        known.setdefault(best.digest, store.best_path)
    found = [digest for digest in known if digest.startswith(start)]
    if len(found) > 1:
        raise ConfigurationError(
            "Several checkpoints have a digest that begins like this.",
            where=store.folder,
            expected="more digits",
            found=", ".join(f"{digest[:12]}… ({known[digest].name})" for digest in found),
            remedy="give more digits, or the number of steps",
        )
    return known[found[0]] if found else None


def _unknown(store: CheckpointStore, entries: Sequence[StoredCheckpoint], name: str) -> CheckpointNotFoundError:
    steps = [str(entry.steps) for entry in entries]
    more = f", … ({len(steps)} in all)" if len(steps) > _SHOWN else ""
    present = f"; steps that are there: {', '.join(steps[:_SHOWN])}{more}" if steps else "; the store has none yet"
    return CheckpointNotFoundError(
        "There is no such checkpoint.",
        where=store.folder,
        expected=WAYS + present,
        found=repr(name if len(name) <= _LONG else name[:_LONG] + "…"),
        remedy="list what is there: python -m validation_ch7 checkpoints list",
    )
