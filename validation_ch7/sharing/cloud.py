"""Object storage through fsspec: S3 and what speaks like it, Google Cloud Storage, and whatever else fsspec knows.

One PUT makes an object appear whole, so nothing is written under a temporary name here.
"""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Iterator
from typing import Any

from validation_ch7.errors import BackendError, ConfigurationError, CredentialsError, ValidationError
from validation_ch7.extras import install_command, load_extra
from validation_ch7.masking import masked_text, without_login
from validation_ch7.sharing.place import Place, missing

EXTRA = "cloud"
_BLOCK = 1 << 20
_CONNECT_S, _READ_S, _ATTEMPTS = 10, 60, 3
_OPTIONS: dict[str, dict[str, Any]] = {
    "s3": {
        "config_kwargs": {
            "connect_timeout": _CONNECT_S,
            "read_timeout": _READ_S,
            "retries": {"max_attempts": _ATTEMPTS, "mode": "standard"},
        }
    }
}
_VENDORS = frozenset(
    {"aiobotocore", "aiohttp", "botocore", "fsspec", "gcsfs", "google", "requests", "s3fs", "ssl", "urllib3"}
)
_NO_CREDENTIALS = ("NoCredentials", "PartialCredentials", "CredentialRetrieval", "TokenRetrieval", "DefaultCredentials")


class Cloud(Place):
    """A place behind an address such as ``s3://bucket/folder``.

    Args:
        address: what fsspec opens; shown without user name, password and query.

    Raises:
        ConfigurationError: a library is missing, or nobody knows such addresses.
        BackendError: the place cannot be opened.
    """

    def __init__(self, address: str) -> None:
        self.shown = without_login(address).rstrip("/")
        fsspec = load_extra("fsspec.core", EXTRA, "for storage in the cloud")
        scheme = address.partition("://")[0].lower()
        options = {"use_listings_cache": False, "skip_instance_cache": True, **_OPTIONS.get(scheme, {})}
        with self._translated():
            try:
                self._files, root = fsspec.url_to_fs(address, **options)
            except (ImportError, ValueError) as fault:
                raise _unknown(scheme, fault) from None
        self._root: str = root.rstrip("/")

    def sizes(self, folder: str) -> dict[str, int]:
        """Return the files below ``folder`` with their sizes."""
        with self._translated():
            try:
                found = self._files.find(self._path(folder), detail=True)
            except FileNotFoundError:
                return {}
            return {self._name(path): int(entry["size"]) for path, entry in found.items()}

    def create(self, name: str, data: bytes) -> None:
        """Write an object that is named by its content; one that is there already is as good."""
        with self._translated():
            try:
                self._files.pipe_file(self._path(name), data, mode="create")
            except NotImplementedError:  # a server without conditional writes
                self._files.pipe_file(self._path(name), data)
            except Exception as fault:  # a lost race has many names; what is there is verified afterwards
                if not lost_race(fault):
                    raise

    def replace(self, name: str, data: bytes) -> None:
        """Write an object, or put it in place of the one that is there."""
        with self._translated():
            self._files.pipe_file(self._path(name), data)

    def blocks(self, name: str) -> Iterator[bytes]:
        """Return the content of an object, block by block."""
        with self._translated():
            try:
                with self._files.open(self._path(name), "rb", block_size=_BLOCK, cache_type="readahead") as stream:
                    while block := stream.read(_BLOCK):
                        yield block
            except FileNotFoundError:
                raise missing(self.shown, name) from None

    def _path(self, name: str) -> str:
        return f"{self._root}/{name}" if name else self._root

    def _name(self, path: str) -> str:
        return path.removeprefix("/").removeprefix(self._root.removeprefix("/")).lstrip("/")

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except ValidationError:
            raise
        except Exception as fault:
            known = translate(fault, self.shown)
            if known is None:
                raise
            raise known from None


def lost_race(fault: BaseException) -> bool:
    """Return whether a creation failed because somebody else was faster.

    >>> lost_race(FileExistsError()), lost_race(OSError(errno.EINVAL, "412")), lost_race(PermissionError())
    (True, True, False)
    """
    code = getattr(fault, "response", {}).get("ResponseMetadata", {}).get("HTTPStatusCode")
    invalid = isinstance(fault, OSError) and fault.errno == errno.EINVAL
    return isinstance(fault, FileExistsError) or invalid or code in (409, 412)


def _refused_by_google(fault: Exception) -> bool:
    """Return whether gcsfs reports a refusal: as an error with a code, or as a plain one that begins with a word."""
    return getattr(fault, "code", None) in (401, 403) or (type(fault) is OSError and str(fault).startswith("Forbidden"))


def translate(fault: Exception, where: str) -> ValidationError | None:
    """Return the error of this package for one of a storage library, or None where it is no fault of a storage."""
    name, found = type(fault).__name__, masked_text(f"{type(fault).__name__}: {fault}")
    if isinstance(fault, PermissionError) or name.startswith(_NO_CREDENTIALS) or _refused_by_google(fault):
        return CredentialsError(
            "The storage does not accept the credentials, or there are none.",
            where=where,
            found=found,
            remedy="set them as the service's own tools expect them, for S3 with AWS_ACCESS_KEY_ID and "
            "AWS_SECRET_ACCESS_KEY, for Google with GOOGLE_APPLICATION_CREDENTIALS; check that the bucket exists and "
            "is yours",
        )
    if isinstance(fault, FileNotFoundError):
        return BackendError(
            "There is no such place in the storage.",
            where=where,
            found=found,
            remedy="create the bucket first, or correct its name",
        )
    if isinstance(fault, OSError) or type(fault).__module__.split(".")[0] in _VENDORS:
        return BackendError(
            "The storage cannot be used.",
            where=where,
            found=found,
            remedy="check the address and the network, for S3 also AWS_ENDPOINT_URL; then run the same command "
            "again: what has arrived is not sent twice",
        )
    return None


def _unknown(scheme: str, fault: Exception) -> ConfigurationError:
    absent = isinstance(fault, ImportError)
    return ConfigurationError(
        "A library is missing that is needed for this storage." if absent else "No storage has such addresses.",
        where=f"{scheme}://",
        expected=f"the extra [{EXTRA}]" if absent else "a folder, s3://…, gs://… or hf://…",
        found=masked_text(str(fault)),
        remedy=f"install it with: {install_command(EXTRA)}" if absent else None,
    )
