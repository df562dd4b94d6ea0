"""Starting one session on Kaggle, once: the intent is written before each remote step, and read before it is repeated.

A push whose answer is lost may have been accepted. So before a push is repeated the service is asked whether the
kernel of this session is there; its name holds a digest of the session's id, and its text holds the id itself.
"""

from __future__ import annotations

import re
from datetime import datetime

from validation_ch7.errors import BackendError, CapacityError, QuotaError, ValidationError
from validation_ch7.remote.kaggle_kernels import GpuQuota, KaggleKernels, KernelPush, PushAnswer
from validation_ch7.remote.retry import Patience, Retrier, ServiceFault

_LOOKS = Patience(tries=5, first_s=2.0, factor=2.0, longest_s=20.0)
"""How often, and how far apart, the service is asked for a kernel that it may not have indexed yet."""


def push_once(
    kernels: KaggleKernels, push: KernelPush, session_id: str, retrier: Retrier, after: int = 0
) -> tuple[int, str]:
    """Save and run the kernel, once, and return version and address.

    Args:
        after: newest version of this kernel before the push, 0 where there was none.

    Raises:
        QuotaError: the week's GPU hours are used up.
        CapacityError: too many sessions run.
        BackendError: the push was rejected, landed elsewhere, or would have run without its bundle.
    """
    for attempt in range(retrier.patience.tries):
        try:
            return _accepted(kernels, push, kernels.save_kernel(push), after)
        except ServiceFault as fault:
            if not fault.maybe_done:
                raise
            if (version := pushed_version(kernels, push.slug, session_id, retrier, after)) is not None:
                return version, ""
            if attempt + 1 >= retrier.patience.tries:
                raise
    raise AssertionError("unreachable")


def pushed_version(kernels: KaggleKernels, slug: str, session_id: str, retrier: Retrier, after: int = 0) -> int | None:
    """Return the version under which the service has this session, or None where it has it not."""
    for attempt in range(_LOOKS.tries):
        found = kernels.kernel(slug)
        if found is not None and found.version > after:
            return found.version if repr(session_id) in found.source else None
        retrier.sleep(_LOOKS.delay(attempt, retrier.rng))
    return None


def _accepted(kernels: KaggleKernels, push: KernelPush, answer: PushAnswer, after: int) -> tuple[int, str]:
    if answer.error:
        raise refusal(answer.error, kernels)
    landed = answer.ref.rsplit("/", 1)[-1]
    if landed.lower() != push.slug:
        raise _rejected("The kernel landed under another name.", push.slug, landed)
    if answer.invalid_sources:
        if not after:  # one with earlier versions stays: its script refuses to run without what it needs
            kernels.delete_kernel(push.slug)
        raise _rejected(
            f"Kaggle dropped a data source of the session{'.' if after else ', so its kernel was removed.'}",
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
    error = _rejected("Kaggle rejected the push.", "an accepted push", text)
    if re.search(r"phone|verif", text, re.IGNORECASE):
        error.remedy = "verify your phone number at https://www.kaggle.com/settings, then run the same command again"
    return error


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
