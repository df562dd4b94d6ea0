"""Optional libraries, imported when they are needed, with one clear word where they are missing."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType

from validation_ch7.errors import ConfigurationError


def load_extra(module: str, extra: str, purpose: str) -> ModuleType:
    """Return the optional library ``module``.

    Args:
        extra: the extra of this package that brings it.
        purpose: what it is needed for, as a phrase.

    Raises:
        ConfigurationError: it is not installed; says how to install it.
    """
    try:
        return importlib.import_module(module)
    except ImportError as fault:
        raise ConfigurationError(
            f"A library is missing that is needed {purpose}.",
            where=f"extra [{extra}]",
            expected=module,
            found=str(fault),
            remedy=f"install it with: {install_command(extra)}",
        ) from None


def install_command(extra: str) -> str:
    """Return the command that installs an optional part: from this checkout, or the installed package's."""
    if (Path(__file__).resolve().parents[1] / "pyproject.toml").is_file():
        return f'python -m pip install -c constraints.txt -e ".[{extra}]"'
    return f'python -m pip install "validation-ch7[{extra}]"'
