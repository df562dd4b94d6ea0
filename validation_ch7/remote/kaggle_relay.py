"""Two kernels that take turns: each reads the other's output, so a checkpoint need not be uploaded.

A session of such a chain is a version of one of the two. What it resumes from lies in the output of the other
one, as long as that output is the other's newest: only that is mounted. Whatever is missing or in doubt makes the
session carry its checkpoint as all others do; nothing here can make a session start from less than it should.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from validation_ch7.errors import SessionFailedError
from validation_ch7.remote.kaggle_kernels import KaggleKernels
from validation_ch7.remote.kaggle_sessions import KaggleSession, KaggleSessions, Step
from validation_ch7.remote.retry import ServiceFault
from validation_ch7.remote.slug import session_slug
from validation_ch7.session import OUTPUT_MANIFEST_NAME, OutputFile, read_output_manifest

MARK = "relay"
"""Word in the names of all such kernels."""
_BASE = 30
_TURNS = ("a", "b")


class KernelRelay:
    """Says which of the two kernels is next, and whether the other one holds what is needed.

    Args:
        results: the folder below which the results of sessions were downloaded.
    """

    def __init__(self, sessions: KaggleSessions, kernels: KaggleKernels, results: Path) -> None:
        self._sessions = sessions
        self._kernels = kernels
        self._results = results

    def holder(self, chain: str, files: Mapping[str, OutputFile]) -> str:
        """Return the kernel whose newest output holds all of ``files``, or nothing where there is none.

        An output that a session has read before is not relied on again: that session may have failed over it.
        """
        wanted = {(file.bytes, file.sha256) for file in files.values()}
        chained = self._of(chain) if wanted else []
        read = {(session.parent_kernel, session.parent_version) for session in chained}
        for session in chained:
            fresh = session.step is Step.PUSHED and (session.kernel, session.kernel_version) not in read
            if fresh and wanted <= self._left(session) and self._is_newest(session):
                return session.kernel
        return ""

    def newest_version(self, kernel: str) -> int:
        """Return the newest version of a kernel that was pushed from here, 0 where there is none."""
        return max((s.kernel_version or 0 for s in self._sessions.all() if s.kernel == kernel), default=0)

    def next_kernel(self, chain: str, session_id: str, holder: str) -> tuple[str, str]:
        """Return the kernel of the next session, and what the names of the two have in common."""
        pair = next((session.pair for session in self._of(chain)), None)
        pair = pair or session_slug(f"{chain[:_BASE]} {MARK}", session_id)
        first, second = (f"{pair}-{turn}" for turn in _TURNS)
        return (second if holder == first else first), pair

    def find(self, session_id: str) -> tuple[str, int] | None:
        """Return kernel and version of a session that another machine submitted, while it is the newest."""
        for kernel in self._kernels.own_kernels(MARK):
            found = self._kernels.kernel(kernel.slug) if f"-{MARK}-" in kernel.slug else None
            if found is not None and repr(session_id) in found.source:
                return found.slug, found.version
        return None

    def _of(self, chain: str) -> list[KaggleSession]:
        owner = self._kernels.client.owner
        found = [session for session in self._sessions.all() if session.pair]
        return [session for session in reversed(found) if (session.chain, session.owner) == (chain, owner)]

    def _left(self, session: KaggleSession) -> set[tuple[int, str]]:
        """Return size and digest of everything that the session left, by its own manifest."""
        left = set()
        for path in (self._results / session.ref().results_name).glob(f"*/{OUTPUT_MANIFEST_NAME}"):
            try:
                manifest = read_output_manifest(path.parent)
            except SessionFailedError:
                continue
            if manifest is not None and manifest.session_id == session.session_id:
                left |= {(file.bytes, file.sha256) for file in manifest.files.values()}
        return left

    def _is_newest(self, session: KaggleSession) -> bool:
        try:
            found = self._kernels.kernel(session.kernel)
        except ServiceFault:
            return False
        return found is not None and found.version == session.kernel_version
