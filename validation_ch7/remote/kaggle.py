"""Sessions on Kaggle: a private dataset version carries the bundle, a private kernel of its own runs it.

Each session has a kernel of its own, whose name ends in a digest of the session's id. So a session can be found
from any machine, a push cannot be mistaken for another one, and no status of an older version can pass for it.
"""

from __future__ import annotations

import os
import random
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from validation_ch7.remote.backend import FetchReport, SessionRef, SessionRequest, SessionState, SessionStatus
from validation_ch7.remote.download import Downloader
from validation_ch7.remote.kaggle_client import KaggleClient, log_pieces
from validation_ch7.remote.kaggle_datasets import READY_PATIENCE, DatasetState, KaggleDatasets
from validation_ch7.remote.kaggle_kernels import GpuQuota, KaggleKernels, KernelPush
from validation_ch7.remote.kaggle_log import LogFollower, split_lines
from validation_ch7.remote.kaggle_push import push_once, pushed_version, quota_error
from validation_ch7.remote.kaggle_quota import keep_quota
from validation_ch7.remote.kaggle_relay import KernelRelay
from validation_ch7.remote.kaggle_results import fetch_results
from validation_ch7.remote.kaggle_sessions import KaggleSession, KaggleSessions, Step, leavings
from validation_ch7.remote.progress import OnProgress
from validation_ch7.remote.retry import Patience, Retrier, ServiceFault
from validation_ch7.remote.slug import MAX_SLUG, session_slug, slugify
from validation_ch7.remote.transport import Timeouts
from validation_ch7.session import OutputFile

_STATES = {
    "QUEUED": SessionState.QUEUED,
    "NEW_SCRIPT": SessionState.QUEUED,
    "RUNNING": SessionState.RUNNING,
    "CANCEL_REQUESTED": SessionState.RUNNING,
    "COMPLETE": SessionState.COMPLETE,
    "ERROR": SessionState.ERROR,
    "CANCEL_ACKNOWLEDGED": SessionState.CANCELLED,
}
_STATUS_PATIENCE = Patience(tries=2)


@dataclass(frozen=True)
class KaggleOptions:
    """What may be chosen about sessions on Kaggle."""

    internet: bool = False
    """The bundle carries everything, so sessions need none."""
    machine_shape: str | None = "NvidiaTeslaT4"
    streams: int = 4
    """Files that are downloaded at the same time."""
    timeouts: Timeouts = field(default_factory=Timeouts)
    patience: Patience = field(default_factory=Patience)
    ready: Patience = READY_PATIENCE
    """How long a dataset may take to become ready."""
    on_progress: OnProgress | None = None
    """Told how far downloads and uploads are; must be quick."""


