"""Credentials: whether they are there, and that they are nowhere where they would be given away.

No value is ever shown: a finding names a file, and what kind of secret it seems to hold.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from validation_ch7.remote.code import looks_secret
from validation_ch7.remote.credentials import REMEDY, find_credentials
from validation_ch7.verification.finding import Finding, issue, success, warning

_MAX_TEXT = 1 << 20
_OWN_NAMES = re.compile(r"kaggle\.json|access_token(\.txt)?", re.IGNORECASE)
_SKIPPED = frozenset({".git", ".venv", "venv", "node_modules", "site-packages", "__pycache__", ".mypy_cache"})
_KINDS = {
    "an API key": re.compile(rb'"username"\s*:\s*"[^"]+"\s*,\s*"key"\s*:\s*"[0-9a-f]{32}"'),
    "a key variable": re.compile(rb"KAGGLE_KEY['\"]?\s*[=:]\s*['\"]?[0-9a-f]{32}"),
    "an API token": re.compile(rb"KGAT_[0-9a-zA-Z]{24,}"),
    "a private key": re.compile(rb"-----BEGIN [A-Z ]*PRIVATE KEY-----\s"),
}
_REVOKE = "revoke it at https://www.kaggle.com/settings"


@dataclass(frozen=True)
class Seen:
    """A file of the project, and what git thinks of it."""

    path: Path
    state: str
    """``tracked by git``, ``not ignored by git``, ``ignored by git``, or ``in the project folder``."""


def check_credentials(environ: Mapping[str, str]) -> Iterator[Finding]:
    """Say where credentials were found, never what they are."""
    place = find_credentials(environ)
    if place is None:
        yield warning("credentials", "none were found: Kaggle cannot be used, local sessions can", REMEDY)
        return
    yield success("credentials", f"found ({place.kind}) in {place.shown}")
    path = Path(place.where)
    if os.name != "nt" and path.is_file() and path.stat().st_mode & 0o077:
        yield warning("credentials", f"other users of this machine can read {place.shown}", f"chmod 600 {place.shown}")


def check_repository(root: Path, workspace: Path) -> Iterator[Finding]:
    """Look for credentials among the files of the project and of the workspace."""
    seen = _project_files(root) + ([] if workspace == root else _workspace_files(workspace))
    findings = [finding for item in seen if (finding := _judge(item)) is not None]
    findings += [
        issue("repository", f"{name} was committed in the past and is still in the history of git", _REVOKE)
        for name in _once_committed(root)
    ]
    yield from findings
    if not findings:
        yield success("repository", f"no credentials among {len(seen)} file(s) of the project")


def _judge(item: Seen) -> Finding | None:
    own = _OWN_NAMES.fullmatch(item.path.name) is not None
    if item.state == "ignored by git" and not own:
        return None
    kind = "credentials, by its name" if own or looks_secret(item.path.name) else secret_kind(item.path)
    if kind is None:
        return None
    remedy = "move it out of the project, to ~/.kaggle/"
    if item.state == "tracked by git":
        remedy = f"{_REVOKE}, then: git rm --cached <file>"
    return issue("repository", f"{item.path} ({item.state}) seems to hold {kind}", remedy)


def secret_kind(path: Path) -> str | None:
    """Return what kind of secret the text of a file seems to hold, or None."""
    try:
        if path.stat().st_size > _MAX_TEXT:
            return None
        data = path.read_bytes()
    except OSError:
        return None
    if b"\0" in data[:1024]:
        return None
    return next((kind for kind, pattern in _KINDS.items() if pattern.search(data)), None)


def _project_files(root: Path) -> list[Seen]:
    tracked = _git_files(root, "--cached")
    if tracked is None:
        return [Seen(path, "in the project folder") for path in _walk(root)]
    loose = _git_files(root, "--others", "--exclude-standard") or []
    ignored = _git_files(root, "--others", "--ignored", "--exclude-standard") or []
    states = (("tracked by git", tracked), ("not ignored by git", loose), ("ignored by git", ignored))
    return [Seen(path, state) for state, paths in states for path in paths if _wanted(path.relative_to(root))]


def _git_files(root: Path, *options: str) -> list[Path] | None:
    """Return what git lists below ``root``, or None where ``root`` is no repository or there is no git."""
    found = _git(root, "ls-files", "-z", *options)
    return None if found is None else [root / name for name in found.split("\0") if name]


def _once_committed(root: Path) -> list[str]:
    patterns = [":(icase,glob)**/kaggle.json", ":(icase,glob)**/access_token", ":(icase,glob)**/access_token.txt"]
    found = _git(root, "log", "--all", "--format=", "--name-only", "--diff-filter=A", "--", *patterns) or ""
    present = {path.relative_to(root).as_posix() for path in _git_files(root, "--cached") or []}
    return sorted({line for line in found.splitlines() if line and line not in present})


def _git(root: Path, *arguments: str) -> str | None:
    if not (root / ".git").exists():
        return None
    try:
        child = subprocess.run(["git", "-C", str(root), *arguments], capture_output=True, timeout=60.0, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return child.stdout.decode("utf-8", "replace") if child.returncode == 0 else None


def _workspace_files(workspace: Path) -> list[Seen]:
    """Return the files directly in a workspace and in its two folders; a workspace may be anybody's home."""
    top = [path for path in workspace.iterdir() if path.is_file()] if workspace.is_dir() else []
    inside = [path for name in ("validation_ch7", "validation_output") for path in _walk(workspace / name)]
    return [Seen(path, "in the workspace") for path in (*top, *inside)]


def _walk(root: Path) -> Iterable[Path]:
    for folder, names, files in os.walk(root):
        names[:] = [name for name in names if name not in _SKIPPED]
        yield from (Path(folder, name) for name in files)


def _wanted(name: Path) -> bool:
    return not _SKIPPED.intersection(name.parts[:-1])
