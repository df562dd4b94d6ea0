"""The newest checkpoint that passes its verification."""

from __future__ import annotations

from pathlib import Path

from validation_ch7.checkpoints import naming
from validation_ch7.checkpoints.store import CheckpointStore
from validation_ch7.errors import CheckpointError
from validation_ch7.files import list_folder


def find_latest_checkpoint(store: CheckpointStore | str | Path, prefix: str | None = None) -> Path | None:
    """Return the newest checkpoint of which every byte is as it was written, or None.

    Args:
        store: a store, the root of one, or its ``checkpoints`` folder.
        prefix: the scenario; needed where ``store`` is a path that holds several.
    """
    if not isinstance(store, CheckpointStore):
        folder = Path(store)
        root = folder.parent if folder.name == naming.CHECKPOINTS else folder
        found = (naming.checkpoint_prefix(path.name) for path in list_folder(root / naming.CHECKPOINTS))
        known = prefix or next((name for name in found if name), None)
        if known is None:
            return None
        store = CheckpointStore(root, known)
    return next((path for path in store.paths() if _intact(store, path)), None)


def _intact(store: CheckpointStore, path: Path) -> bool:
    try:
        store.verify(path)
    except CheckpointError:
        return False
    return True
