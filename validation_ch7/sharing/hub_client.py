"""What every use of the Hub's own client shares: the library, its errors, and what the Hub says it holds."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from validation_ch7.errors import BackendError, CredentialsError, ValidationError
from validation_ch7.extras import load_extra
from validation_ch7.masking import masked_text

_EXTRA = "hub"
_REFUSED = ("LocalTokenNotFound", "RepositoryNotFound", "GatedRepo")
_VENDORS = frozenset({"huggingface_hub", "httpx", "httpx2", "httpcore", "requests", "hf_xet", "urllib3"})
_BARE = (OSError, RuntimeError, ValueError)
"""What the client raises without a class of its own, for uploads among others."""


@dataclass(frozen=True)
class Fingerprint:
    """What is remembered of bytes that were sent, in both forms that the Hub tells."""

    size: int
    """[bytes]"""
    sha256: str
    git: str
    """Digest of Git, for files outside the large store."""

    @classmethod
    def of(cls, data: bytes) -> Fingerprint:
        """Return the fingerprint of ``data``."""
        git = hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()
        return cls(len(data), hashlib.sha256(data).hexdigest(), git)

    def matches(self, entry: Any) -> bool:
        """Return whether the Hub's entry of a file is the one of these bytes."""
        if entry.lfs is not None:
            return bool((entry.lfs.size, entry.lfs.sha256) == (self.size, self.sha256))
        return bool((entry.size, entry.blob_id) == (self.size, self.git))


def load_hub(part: str = "") -> Any:
    """Return the Hub's client; it finds the token itself (``HF_TOKEN``, or ``hf auth login``).

    Args:
        part: a module of it instead, which it does not load by itself.

    Raises:
        ConfigurationError: huggingface_hub is not installed.
    """
    return load_extra(f"huggingface_hub.{part}".rstrip("."), _EXTRA, "for hf:// addresses")


def require_held(where: str, sent: Mapping[str, Fingerprint], there: Mapping[str, Any], again: str) -> None:
    """Compare what was sent with the Hub's entries, by size and digest.

    Args:
        again: the command that sends it again.

    Raises:
        BackendError: the Hub holds something else.
    """
    for name, fingerprint in sent.items():
        if name not in there or not fingerprint.matches(there[name]):
            raise BackendError(
                "The Hub holds something else than was sent.",
                where=f"{where}/{name}",
                expected=f"{fingerprint.size} bytes as they were sent",
                found="other content" if name in there else "no such file",
                remedy=f"run {again} again",
            )


@contextlib.contextmanager
def translated(where: str) -> Iterator[None]:
    """Raise the errors of this package for those of the client; only calls of the client belong into the block."""
    try:
        yield
    except ValidationError:
        raise
    except Exception as fault:
        known = _translate(fault, where)
        if known is None:
            raise
        raise known from None


def _translate(fault: Exception, where: str) -> ValidationError | None:
    name, found = type(fault).__name__, masked_text(f"{type(fault).__name__}: {fault}")
    status = getattr(getattr(fault, "response", None), "status_code", None)
    if name.startswith(_REFUSED) or status in (401, 403):
        return CredentialsError(
            "The Hub does not accept the token for this repository, or there is none.",
            where=where,
            found=found,
            remedy="set HF_TOKEN to a token that may use it, and check its name",
        )
    if status in (409, 412):
        return BackendError(
            "The repository has changed meanwhile; nothing was committed.",
            where=where,
            found=found,
            remedy="run the same command again",
        )
    if isinstance(fault, _BARE) or type(fault).__module__.split(".")[0] in _VENDORS:
        if fault.__cause__ is not None:  # an upload that failed says why there
            found += masked_text(f" ({type(fault.__cause__).__name__}: {fault.__cause__})")
        remedy = "check the network, then run the same command again"
        return BackendError("The Hub cannot be used.", where=where, found=found, remedy=remedy)
    return None
