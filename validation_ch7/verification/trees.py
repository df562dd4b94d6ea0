"""The training trees of a workspace: where they are, and whether they have the shape that training reads."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from validation_ch7.checkpoints import CheckpointStore, naming
from validation_ch7.checkpoints.lock import LOCK_NAME, OWNER_NAME, exclusive
from validation_ch7.checkpoints.store import PIN_SUFFIX
from validation_ch7.errors import WorkspaceLockedError
from validation_ch7.files import PARTIAL_PREFIX
from validation_ch7.session import MODELS_FOLDER
from validation_ch7.verification.finding import Finding, issue, success, warning

RUN = "python validation_ch7/scripts/run_kaggle_validation_section_7_6.py --quick"
_FOLDERS = (naming.CHECKPOINTS, naming.BEST, naming.BACKUPS)
_FILES = frozenset({naming.METADATA_NAME, LOCK_NAME, OWNER_NAME})


@dataclass(frozen=True)
class Tree:
    """One folder of checkpoints, with the scenarios that its files name."""

    root: Path
    label: str
    """``<section>`` or ``<section>/<scenario>``."""

    @property
    def stores(self) -> list[CheckpointStore]:
        """One store for each scenario that has checkpoints here."""
        folder = self.root / naming.CHECKPOINTS
        found = {naming.checkpoint_prefix(path.name) for path in folder.glob("*.zip")}
        return [CheckpointStore(self.root, prefix) for prefix in sorted(name for name in found if name)]


def find_trees(workspace: Path) -> list[Tree]:
    """Return the training trees below ``workspace``: of each section, and of each further scenario in it."""
    trees = []
    for models in sorted((workspace / "validation_ch7").glob(f"*/{MODELS_FOLDER}")):
        section = models.parents[1].name
        trees.append(Tree(models, section))
        folders = sorted(path for path in models.iterdir() if path.is_dir()) if models.is_dir() else []
        trees += [Tree(path, f"{section}/{path.name}") for path in folders if _is_scenario(path)]
    return trees


def _is_scenario(path: Path) -> bool:
    return path.name not in _FOLDERS and not path.name.startswith(".") and (path / naming.CHECKPOINTS).is_dir()


def check_structure(workspace: Path) -> Iterator[Finding]:
    """Look at folders and stray files of every training tree."""
    trees = find_trees(workspace)
    if not trees:
        yield warning(
            "structure",
            f"there is no training tree below {workspace} yet: nothing has been trained here",
            f"start with: {RUN}",
        )
    for tree in trees:
        findings = [*_missing(tree), *_strays(tree)]
        yield from findings
        if not findings:
            yield success("structure", f"{tree.label}: the training tree at {tree.root} is in order")


def _missing(tree: Tree) -> Iterator[Finding]:
    if not tree.root.is_dir():
        yield issue("structure", f"{tree.root} is no folder", "a file stands where the training tree goes: move it")
        return
    for name in _FOLDERS:
        path = tree.root / name
        if path.exists() and not path.is_dir():
            yield issue("structure", f"{path} is no folder", "a file stands where a folder is needed: move it away")
        elif path.is_dir() and not os.access(path, os.R_OK | os.W_OK):
            yield issue("structure", f"{path} cannot be written", "give yourself permission to read and write there")
    if not (tree.root / naming.CHECKPOINTS).exists():
        yield warning(
            "structure", f"{tree.label}: no folder {naming.CHECKPOINTS}/ yet", f"the first run makes it: {RUN}"
        )


def _strays(tree: Tree) -> Iterator[Finding]:
    if not tree.root.is_dir():
        return
    checkpoints = tree.root / naming.CHECKPOINTS
    partials = [path for folder in (tree.root, *_subfolders(tree)) for path in folder.glob(f"{PARTIAL_PREFIX}*")]
    if partials:
        text = f"{tree.label}: {len(partials)} unfinished file(s) of a process that was killed"
        yield warning("structure", text, "nothing: the next run sweeps them")
    unknown = [path.name for path in tree.root.iterdir() if path.is_file() and path.name not in _FILES]
    for path in sorted(checkpoints.iterdir()) if checkpoints.is_dir() else ():
        if path.is_file() and not _known_in_checkpoints(path):
            unknown.append(f"{naming.CHECKPOINTS}/{path.name}")
    unknown = [name for name in unknown if PARTIAL_PREFIX not in name]
    if unknown:
        text = f"{tree.label}: {len(unknown)} file(s) that training does not read: {', '.join(sorted(unknown)[:5])}"
        yield warning(
            "structure", text, "move them elsewhere; checkpoints are named <scenario>_checkpoint_<n>_steps.zip"
        )
    quarantined = sorted((checkpoints / naming.QUARANTINE).glob("*.zip"))
    if quarantined:
        text = f"{tree.label}: {len(quarantined)} checkpoint(s) in quarantine; each has its reason beside it"
        yield warning("structure", text, f"look into {checkpoints / naming.QUARANTINE}, then delete them")


def _known_in_checkpoints(path: Path) -> bool:
    name = path.name.removesuffix(PIN_SUFFIX)
    return naming.checkpoint_prefix(name) is not None


def _subfolders(tree: Tree) -> list[Path]:
    checkpoints = tree.root / naming.CHECKPOINTS
    return [checkpoints, checkpoints / naming.REPLAY, tree.root / naming.BEST, tree.root / naming.BACKUPS]


def check_locks(workspace: Path) -> Iterator[Finding]:
    """Look whether another process works on a training tree, or died while it did."""
    for tree in find_trees(workspace):
        if not (tree.root / OWNER_NAME).is_file():
            yield success("lock", f"{tree.label}: no process holds the training tree")
            continue
        try:
            with exclusive(tree.root, "verification"):
                text = f"{tree.label}: the process that held the training tree last was killed; its lock is released"
                yield warning("lock", text, "run the same command again: it goes on from the last checkpoint")
        except WorkspaceLockedError as fault:
            text = f"{tree.label}: at work now: {fault.found}"
            yield warning("lock", text, "verify again after it has ended: what is read here may be changing")
