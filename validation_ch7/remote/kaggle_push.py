"""Starting one session on Kaggle, once: the intent is written before each remote step, and read before it is repeated.

A push whose answer is lost may have been accepted. So before a push is repeated the service is asked whether the
kernel of this session is there; its name holds a digest of the session's id, and its text holds the id itself.
"""

from __future__ import annotations

import re
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Literal

from validation_ch7.errors import BackendError, CapacityError, QuotaError, ValidationError, WorkspaceError
from validation_ch7.files import confined, make_folder
from validation_ch7.remote.kaggle_kernels import GpuQuota, KaggleKernels, KernelPush, PushAnswer
from validation_ch7.remote.retry import Patience, Retrier, ServiceFault
from validation_ch7.schema import Document, load_json, parse_document
from validation_ch7.session import Digest, write_document

_LOOKS = Patience(tries=5, first_s=2.0, factor=2.0, longest_s=20.0)
"""How often, and how far apart, the service is asked for a kernel that it may not have indexed yet."""


class Step(StrEnum):
    """The remote step that was about to be taken."""

    UPLOADING = "uploading"
    PUSHING = "pushing"
    PUSHED = "pushed"


class KaggleSession(Document):
    """What this machine knows of one session on Kaggle."""

    format: Literal["validation-ch7-kaggle-session"] = "validation-ch7-kaggle-session"
    session_id: str
    step: Step
    owner: str
    kernel: str
    dataset: str
    bundle_sha256: Digest
    dataset_version: int | None = None
    kernel_version: int | None = None
    url: str = ""


class KaggleSessions:
    """The documents of this workspace's sessions on Kaggle, by session id."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read(self, session_id: str) -> KaggleSession | None:
        """Return what is known of the session, or None.

        Raises:
            WorkspaceError: its document cannot be read.
        """
        path = confined(self._folder, f"{session_id}.json")
        if not path.is_file():
            return None
        return parse_document(KaggleSession, load_json(path, WorkspaceError), path, WorkspaceError)

    def write(self, session: KaggleSession) -> KaggleSession:
        """Write the document durably and return it."""
        write_document(confined(make_folder(self._folder), f"{session.session_id}.json"), session)
        return session

    def all(self) -> list[KaggleSession]:
        """Return all documents that can be read."""
        names = sorted(path.stem for path in self._folder.glob("[!.]*.json")) if self._folder.is_dir() else []
        return [session for name in names if (session := self.read(name)) is not None]

    def forget(self, session_id: str) -> None:
        """Remove the document, after its remote traces are gone."""
        confined(self._folder, f"{session_id}.json").unlink(missing_ok=True)


def push_once(kernels: KaggleKernels, push: KernelPush, session_id: str, retrier: Retrier) -> tuple[int, str]:
    """Save and run the kernel, once, and return version and address.

    Raises:
        QuotaError: the week's GPU hours are used up.
        CapacityError: too many sessions run.
        BackendError: the push was rejected, landed elsewhere, or would have run without its bundle.
    """
    for attempt in range(retrier.patience.tries):
        try:
            return _accepted(kernels, push, kernels.save_kernel(push))
        except ServiceFault as fault:
            if not fault.maybe_done:
                raise
            if (version := pushed_version(kernels, push.slug, session_id, retrier)) is not None:
                return version, ""
            if attempt + 1 >= retrier.patience.tries:
                raise
    raise AssertionError("unreachable")


def pushed_version(kernels: KaggleKernels, slug: str, session_id: str, retrier: Retrier) -> int | None:
    """Return the version under which the service has this session, or None where it has it not."""
    for attempt in range(_LOOKS.tries):
        found = kernels.kernel(slug)
        if found is not None:
            return found.version if repr(session_id) in found.source else None
        retrier.sleep(_LOOKS.delay(attempt, retrier.rng))
    return None


def _accepted(kernels: KaggleKernels, push: KernelPush, answer: PushAnswer) -> tuple[int, str]:
    if answer.error:
        raise refusal(answer.error, kernels)
    landed = answer.ref.rsplit("/", 1)[-1]
    if landed.lower() != push.slug:
        raise _rejected("The kernel landed under another name.", push.slug, landed)
    if answer.invalid_sources:
        kernels.delete_kernel(push.slug)  # it would run without its bundle
        raise _rejected(
            "Kaggle dropped a data source of the session, so its kernel was removed.",
            ", ".join(push.dataset_sources + push.kernel_sources),
            f"unknown to it: {', '.join(answer.invalid_sources)}",
        )
    if answer.version is None:
        raise _rejected("Kaggle named no version for the push.", "a version number", "none")
    return answer.version, answer.url


def refusal(text: str, kernels: KaggleKernels) -> ValidationError:
    """Return the error that says what a rejected push means, with the time when asking again may help."""
    if re.search(r"quota", text, re.IGNORECASE):
        return quota_error(text, _quota(kernels))
    if re.search(r"session count|maximum .*sessions?", text, re.IGNORECASE):
        return CapacityError(
            "Too many sessions run on Kaggle.",
            where="push of the session",
            found=text,
            remedy="wait until one has ended, then run the same command again; --wait does so by itself",
        )
    return _rejected("Kaggle rejected the push.", "an accepted push", text)


def quota_error(text: str, quota: GpuQuota | None) -> QuotaError:
    """Return the error for used-up GPU hours."""
    refresh: datetime | None = quota.refresh if quota else None
    error = QuotaError(
        "The week's GPU hours on Kaggle are used up.",
        where="GPU quota",
        expected=f"a new week begins at {refresh:%Y-%m-%d %H:%M} UTC" if refresh else None,
        found=text,
        remedy="run the same command again then; --wait does so by itself; --backend local needs no quota",
    )
    error.retry_at = refresh.timestamp() if refresh else None
    return error


def _quota(kernels: KaggleKernels) -> GpuQuota | None:
    try:
        return kernels.quota()
    except ServiceFault:
        return None


def _rejected(what: str, expected: str, found: str) -> BackendError:
    return BackendError(
        what,
        where="push of the session",
        expected=expected,
        found=found,
        remedy="correct what is named above, then run the same command again",
    )
