"""The code that travels: which files of this project a session runs, and the one digest that names them."""

from __future__ import annotations

import re
from pathlib import Path

from validation_ch7.errors import ConfigurationError
from validation_ch7.files import sha256_file, storage_errors
from validation_ch7.remote.kernel_template import code_digest_of

PACKAGE = "validation_ch7"
TOP_LEVEL = ("validation_kaggle_manager.py", "verify_checkpoint_system.py")

_SUFFIXES = frozenset({".py", ".yml", ".yaml", ".toml", ".json", ".html", ".j2", ".typed"})
_SECRET = re.compile(
    r"kaggle\.json|credentials.*|access_token.*|\.env.*|\.netrc|id_(rsa|dsa|ecdsa|ed25519).*|.*\.(pem|key|p12|pfx|token)",
    re.IGNORECASE,
)


def looks_secret(name: str) -> bool:
    """Return whether a file of this name may hold credentials.

    >>> looks_secret("kaggle.json"), looks_secret("section.yml")
    (True, False)
    """
    return _SECRET.fullmatch(name) is not None and name not in ("credentials.py",)


def code_files(code_root: Path) -> dict[str, Path]:
    """Return the source files below ``code_root`` by their POSIX names, without data, caches and secrets.

    Raises:
        ConfigurationError: there is no package ``validation_ch7``.
    """
    package = code_root / PACKAGE
    if not (package / "__init__.py").is_file():
        raise ConfigurationError(
            "The code of the project cannot be found.",
            where=code_root,
            expected=f"a folder that holds the package {PACKAGE}",
            remedy="run from a checkout or an installation of the project",
        )
    found = [*sorted(package.rglob("*")), *(code_root / name for name in TOP_LEVEL)]
    return {path.relative_to(code_root).as_posix(): path for path in found if _travels(path, code_root)}


def _travels(path: Path, code_root: Path) -> bool:
    parts = path.relative_to(code_root).parts
    unwanted = any(part == "__pycache__" or part.startswith(".") for part in parts) or "data" in parts[:-1]
    return path.suffix in _SUFFIXES and not unwanted and not looks_secret(path.name) and path.is_file()


def code_digest(code_root: Path) -> str:
    """Return the digest of the code below ``code_root``: of the names and contents of all its files.

    Raises:
        ConfigurationError: there is no package ``validation_ch7``.
        StorageError: a file cannot be read.
    """
    with storage_errors(code_root):
        files = code_files(code_root)
        return code_digest_of({f"code/{name}": {"sha256": sha256_file(path)} for name, path in files.items()})