class KaggleBackend:
    """Runs sessions as private Kaggle kernels.

    Args:
        workspace: the folder under which intents are written, before each remote step.
        environ: where credentials are, and ``VALIDATION_KAGGLE_ENDPOINT`` for another server.
        options: what may be chosen.
        sleep: waits so long between tries [s].
        rng: source of the jitter.
    """

    name = "kaggle"

    def __init__(
        self,
        workspace: Path,
        *,
        environ: Mapping[str, str] | None = None,
        options: KaggleOptions | None = None,
        sleep: Callable[[float], None] = time.sleep,
        rng: random.Random | None = None,
    ) -> None:
        self.options = options or KaggleOptions()
        self._retrier = Retrier(self.options.patience, sleep, rng or random.Random())
        client = KaggleClient(os.environ if environ is None else environ, self.options.timeouts, self._retrier)
        self._client = client
        self._kernels = KaggleKernels(client)
        self._datasets = KaggleDatasets(client, self.options.ready, self.options.on_progress)
        self._output = workspace.resolve() / "validation_output"
        self._sessions = KaggleSessions(self._output / "kaggle_sessions")
        self._relay = KernelRelay(self._sessions, self._kernels, self._output / "results")
        self._followers: dict[str, LogFollower] = {}
        self._last: dict[str, SessionState] = {}
        self._final_logs: dict[str, list[str]] = {}
        self._woken = threading.Event()

    def submit(self, request: SessionRequest) -> SessionRef:
        """Start the session once; submitting a known ``session_id`` again returns the first one's reference.

        Raises:
            QuotaError: the week's GPU hours are used up.
            CapacityError: too many sessions run.
            CredentialsError: there are no usable credentials.
            BackendError: Kaggle cannot be reached, or rejected the bundle or the push.
        """
        if (known := self.find(request.session_id)) is not None:
            return known
        if request.gpu:
            self._check_quota()
        session = self._publish(self._sessions.write(self._intended(request)), request)
        push, before = self._push(session, request), session.version_before
        version, url = push_once(self._kernels, push, request.session_id, self._retrier, before)
        return self._pushed(session, version, url)

    def find(self, session_id: str) -> SessionRef | None:
        """Return the session that was submitted under this id, from any machine, or None if there is none."""
        session = self._sessions.read(session_id)
        if session is None:
            tail = session_slug("", session_id)
            for kernel in self._kernels.own_kernels(tail):
                if kernel.slug.endswith(f"-{tail}"):
                    slug = f"{self._client.owner}/{kernel.slug}"
                    return SessionRef(self.name, session_id, slug, kernel.version)
            found = self._relay.find(session_id)
            return SessionRef(self.name, session_id, f"{self._client.owner}/{found[0]}", found[1]) if found else None
        if session.step is Step.PUSHED:
            return session.ref()
        if session.step is Step.PUSHING:
            before = session.version_before
            version = pushed_version(self._kernels, session.kernel, session_id, self._retrier, before)
            return None if version is None else self._pushed(session, version, "")
        return None

    def status(self, ref: SessionRef) -> SessionStatus:
        """Return the state of the version that was pushed; a passing fault is ``UNKNOWN``."""
        try:
            name, message = self._kernels.kernel_status(_slug(ref), ref.version, _STATUS_PATIENCE)
        except ServiceFault as fault:
            self._last.setdefault(ref.session_id, SessionState.UNKNOWN)
            return SessionStatus(SessionState.UNKNOWN, f"{fault.kind}: {fault.found}")
        state = _STATES.get(name, SessionState.UNKNOWN)
        if state is SessionState.CANCELLED and "max allowed execution duration" in message:
            state = SessionState.TIMEOUT
        if state is SessionState.QUEUED and self._last.get(ref.session_id) is SessionState.RUNNING:
            return SessionStatus(SessionState.UNKNOWN, "queued after running: an answer without a status reads so")
        self._last[ref.session_id] = state
        follower = self._followers.get(ref.session_id)
        if state is SessionState.RUNNING and follower is not None and follower.ended:
            message = "its log has ended"
        return SessionStatus(state, message if name in _STATES else f"unknown state {name}")

    def logs(self, ref: SessionRef, seen: int) -> list[str]:
        """Return the log lines after the first ``seen``: live while it runs, the kept log afterwards."""
        state = self._last.get(ref.session_id) or self.status(ref).state
        if state.terminal:
            return self._final_log(ref)[seen:]
        if state is SessionState.RUNNING and ref.session_id not in self._followers:
            owner, slug = ref.kernel_slug.split("/")
            self._followers[ref.session_id] = LogFollower(
                lambda: self._client.log_events(owner, slug), self._retrier, self._woken.set
            )
        follower = self._followers.get(ref.session_id)
        return follower.lines()[seen:] if follower else []

    def fetch(self, ref: SessionRef, target: Path) -> FetchReport:
        """Bring the outputs into ``target``; files that are already there with the right digest stay."""
        options = self.options
        downloader = Downloader(self._retrier, options.timeouts, options.streams, options.on_progress)
        return fetch_results(self._kernels, _slug(ref), ref.version, target, downloader)

    def cancel(self, ref: SessionRef) -> None:
        """Do nothing but stop following: Kaggle has no public call that stops a session; its limit does."""
        if follower := self._followers.pop(ref.session_id, None):
            follower.close()

    def woken(self) -> bool:
        """Return whether a followed log has ended since this was last asked: the earliest sign of a session's end."""
        ended = self._woken.is_set()
        self._woken.clear()
        return ended

    def holder(self, title: str, files: Mapping[str, OutputFile]) -> str:
        """Return the kernel whose newest output holds all of ``files``, or nothing where there is none."""
        return self._relay.holder(slugify(title), files)

    def quota(self) -> GpuQuota:
        """Return what is left of the week's GPU hours."""
        return self._kernels.quota()

    def allowance(self) -> str:
        """Return what is left of the week's GPU hours, in words; empty where Kaggle does not tell."""
        try:
            quota = self._kernels.quota(_STATUS_PATIENCE)
        except ServiceFault:
            return ""
        return f"{quota.left_s / 3600:.1f} of {quota.allowed_s / 3600:.0f} GPU hours left this week"

    def account(self) -> str:
        """Return the name of the account, after checking the credentials with the service.

        Raises:
            CredentialsError: they are missing or rejected.
        """
        self._kernels.own_kernels("validation")
        return self._client.owner

    def removable(self, finished: Callable[[str], bool]) -> list[str]:
        """Return what :meth:`clean` would delete, as far as this workspace knows; nothing is asked or deleted."""
        named = [
            line
            for left in leavings(self._sessions.all(), finished)
            for line in (left.kernel and f"kernel {left.kernel}", left.dataset and f"dataset {left.dataset}")
        ]
        return list(dict.fromkeys(filter(None, named)))

    def clean(self, finished: Callable[[str], bool]) -> list[str]:
        """Delete kernels and datasets that this workspace created and whose sessions are ``finished``.

        A dataset goes only with the last session that used it. Returns what was deleted.
        """
        deleted = []
        for left in leavings(self._sessions.all(), finished):
            session = left.session
            if session.owner != self._client.owner:
                continue
            if left.kernel and self._kernels.kernel(session.kernel) is not None:
                self._kernels.delete_kernel(session.kernel)
                deleted.append(f"kernel {left.kernel}")
            if left.dataset and self._datasets.state(session.dataset) is not None:
                self._datasets.delete(session.dataset)
                deleted.append(f"dataset {left.dataset}")
            self._sessions.forget(session.session_id)
        return deleted

    def _check_quota(self) -> None:
        try:
            quota = self._kernels.quota()
        except ServiceFault:
            return  # the push itself is refused where the hours are used up
        keep_quota(self._output, quota.used_s, quota.allowed_s, quota.refresh)
        if quota.left_s <= 0:
            used = f"{quota.used_s / 3600:.2f} of {quota.allowed_s / 3600:.2f} hours used"
            raise quota_error(used, quota)

    def _intended(self, request: SessionRequest) -> KaggleSession:
        """Return the intent to run this session: under which names, and after what."""
        base, pair, kernel = slugify(request.title), "", session_slug(request.title, request.session_id)
        if request.relay:
            kernel, pair = self._relay.next_kernel(base, request.session_id, request.parent_kernel)
        before = self._kernels.kernel(kernel) if pair else None
        return KaggleSession(
            session_id=request.session_id,
            step=Step.UPLOADING,
            owner=self._client.owner,
            kernel=kernel,
            dataset=f"{base[: MAX_SLUG - 7].strip('-')}-{'bundle' if request.carries else 'code'}",
            bundle_sha256=request.bundle_sha256,
            gpu=request.gpu,
            internet=self.options.internet,
            chain=base if pair else "",
            pair=pair,
            parent_kernel=request.parent_kernel,
            parent_version=self._relay.newest_version(request.parent_kernel) if pair else 0,
            version_before=before.version if before else 0,
        )

    def _publish(self, session: KaggleSession, request: SessionRequest) -> KaggleSession:
        """Bring the bundle to Kaggle, unless the very same is there already."""
        title, version = session.dataset.replace("-", " "), self._published(session, request.bundle)
        if version is None:
            version = self._datasets.publish(session.dataset, title, request.bundle, f"session {request.session_id}")
        return self._sessions.write(session.model_copy(update={"step": Step.PUSHING, "dataset_version": version}))

    def _published(self, session: KaggleSession, bundle: Path) -> int | None:
        """Return the version that holds this bundle already, if it is the newest one."""
        wanted = (session.owner, session.dataset, session.bundle_sha256)
        for known in reversed(self._sessions.all()):
            if known.dataset_version and (known.owner, known.dataset, known.bundle_sha256) == wanted:
                held = DatasetState(known.dataset_version, {bundle.name: bundle.stat().st_size})
                return known.dataset_version if self._datasets.state(known.dataset) == held else None
        return None

    def _push(self, session: KaggleSession, request: SessionRequest) -> KernelPush:
        return KernelPush(
            slug=session.kernel,
            title=session.kernel.replace("-", " "),
            text=request.script,
            dataset_sources=(f"{session.owner}/{session.dataset}",),
            limit_s=int(request.limit_s),
            gpu=request.gpu,
            internet=self.options.internet,
            machine_shape=self.options.machine_shape,
            kernel_sources=(f"{session.owner}/{session.parent_kernel}",) if session.parent_kernel else (),
        )

    def _pushed(self, session: KaggleSession, version: int, url: str) -> SessionRef:
        changes = {"step": Step.PUSHED, "kernel_version": version, "url": url}
        return self._sessions.write(session.model_copy(update=changes)).ref()

    def _final_log(self, ref: SessionRef) -> list[str]:
        if ref.session_id not in self._final_logs:
            text = "".join(log_pieces(self._kernels.outputs(_slug(ref), ref.version).log))
            lines = split_lines(text, ended=True)
            follower = self._followers.pop(ref.session_id, None)
            if follower is not None:
                follower.close()
                lines = max(lines, follower.lines(), key=len)
            self._final_logs[ref.session_id] = lines
        return self._final_logs[ref.session_id]


def _slug(ref: SessionRef) -> str:
    return ref.kernel_slug.rsplit("/", 1)[-1]
