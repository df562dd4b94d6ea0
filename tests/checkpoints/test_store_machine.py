"""Any sequence of saves, crashes, damages, backups and restores, compared with a dictionary."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.checkpoints.disk import killed_at
from tests.checkpoints.little import LittleRun, chunks_named, chunks_present, store_at
from validation_ch7.checkpoints import find_latest_checkpoint
from validation_ch7.checkpoints.backup import back_up, list_backups, restore_backup, rewind
from validation_ch7.checkpoints.naming import chunk_digest, chunk_files
from validation_ch7.checkpoints.store import StoredCheckpoint
from validation_ch7.errors import CheckpointError

_MEMORY = Path("/dev/shm")


class StoreMachine(RuleBasedStateMachine):
    """The model: which steps are intact in the store, and in each backup."""

    def __init__(self) -> None:
        super().__init__()
        self.root = Path(tempfile.mkdtemp(dir=_MEMORY if _MEMORY.is_dir() else None))
        self.intact: dict[int, bool] = {}
        self.saved: dict[str, dict[int, bool]] = {}

    def teardown(self) -> None:
        shutil.rmtree(self.root)

    @initialize()
    def begin(self) -> None:
        self.save(3)

    @rule(steps=st.integers(1, 9))
    def save(self, steps: int) -> None:
        """Go on from the newest intact checkpoint, after moving broken ones aside as a resume does."""
        store = store_at(self.root)
        with store.exclusive("test"):
            self._settle()
            run = LittleRun(store, resume=bool(self.intact))
            run.save(steps)
        kept = sorted([*self.intact, run.steps], reverse=True)[:2]
        self.intact = dict.fromkeys(kept, True)

    def _settle(self) -> None:
        store = store_at(self.root)
        for path in store.paths():
            try:
                store.verify(path)
            except CheckpointError as fault:
                store.quarantine(path, str(fault))
        self.intact = {steps: True for steps, whole in self.intact.items() if whole}

    @rule(steps=st.integers(1, 9), at=st.integers(1, 40))
    def crash(self, steps: int, at: int) -> None:
        """Die somewhere in a save: the new checkpoint is there or it is not, the others stay until it is."""
        before = dict(self.intact)
        if killed_at(at, lambda: self.save(steps)) == 0:
            self.save(steps)
            return
        found = self._readable()
        expected = {step for step, whole in before.items() if whole}
        assert not expected or max(found) >= max(expected)
        self.intact = {step: step in found for step in self._steps()}

    def _steps(self) -> list[int]:
        return [entry.steps for entry in store_at(self.root).entries()]

    def _readable(self, root: Path | None = None) -> set[int]:
        found, store = set(), store_at(root or self.root)
        for path in store.paths():
            with contextlib.suppress(CheckpointError):
                found.add(store.verify(path).steps)
        return found

    @precondition(lambda self: sum(self.intact.values()) > 1)
    @rule(byte=st.integers(0, 10_000), flip=st.integers(1, 255))
    def corrupt(self, byte: int, flip: int) -> None:
        """Alter one byte of the newest file; nearly every one matters, and those that do not are harmless."""
        path = store_at(self.root).paths()[0]
        data = bytearray(path.read_bytes())
        data[byte % len(data)] ^= flip
        path.write_bytes(bytes(data))
        steps = max(self.intact)
        self.intact[steps] = self.intact[steps] and steps in self._readable()

    @precondition(lambda self: sum(self.intact.values()) > 1)
    @rule(data=st.data(), byte=st.integers(0, 10_000), flip=st.integers(1, 255))
    def corrupt_chunk(self, data: st.DataObject, byte: int, flip: int) -> None:
        """Alter one byte of a chunk of the store, not of the same chunk in a backup: whoever names it is damaged."""
        path = data.draw(st.sampled_from(chunk_files(store_at(self.root).chunks)))
        damaged = bytearray(path.read_bytes())
        damaged[byte % len(damaged)] ^= flip
        path.unlink()
        path.write_bytes(bytes(damaged))
        named = {entry.steps for entry in store_at(self.root).entries() if names(entry, path)}
        self.intact = {steps: whole and steps not in named for steps, whole in self.intact.items()}
        assert self._readable() == self._whole()

    def _whole(self) -> set[int]:
        return {steps for steps, whole in self.intact.items() if whole}

    @rule()
    def rotate_nothing(self) -> None:
        """Open and close the store: sweeping never removes anything that is needed."""
        with store_at(self.root).exclusive("test"):
            pass

    @rule()
    def back_up(self) -> None:
        made = back_up(store_at(self.root), "test", keep=3)
        assert (made is not None) == bool(self.intact)  # a crash after all were quarantined leaves nothing to back up
        if made is not None:
            self.saved[made.path.name] = dict(self.intact)
            self._forget_rotated()

    @precondition(lambda self: self.saved)
    @rule(data=st.data())
    def restore(self, data: st.DataObject) -> None:
        """Put a backup back: what was whole in it is whole now, whatever was damaged in the store."""
        name = data.draw(st.sampled_from(sorted(self.saved)))
        known = {backup.path.name for backup in list_backups(store_at(self.root))}
        content = self.saved[name]
        restore_backup(store_at(self.root), name)
        new = {backup.path.name for backup in list_backups(store_at(self.root))} - known
        self.saved |= {item: dict(self.intact) for item in new}
        found = self._readable()
        assert {steps for steps, whole in content.items() if whole} <= found
        self.intact = {steps: steps in found for steps in content}
        self._forget_rotated()

    @precondition(lambda self: len(self.intact) > 1)
    @rule()
    def rewind(self) -> None:
        made = rewind(store_at(self.root), min(self.intact))
        assert made is not None
        self.saved[made.path.name] = dict(self.intact)
        self.intact = {min(self.intact): self.intact[min(self.intact)]}
        self._forget_rotated()

    def _forget_rotated(self) -> None:
        there = {backup.path.name for backup in list_backups(store_at(self.root))}
        self.saved = {name: content for name, content in self.saved.items() if name in there}

    @invariant()
    def newest_intact_is_found(self) -> None:
        found = find_latest_checkpoint(store_at(self.root))
        expected = max((steps for steps, whole in self.intact.items() if whole), default=None)
        assert (found and store_at(self.root).verify(found).steps) == expected

    @invariant()
    def backups_are_whole(self) -> None:
        for backup in list_backups(store_at(self.root)):
            whole = {steps for steps, intact in self.saved[backup.path.name].items() if intact}
            assert self._readable(backup.path) == whole

    @invariant()
    def needed_chunks_are_there(self) -> None:
        store = store_at(self.root)
        if store.chunks.is_dir():
            assert chunks_named(store) <= chunks_present(store)


def names(entry: StoredCheckpoint, chunk: Path) -> bool:
    """Return whether a checkpoint needs this chunk."""
    return entry.manifest is not None and chunk_digest(chunk.name) in entry.manifest.chunk_digests


TestStoreMachine = StoreMachine.TestCase
TestStoreMachine.settings = settings(
    max_examples=25, stateful_step_count=12, deadline=None, suppress_health_check=list(HealthCheck)
)
