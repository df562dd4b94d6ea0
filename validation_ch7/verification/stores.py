"""Every checkpoint of every training tree: its bytes, its chunks, its place; best model, backups, metadata."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from validation_ch7.checkpoints import CheckpointStore, naming
from validation_ch7.checkpoints.archive import read_archive
from validation_ch7.checkpoints.backup import list_backups
from validation_ch7.checkpoints.manifest import Manifest
from validation_ch7.checkpoints.metadata import BestModel, TrainingMetadata, read_metadata
from validation_ch7.checkpoints.replay import check_coverage, read_chunk
from validation_ch7.errors import CheckpointError, CheckpointForeignError, CheckpointIncompatibleError
from validation_ch7.verification.finding import Finding, Grade, fault_text, issue, success, warning
from validation_ch7.verification.trees import RUN, Tree, find_trees

_PREVIOUS = f"the next run puts it into quarantine and uses the one before it: {RUN}"
_DERIVED = "it is derived from the checkpoints: delete it, the next save writes it anew"


class Inspector:
    """Verifies checkpoints; a chunk that several of them name, by hard links too, is read once."""

    def __init__(self) -> None:
        self._seen: set[tuple[int, int, int]] = set()

    def inspect(self, path: Path, chunks: Path) -> Manifest:
        """Check every byte of a checkpoint and of its chunks, and return its manifest.

        Raises:
            CheckpointError: something is missing, altered, foreign or too new.
        """
        manifest = read_archive(path).manifest
        if manifest.replay is not None:
            check_coverage(chunks, manifest.replay)
            for chunk in manifest.replay.chunks:
                if (identity := _identity(naming.chunk_path(chunks, chunk.sha256))) not in self._seen:
                    read_chunk(chunks, chunk)
                    self._seen.add(identity)
        return manifest


def _identity(path: Path) -> tuple[int, int, int]:
    try:
        found = path.stat()
    except OSError:
        return 0, 0, -1  # never seen, so reading it says what is wrong
    return found.st_dev, found.st_ino, found.st_mtime_ns


def check_checkpoints(workspace: Path) -> Iterator[Finding]:
    """Verify every checkpoint and every replay chunk."""
    inspector, found = Inspector(), 0
    for tree in find_trees(workspace):
        for store in tree.stores:
            for path in store.paths():
                found += 1
                yield from _check_checkpoint(path, store, inspector, "checkpoints", _PREVIOUS)
        yield from _orphans(tree)
    if not found:
        yield warning("checkpoints", "there is no checkpoint yet: nothing has been trained here", f"start with: {RUN}")


def _check_checkpoint(
    path: Path, store: CheckpointStore, inspector: Inspector, check: str, remedy: str
) -> Iterator[Finding]:
    try:
        manifest = inspector.inspect(path, store.chunks)
    except CheckpointForeignError:
        yield warning(check, f"{path.name}: no manifest, written by plain Stable-Baselines3", "it resumes weights only")
    except CheckpointIncompatibleError as fault:
        yield issue(check, f"{path.name}: {fault_text(fault)}", fault.remedy)
    except CheckpointError as fault:
        if path.exists():  # rotated away by a run that is at work, otherwise
            yield issue(check, f"{path.name}: {fault_text(fault)} ({fault.where})", remedy)
    else:
        yield _placed(path, store.prefix, manifest, check)


def _placed(path: Path, prefix: str, manifest: Manifest, check: str) -> Finding:
    named = naming.checkpoint_name(manifest.scenario, manifest.steps)
    if path.name != named:
        remedy = f"give it its name back: {named}"
        return issue(check, f"{path.name}: intact, but its manifest says that it is {named}", remedy)
    chunks = len(manifest.replay.chunks) if manifest.replay else 0
    text = f"{len(manifest.members)} members and {chunks} chunks match their digests, {manifest.exactness}"
    return success(check, f"{path.name}: {text}")


def _orphans(tree: Tree) -> Iterator[Finding]:
    folder = tree.root / naming.CHECKPOINTS / naming.REPLAY
    entries = [entry for store in tree.stores for entry in store.entries()]
    if not folder.is_dir() or any(entry.manifest is None for entry in entries):
        return
    named = {digest for entry in entries if entry.manifest for digest in entry.manifest.chunk_digests}
    orphans = [path for path in naming.chunk_files(folder) if naming.chunk_digest(path.name) not in named]
    if orphans:
        text = f"{tree.label}: {len(orphans)} replay chunk(s) that no checkpoint names"
        yield warning("checkpoints", text, "nothing: the next run deletes them")


def check_best_models(workspace: Path) -> Iterator[Finding]:
    """Verify the best model of every training tree."""
    for tree in find_trees(workspace):
        path = tree.root / naming.BEST / naming.BEST_NAME
        if not path.is_file():
            yield warning("best-model", f"{tree.label}: no best model yet: nothing was evaluated", f"run: {RUN}")
            continue
        try:
            manifest = read_archive(path).manifest
        except CheckpointForeignError:
            yield warning("best-model", f"{tree.label}: no manifest, so it was not written by this package")
        except CheckpointError as fault:
            remedy = f"delete {path}; the next evaluation writes it anew, or take it from backups/"
            yield issue("best-model", f"{tree.label}: {fault_text(fault)}", remedy)
        else:
            reward = manifest.metrics.get("mean_reward")
            rated = "not rated" if reward is None else f"mean reward {reward:.3f}"
            yield success("best-model", f"{tree.label}: {manifest.steps} steps, {rated}, every member matches")


def check_backups(workspace: Path) -> Iterator[Finding]:
    """Verify every checkpoint in every backup."""
    inspector, count = Inspector(), 0
    for tree in find_trees(workspace):
        for backup in list_backups(CheckpointStore(tree.root, "any")):
            count += 1
            inside = Tree(backup.path, backup.path.name)
            remedy = f"delete this backup, the others are not concerned: {backup.path}"
            findings = [
                finding
                for store in inside.stores
                for path in store.paths()
                for finding in _check_checkpoint(path, store, inspector, "backups", remedy)
            ]
            broken = [finding for finding in findings if finding.grade is not Grade.SUCCESS]
            yield from broken
            if not broken:
                yield success("backups", f"{backup.path.name}: {len(findings)} checkpoint(s), all intact")
    if not count:
        yield warning("backups", "there is no backup yet: nothing has been replaced so far")


def check_metadata(workspace: Path) -> Iterator[Finding]:
    """Compare ``training_metadata.json`` with the manifests that it is derived from."""
    for tree in find_trees(workspace):
        path = tree.root / naming.METADATA_NAME
        manifests = [entry.manifest for store in tree.stores for entry in store.entries() if entry.manifest]
        try:
            metadata = read_metadata(path)
        except CheckpointError as fault:
            yield issue("metadata", f"{path}: {fault_text(fault)}", _DERIVED)
            continue
        if metadata is not None:
            best = CheckpointStore(tree.root, metadata.scenario).best()
            yield judge_metadata(tree.label, metadata, manifests, best)
        elif manifests:
            yield warning("metadata", f"{tree.label}: {naming.METADATA_NAME} is missing", "the next save writes it")
        else:
            yield warning("metadata", f"{tree.label}: no metadata yet: nothing was saved", f"run: {RUN}")


def judge_metadata(
    label: str, metadata: TrainingMetadata, manifests: list[Manifest], best: BestModel | None
) -> Finding:
    """Decide whether metadata agree with the manifests of the same tree."""
    own = [manifest for manifest in manifests if manifest.scenario == metadata.scenario]
    newest = max(own, key=lambda manifest: manifest.steps, default=None)
    if newest is None:
        text = f"{label}: names scenario '{metadata.scenario}', of which there is no readable checkpoint"
        return issue("metadata", text, _DERIVED)
    if metadata == TrainingMetadata.of(newest, best):
        return success("metadata", f"{label}: agrees with {newest.steps} steps, best model included")
    if metadata.steps < newest.steps or metadata == TrainingMetadata.of(newest, metadata.best):
        text = f"{label}: one save behind the checkpoints (a process was killed between the two writes)"
        return warning("metadata", text, "nothing: the next save writes it anew")
    expected = TrainingMetadata.of(newest, best).model_dump(mode="json")
    odd = [name for name, value in metadata.model_dump(mode="json").items() if value != expected[name]]
    text = f"{label}: contradicts the manifest of the newest checkpoint ({newest.steps} steps) in {', '.join(odd)}"
    return issue("metadata", text, _DERIVED)
