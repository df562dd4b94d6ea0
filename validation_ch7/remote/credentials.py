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
    """One of the places where the client looks for credentials."""

    kind: str
    """``token``, ``key`` or ``oauth``."""
    where: str
    """A variable's name or a path; never a value."""
    shown: str
    """The same, the home folder as ``~``."""
    filled: bool
    """Whether something is there."""
    fault: str = ""
    """What is wrong with what is there; never a value."""


def find_credentials(environ: Mapping[str, str]) -> CredentialsPlace | None:
    """Return where the client would find its credentials, or None."""
    return next((place for place in credential_places(environ) if place.filled), None)


def credential_places(environ: Mapping[str, str]) -> list[CredentialsPlace]:
    """Return every place where the client looks, in its order."""
    home = Path(environ.get("HOME") or environ.get("USERPROFILE") or Path.home())
    xdg = Path(environ.get("XDG_CONFIG_HOME") or home / ".config")
    chosen = environ.get("KAGGLE_CONFIG_DIR")
    folders = [Path(chosen)] if chosen else [home / ".kaggle", xdg / "kaggle"]
    token = CredentialsPlace("token", "KAGGLE_API_TOKEN", "KAGGLE_API_TOKEN", bool(environ.get("KAGGLE_API_TOKEN")))
    files = [("token", home / ".kaggle" / name) for name in ("access_token", "access_token.txt")]
    keys = [("key", folder / "kaggle.json") for folder in folders]
    oauth = [("oauth", home / ".kaggle" / "credentials.json")]
    return [
        token,
        *(_file(kind, path, home) for kind, path in files),
        _pair(environ),
        *(_file(kind, path, home) for kind, path in (*keys, *oauth)),
    ]


def _pair(environ: Mapping[str, str]) -> CredentialsPlace:
    name, key = bool(environ.get("KAGGLE_USERNAME")), bool(environ.get("KAGGLE_KEY"))
    fault = "" if name == key else f"only {'KAGGLE_USERNAME' if name else 'KAGGLE_KEY'} is set"
    both = "KAGGLE_USERNAME and KAGGLE_KEY"
    return CredentialsPlace("key", both, both, name and key, fault)


def _file(kind: str, path: Path, home: Path) -> CredentialsPlace:
    shown = f"~/{path.relative_to(home).as_posix()}" if path.is_relative_to(home) else str(path)
    return CredentialsPlace(kind, str(path), shown, _filled(path))


def _filled(path: Path) -> bool:
    try:
        return path.is_file() and path.stat().st_size > 0
    except OSError:
        return False
