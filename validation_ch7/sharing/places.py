"""From what a person types to the place that is meant."""

from __future__ import annotations

import re
import urllib.parse
import urllib.request
from pathlib import Path

from validation_ch7.errors import ConfigurationError
from validation_ch7.sharing.cloud import Cloud
from validation_ch7.sharing.folder import Folder
from validation_ch7.sharing.hub_folder import HubFolder
from validation_ch7.sharing.place import Place

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://")  # two letters or more: C:\ is a drive


def scheme_of(address: str) -> str:
    r"""Return the scheme of an address; ``file`` for a path.

    >>> scheme_of("S3://bucket"), scheme_of("C:\\runs"), scheme_of("runs/a")
    ('s3', 'file', 'file')
    """
    match = _SCHEME.match(address)
    return match[1].lower() if match else "file"


def open_place(address: str, *, public: bool = False) -> Place:
    """Return the place at ``address``: a path, ``file://``, a folder on the Hub, or what fsspec knows.

    Args:
        public: whether everybody can read a repository of the Hub that has to be created.

    Raises:
        ConfigurationError: the address is empty, or a library is missing for it.
        BackendError: the place cannot be opened.
    """
    if not address.strip() or "\0" in address:
        raise ConfigurationError(
            "The place has no address.", where="TARGET or SOURCE", expected="a folder, s3://bucket/folder, gs://…"
        )
    if scheme_of(address) == "hf":
        return HubFolder(address, public=public)
    if scheme_of(address) != "file":
        return Cloud(address)
    if _SCHEME.match(address):
        path = urllib.request.url2pathname(urllib.parse.urlsplit(address).path)
        return Folder(Path(path).resolve())
    return Folder(Path(address).expanduser().resolve())
