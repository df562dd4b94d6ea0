"""The parent's files come into the session's own training tree, or the session does not start."""

from __future__ import annotations

from pathlib import Path

from validation_ch7.errors import CheckpointNotFoundError
from validation_ch7.files import confined, link_or_copy, make_folder
from validation_ch7.training.learner import Learner

_NOT_CARRIED = frozenset({"backups", "quarantine"})


def admit_parent(inputs: Path, tree: Path, learner: Learner, parent: str | None) -> str | None:
    """Bring the parent's files from ``inputs`` into ``tree`` and return the digest that must be resumed.

    A tree that holds checkpoints already is an earlier attempt of this same session: its newest one goes
    further than the parent, so none in particular is demanded.

    Raises:
        CheckpointNotFoundError: a parent is expected and not there; nothing is trained from zero.
        StorageError: a file cannot be read or written.
    """
    attempted = learner.newest_steps() is not None
    _copy_tree(inputs, tree)
    if parent is None:  # nothing, or a foreign checkpoint, which has no digest to be demanded by
        return None
    if learner.newest_steps() is None:
        raise CheckpointNotFoundError(
            "The checkpoint that this session must resume did not arrive; training from zero was refused.",
            where=inputs,
            expected=f"the checkpoint {parent}",
            found=f"{sum(path.is_file() for path in inputs.rglob('*'))} file(s), none of them a checkpoint",
            remedy="run the same command again; --fresh starts at zero on purpose",
        )
    return None if attempted else parent


def _copy_tree(source: Path, target: Path) -> None:
    files = [path for path in source.rglob("*") if _carried(path, source)]
    # Deepest first: the chunks are there before the checkpoint that names them.
    for path in sorted(files, key=lambda path: (-len(path.parts), path.as_posix())):
        admitted = confined(target, path.relative_to(source).as_posix())
        make_folder(admitted.parent)
        link_or_copy(path, admitted)


def _carried(path: Path, source: Path) -> bool:
    parts = path.relative_to(source).parts
    hidden = any(part.startswith(".") for part in parts)
    return path.is_file() and not path.is_symlink() and not hidden and _NOT_CARRIED.isdisjoint(parts)
