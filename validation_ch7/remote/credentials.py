"""Where the Kaggle credentials are, found out without reading more than needed and without any network.

The order is that of the official client. No value ever leaves this file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

REMEDY = (
    "create a token at https://www.kaggle.com/settings (API), then save it as ~/.kaggle/access_token "
    "or set KAGGLE_API_TOKEN; or run with --backend local"
)


@dataclass(frozen=True)
class CredentialsPlace:
    """Where credentials were found."""

    kind: str
    """``token``, ``key`` or ``oauth``."""
    where: str
    """A variable's name or a path; never a value."""


def find_credentials(environ: Mapping[str, str]) -> CredentialsPlace | None:
    """Return where the client would find its credentials, or None."""
    home = Path(environ.get("HOME") or environ.get("USERPROFILE") or Path.home())
    return _token(environ, home) or _key(environ, home) or _oauth(home)


def _token(environ: Mapping[str, str], home: Path) -> CredentialsPlace | None:
    if environ.get("KAGGLE_API_TOKEN"):
        return CredentialsPlace("token", "KAGGLE_API_TOKEN")
    for name in ("access_token", "access_token.txt"):
        if _filled(home / ".kaggle" / name):
            return CredentialsPlace("token", str(home / ".kaggle" / name))
    return None


def _key(environ: Mapping[str, str], home: Path) -> CredentialsPlace | None:
    if environ.get("KAGGLE_USERNAME") and environ.get("KAGGLE_KEY"):
        return CredentialsPlace("key", "KAGGLE_USERNAME and KAGGLE_KEY")
    xdg = Path(environ.get("XDG_CONFIG_HOME") or home / ".config")
    chosen = environ.get("KAGGLE_CONFIG_DIR")
    folders = [Path(chosen)] if chosen else [home / ".kaggle", xdg / "kaggle"]
    for folder in folders:
        if _filled(folder / "kaggle.json"):
            return CredentialsPlace("key", str(folder / "kaggle.json"))
    return None


def _oauth(home: Path) -> CredentialsPlace | None:
    path = home / ".kaggle" / "credentials.json"
    return CredentialsPlace("oauth", str(path)) if _filled(path) else None


def _filled(path: Path) -> bool:
    try:
        return path.is_file() and path.stat().st_size > 0
    except OSError:
        return False
