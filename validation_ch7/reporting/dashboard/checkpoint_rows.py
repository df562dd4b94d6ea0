"""The checkpoints of a store as rows: judged, compared with the present configuration, with their ancestors."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from validation_ch7.checkpoints.compatibility import CompatibilityReport
from validation_ch7.checkpoints.inventory import Item, Kind, Standing, inspect, mark_next, quarantined
from validation_ch7.checkpoints.manifest import Manifest
from validation_ch7.checkpoints.store import CheckpointStore
from validation_ch7.errors import ConfigurationError
from validation_ch7.reporting.dashboard.view import CheckpointRow, Tone

SHORT = 12
Judge = Callable[[Manifest], CompatibilityReport]
Judged = Callable[[Manifest], CompatibilityReport | None]
_TONES = {
    Standing.INTACT: Tone.GOOD,
    Standing.UNREAD: Tone.PAUSED,
    Standing.WEIGHTS: Tone.PAUSED,
    Standing.NEWER: Tone.BAD,
    Standing.DAMAGED: Tone.BAD,
    Standing.MISFIT: Tone.BAD,
    Standing.ASIDE: Tone.PAUSED,
}
_WORDS = {Standing.INTACT: "ok", Standing.ASIDE: "quarantined"}


class Inspector:
    """Inspects the files of a store; a file that has not changed since is not read again.

    Args:
        verify: whether every byte is read; else manifests only.
    """

    def __init__(self, store: CheckpointStore, *, verify: bool) -> None:
        self._store, self._verify = store, verify
        self._known: dict[Path, tuple[tuple[int, int], Item]] = {}

    def items(self) -> list[Item]:
        """Return every checkpoint, most steps first, then the best model and the quarantined ones."""
        store = self._store
        checkpoints = [self._inspect(path, store.prefix) for path in store.paths()]
        best = [self._inspect(store.best_path, None)] if store.best_path.is_file() else []
        return [*mark_next(checkpoints), *(replace(item, kind=Kind.BEST) for item in best), *quarantined(store)]

    def _inspect(self, path: Path, prefix: str | None) -> Item:
        stamp = _stamp(path)
        known = self._known.get(path)
        if known is None or known[0] != stamp:
            known = (stamp, inspect(path, self._store.chunks, prefix, verify=self._verify))
            self._known[path] = known
        return known[1]


def _stamp(path: Path) -> tuple[int, int]:
    try:
        found = path.stat()
    except OSError:
        return (0, 0)
    return found.st_mtime_ns, found.st_size


class Judgement:
    """Compares checkpoints with the present configuration, each set of facts once: a model is built for that."""

    def __init__(self, judge: Judge) -> None:
        self._judge = judge
        self._known: dict[str, CompatibilityReport | None] = {}
        self.faults: tuple[str, ...] = ()
        """Why something could not be compared."""

    def __call__(self, manifest: Manifest) -> CompatibilityReport | None:
        """Return the comparison for one checkpoint, or None where no model can be built to compare with."""
        facts = manifest.compatibility.model_dump_json()
        if facts not in self._known:
            try:
                self._known[facts] = self._judge(manifest)
            except ConfigurationError as fault:
                self._known[facts] = None
                self.faults += (f"The configuration was not compared: {fault.what} {fault.found or ''}".strip(),)
        return self._known[facts]


def checkpoint_rows(items: Sequence[Item], judge: Judged | None) -> tuple[CheckpointRow, ...]:
    """Return one row for each file.

    Args:
        judge: compares with the present configuration; None compares nothing.
    """
    uses = _chunk_uses(items)
    steps = {item.manifest.digest: item.manifest.steps for item in items if item.manifest}
    return tuple(_row(item, uses, steps, judge) for item in items)


def unshared_bytes(items: Iterable[Item]) -> int:
    """Return what the checkpoints would take if each had its own copy of its chunks."""
    return sum(item.bytes for item in items)


def _row(item: Item, uses: Counter[str], steps: dict[str, int], judge: Judged | None) -> CheckpointRow:
    manifest = item.manifest
    outcome = judge(manifest) if judge and manifest and item.kind is Kind.CHECKPOINT else None
    parent = (manifest.parent or "") if manifest else ""
    return CheckpointRow(
        kind=item.kind.value,
        name=item.path.name,
        steps=item.steps,
        bytes=item.bytes,
        own_bytes=_own_bytes(item, uses),
        created=manifest.created if manifest else "",
        exactness=str(manifest.exactness) if manifest else "",
        lost="; ".join(manifest.lost) if manifest else "",
        reward=item.reward,
        train_reward=item.train_reward,
        session_id=manifest.session_id if manifest else "",
        digest=manifest.digest[:SHORT] if manifest else "",
        parent=parent[:SHORT],
        parent_steps=steps.get(parent),
        verified=_WORDS.get(item.standing, str(item.standing)),
        tone=Tone.BAD if outcome is not None and not outcome.compatible else _TONES[item.standing],
        marks=_marks(item),
        reason=item.reason,
        fit=_fit(outcome),
        differences=() if outcome is None else tuple(str(item) for item in outcome.differences),
    )


def _marks(item: Item) -> tuple[str, ...]:
    marks = {"next": item.next, "best": item.kind is Kind.BEST, "pinned": item.pinned}
    return tuple(mark for mark, given in marks.items() if given)


def _fit(outcome: CompatibilityReport | None) -> str:
    if outcome is None:
        return ""
    if not outcome.compatible:
        return "incompatible"
    return f"compatible, {len(outcome.warnings)} difference(s)" if outcome.warnings else "compatible"


def _chunk_uses(items: Iterable[Item]) -> Counter[str]:
    return Counter(digest for item in items if item.manifest for digest in item.manifest.chunk_digests)


def _own_bytes(item: Item, uses: Counter[str]) -> int:
    replay = item.manifest.replay if item.manifest else None
    shared = sum(chunk.bytes for chunk in replay.chunks if uses[chunk.sha256] > 1) if replay else 0
    return item.bytes - shared
