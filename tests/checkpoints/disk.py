"""A disk that fails at the k-th change: the process dies there, or the system refuses."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

Work = Callable[[Path], None]
_CALLS = ("fsync", "replace", "rename", "unlink", "remove", "link", "mkdir", "rmdir")
_WRITES = frozenset("wxa+")
_NEEDS_SPACE = frozenset({"open", "write", "fsync", "mkdir", "link"})
NEVER = -1


class Disk:
    """Counts changes and acts before the one whose turn it is.

    Args:
        at: number of that change, from 1 on.
        act: gets the name of the call.
        only: names of the calls that count; all of them by default.
    """

    def __init__(self, at: int, act: Callable[[str], None], only: frozenset[str] | None = None) -> None:
        self.at, self.count, self._act, self._only = at, 0, act, only

    def step(self, name: str) -> None:
        if self._only is None or name in self._only:
            self.count += 1
            if self.count == self.at:
                self._act(name)

    @contextlib.contextmanager
    def watching(self) -> Iterator[Disk]:
        """Stand between this process and its disk."""
        calls = {name: getattr(os, name) for name in _CALLS}
        opened = io.open
        for name, call in calls.items():
            setattr(os, name, self._wrapped(name, call))
        io.open = self._opening(opened)  # type: ignore[assignment]
        try:
            yield self
        finally:
            io.open = opened
            for name, call in calls.items():
                setattr(os, name, call)

    def _wrapped(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def wrapper(*arguments: Any, **options: Any) -> Any:
            self.step(name)
            return call(*arguments, **options)

        return wrapper

    def _opening(self, opened: Callable[..., Any]) -> Callable[..., Any]:
        def wrapper(file: Any, mode: str = "r", *arguments: Any, **options: Any) -> Any:
            if not _WRITES & set(mode) or isinstance(file, int):
                return opened(file, mode, *arguments, **options)
            self.step("open")
            return _Stream(opened(file, mode, *arguments, **options), self)

        return wrapper


class _Stream:
    """Writes in two halves, and the disk may fail between them."""

    def __init__(self, stream: Any, disk: Disk) -> None:
        self._stream, self._disk = stream, disk

    def write(self, data: Any) -> int:
        half = len(data) // 2
        self._stream.write(data[:half])
        self._stream.flush()
        self._disk.step("write")
        self._stream.write(data[half:])
        self._stream.flush()
        return len(data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def __enter__(self) -> _Stream:
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.close()


def die(_name: str) -> None:
    """End this process at once, as the system does when it kills."""
    os.kill(os.getpid(), signal.SIGKILL)


def full(_name: str) -> None:
    """Refuse a change because the disk is full."""
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def full_disk(at: int) -> Disk:
    """Return a disk that is full at the ``at``-th change that needs space."""
    return Disk(at, full, _NEEDS_SPACE)


def killed_at(at: int, work: Callable[[], None]) -> int:
    """Run ``work`` in a child that dies at a change; return 0 where it ended before."""
    child = os.fork()
    if child == 0:
        status = 1
        with contextlib.suppress(BaseException), Disk(at, die).watching():
            work()
            status = 0
        os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def changes(work: Callable[[], None]) -> int:
    """Return how many changes ``work`` makes, running it here."""
    with Disk(NEVER, die).watching() as disk:
        work()
    return disk.count


def crashes(template: Path, folder: Path, work: Work, every: int = 1) -> Iterator[Path]:
    """Yield the tree that a process left which died before its k-th change, for every k, or one in ``every``."""
    whole = copied(template, folder / "whole")
    count = changes(lambda: work(whole))
    for k in range(1, count + 1, every):
        root = copied(template, folder / str(k))
        assert killed_at(k, lambda root=root: work(root)) == -signal.SIGKILL
        yield root
        shutil.rmtree(root)


def copied(template: Path, root: Path) -> Path:
    """Return ``root``, a copy of ``template``."""
    return Path(shutil.copytree(template, root))
