"""A folder of checkpoints under one prefix, with its best model and metadata.

The disk is the truth: a store is opened by reading manifests, and every change goes through the commit
protocol of :mod:`validation_ch7.files`. The order of effects is always the same: chunks, the zip that names
them, metadata; only then is anything deleted, zips before the chunks that no zip names any more.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from validation_ch7.checkpoints import naming
from validation_ch7.checkpoints.archive import Archive, corrupt, read_archive, read_manifest, write_archive
from validation_ch7.checkpoints.lock import exclusive
from validation_ch7.checkpoints.manifest import Manifest
from validation_ch7.checkpoints.metadata import BestModel, TrainingMetadata, read_metadata
from validation_ch7.checkpoints.replay import verify_chunks
from validation_ch7.checkpoints.retention import Decision, Entry, Retention
from validation_ch7.errors import CheckpointError, CheckpointForeignError, ConfigurationError
from validation_ch7.files import (
    commit_bytes,
    commit_file,
    fsync_directory,
    json_bytes,
    list_folder,
    make_folder,
    storage_errors,
    sweep_partials,
)
from validation_ch7.notebook import html_table
from validation_ch7.session import write_document

PIN_SUFFIX = ".pin"


@dataclass(frozen=True)
class StoredCheckpoint:
    """One checkpoint file of a store; its manifest is None where it cannot be read."""

    path: Path
    steps: int
    manifest: Manifest | None
    fault: str | None = None
    foreign: bool = False
    """Whether it is a zip of plain Stable-Baselines3, which has no manifest and names no chunk."""

    @property
    def digest(self) -> str | None:
        """Its identity; None where there is no manifest."""
        return self.manifest.digest if self.manifest else None


class CheckpointStore:
    """A folder of checkpoints under one prefix.

    Args:
        root: holds ``checkpoints/``, ``best_model/``, ``backups/`` and ``training_metadata.json``.
        prefix: the scenario; it begins the name of every checkpoint file.

    Raises:
        ConfigurationError: the prefix cannot name files.
    """

    def __init__(self, root: str | Path, prefix: str) -> None:
        self.root = Path(root)
        self.prefix = naming.valid_prefix(prefix)
        self.folder = self.root / naming.CHECKPOINTS
        self.chunks = self.folder / naming.REPLAY
        self.best_path = self.root / naming.BEST / naming.BEST_NAME
        self.metadata_path = self.root / naming.METADATA_NAME
        self.backups = self.root / naming.BACKUPS
        self._manifests: dict[Path, tuple[int, Manifest]] = {}

    def __repr__(self) -> str:
        return f"CheckpointStore({str(self.root)!r}, prefix={self.prefix!r})"

    def _repr_html_(self) -> str:
        rows = []
        for entry in self.entries():
            found = entry.manifest
            facts = (found.exactness, found.metrics.get("mean_reward"), found.session_id) if found else (entry.fault,)
            rows.append((entry.steps, *facts))
        return html_table(f"Checkpoints of {self.prefix}", ("steps", "exactness", "reward", "session"), rows)

    @contextlib.contextmanager
    def exclusive(self, purpose: str) -> Iterator[None]:
        """Hold the store for this process and sweep what a dead writer left.

        Raises:
            WorkspaceLockedError: another process holds it.
            StorageError: the folder cannot be written.
            ConfigurationError: a store whose prefix differs in case only lies there.
        """
        self.refuse_other_case()
        with exclusive(self.root, purpose):
            for folder in (self.folder, self.chunks, self.best_path.parent):
                make_folder(folder)
            quarantine = self.folder / naming.QUARANTINE
            sweep_partials((self.root, self.folder, self.chunks, self.best_path.parent, quarantine, self.backups))
            self.collect_chunks()
            yield

    def refuse_other_case(self) -> None:
        """Refuse to share a folder with a prefix that many file systems take for the same.

        Raises:
            ConfigurationError: such a store lies there.
        """
        if (other := naming.other_case([path.name for path in list_folder(self.folder)], self.prefix)) is not None:
            raise ConfigurationError(
                "A store lies there whose prefix differs only in case.",
                where=self.folder,
                expected=other,
                found=self.prefix,
                remedy="write the prefix as it is there, or choose another folder",
            )

    def paths(self) -> list[Path]:
        """Return the checkpoint files of this prefix, most steps first."""
        found = {}
        for path in list_folder(self.folder):
            if (steps := naming.checkpoint_steps(path.name, self.prefix)) is not None:
                found[path] = steps
        return sorted(found, key=lambda path: found[path], reverse=True)

    def newest_steps(self) -> int | None:
        """Return the steps of the newest checkpoint, or None where there is none."""
        return next((naming.checkpoint_steps(path.name, self.prefix) for path in self.paths()), None)

    def path(self, steps: int) -> Path:
        """Return where the checkpoint at ``steps`` lies, or would lie."""
        return self.folder / naming.checkpoint_name(self.prefix, steps)

    def entries(self) -> list[StoredCheckpoint]:
        """Return every checkpoint, most steps first; manifests are read, contents are not verified."""
        return [self._entry(path) for path in self.paths()]

    def _entry(self, path: Path) -> StoredCheckpoint:
        steps = naming.checkpoint_steps(path.name, self.prefix) or 0
        try:
            return StoredCheckpoint(path, steps, self._manifest(path))
        except CheckpointError as fault:
            foreign = isinstance(fault, CheckpointForeignError)
            return StoredCheckpoint(path, steps, None, str(fault.found or fault.what), foreign)

    def _manifest(self, path: Path) -> Manifest:
        try:
            stamp = path.stat().st_mtime_ns
        except OSError:
            return read_manifest(path)
        known = self._manifests.get(path)
        if known is None or known[0] != stamp:
            known = (stamp, read_manifest(path))
            self._manifests[path] = known
        return known[1]

    def read(self, path: Path) -> Archive:
        """Return the checkpoint at ``path`` with its members verified; chunks are verified when loaded.

        Raises:
            CheckpointError: it is corrupt, foreign or too new, or another one under this name.
        """
        archive = read_archive(path)
        if path.parent == self.folder:
            check_name(path, archive.manifest)
        return archive

    def verify(self, path: Path) -> Manifest:
        """Check every byte of a checkpoint and of its chunks.

        Raises:
            CheckpointError: something is missing, altered, foreign or too new.
        """
        manifest = self.read(path).manifest
        if manifest.replay is not None:
            verify_chunks(self.chunks, manifest.replay)
        return manifest

    def commit(
        self, manifest: Manifest, members: Mapping[str, bytes], retention: Retention, parent: str | None
    ) -> Path:
        """Make a checkpoint durable whose chunks are durable already, then let retention delete what it may.

        Raises:
            StorageError: the disk refused; the previous checkpoint is intact.
        """
        path = self.path(manifest.steps)
        commit_file(path, lambda stream: write_archive(stream, manifest, members))
        self._manifests[path] = (path.stat().st_mtime_ns, manifest)
        self.write_metadata(manifest)
        self.prune(retention, parent, newest=path)
        return path

    def write_metadata(self, manifest: Manifest) -> None:
        """Describe the newest checkpoint in ``training_metadata.json``."""
        write_document(self.metadata_path, TrainingMetadata.of(manifest, self.best()))

    def metadata(self) -> TrainingMetadata | None:
        """Return what ``training_metadata.json`` says, or None where there is none.

        Raises:
            CheckpointCorruptError: it is malformed.
        """
        return read_metadata(self.metadata_path)

    def best(self) -> BestModel | None:
        """Return what is known of the best model, or None where there is none or it cannot be read."""
        try:
            return BestModel.of(read_manifest(self.best_path)) if self.best_path.is_file() else None
        except CheckpointError:
            return None

    def commit_best(self, manifest: Manifest, members: Mapping[str, bytes]) -> None:
        """Replace the best model, whole or not at all."""
        make_folder(self.best_path.parent)
        commit_file(self.best_path, lambda stream: write_archive(stream, manifest, members))

    def plan_retention(self, retention: Retention, parent: str | None = None) -> list[Decision]:
        """Return what retention would keep and delete, and why; changes nothing."""
        return retention.decide([self._retained(entry) for entry in self.entries()], parent)

    def _retained(self, entry: StoredCheckpoint) -> Entry:
        manifest = entry.manifest
        pinned = entry.path.with_name(entry.path.name + PIN_SUFFIX).exists()
        if manifest is None:
            return Entry(entry.path.name, entry.steps, pinned=True)  # unreadable: a person decides, not a policy
        reward = manifest.metrics.get("mean_reward")
        size, chunks = manifest.member_bytes, manifest.chunk_bytes
        return Entry(entry.path.name, entry.steps, manifest.digest, size, chunks, reward, pinned)

    def prune(self, retention: Retention, parent: str | None = None, newest: Path | None = None) -> list[Decision]:
        """Delete what no policy keeps, then the chunks that nothing names any more; ``newest`` stays in any case."""
        decisions = self.plan_retention(retention, parent)
        doomed = [self.folder / decision.entry.name for decision in decisions if not decision.keep]
        doomed = [path for path in doomed if path != newest]
        self._delete(doomed, self.folder)
        if doomed:
            self.collect_chunks()
        return decisions

    def collect_chunks(self) -> list[Path]:
        """Delete the chunks that no readable checkpoint names; none while a checkpoint cannot be read."""
        entries = [entry for entry in self._all_entries() if not entry.foreign]
        if not self.chunks.is_dir() or any(entry.manifest is None for entry in entries):
            return []
        named = {digest for entry in entries if entry.manifest for digest in entry.manifest.chunk_digests}
        orphans = [path for path in naming.chunk_files(self.chunks) if naming.chunk_digest(path.name) not in named]
        self._delete(orphans, self.chunks)
        return orphans

    def _all_entries(self) -> list[StoredCheckpoint]:
        # Chunks are shared by every prefix in the folder.
        return [self._entry(path) for path in list_folder(self.folder) if naming.checkpoint_prefix(path.name)]

    def _delete(self, paths: list[Path], folder: Path) -> None:
        for path in paths:
            with storage_errors(path):
                path.unlink(missing_ok=True)
            self._manifests.pop(path, None)
        if paths:
            with storage_errors(folder):
                fsync_directory(folder)

    def quarantine(self, path: Path, reason: str) -> Path:
        """Move a checkpoint that failed its verification aside, with the reason beside it."""
        folder = make_folder(self.folder / naming.QUARANTINE)
        target = _free_name(folder / path.name)
        commit_bytes(target.with_name(target.name + ".reason.txt"), (reason + "\n").encode("utf-8"))
        with storage_errors(path):
            path.rename(target)
            fsync_directory(self.folder)
        self._manifests.pop(path, None)
        return target

    def pin(self, path: Path, pinned: bool = True) -> None:
        """Protect a checkpoint from retention, or release it."""
        marker = path.with_name(path.name + PIN_SUFFIX)
        if pinned:
            commit_bytes(marker, json_bytes({"pinned": path.name}))
        else:
            with storage_errors(marker):
                marker.unlink(missing_ok=True)

    def forget(self) -> None:
        """Read every manifest anew the next time, after files were changed behind the store's back."""
        self._manifests.clear()

    def find(self, wanted: Callable[[StoredCheckpoint], bool]) -> StoredCheckpoint | None:
        """Return the newest checkpoint that fits."""
        return next((entry for entry in self.entries() if wanted(entry)), None)


def check_name(path: Path, manifest: Manifest) -> None:
    """Refuse a file of a store that holds another checkpoint than its name states.

    Raises:
        CheckpointCorruptError: it does.
    """
    expected = naming.checkpoint_name(manifest.scenario, manifest.steps)
    if naming.checkpoint_prefix(path.name) is not None and path.name != expected:
        raise corrupt(path, f"the content of {expected}", "the checkpoint that the name states")


def _free_name(path: Path) -> Path:
    candidate, number = path, 1
    while candidate.exists():
        candidate = path.with_name(f"{path.stem}.{number}{path.suffix}")
        number += 1
    return candidate
