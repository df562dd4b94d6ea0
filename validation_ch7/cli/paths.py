"""Folders and files as flags name them: never by an empty text, which a shell makes of a variable that is not set."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from validation_ch7.errors import ConfigurationError


class PathType(click.Path):
    """A path; an empty one would mean the current folder, and is wrong usage.

    >>> PathType().convert("my work", None, None).name
    'my work'
    """

    def __init__(self, *, file_okay: bool = True, dir_okay: bool = True) -> None:
        super().__init__(file_okay=file_okay, dir_okay=dir_okay, path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the path; fail where nothing is named."""
        if not str(value).strip():
            self.fail("the path is empty; is a variable of the shell not set?", param, ctx)
        return super().convert(value, param, ctx)


class NameType(click.types.StringParamType):
    """A name, or a path where one is taken: a run, a checkpoint, a place; never empty."""

    name = "text"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the name; fail where nothing is named."""
        if not str(value).strip():
            self.fail("the path is empty, or the name; is a variable of the shell not set?", param, ctx)
        return str(value)


def existing_folder(folder: Path, flag: str, remedy: str) -> Path:
    """Return the folder that a flag names, resolved.

    Raises:
        ConfigurationError: it does not exist.
    """
    path = folder.expanduser()
    if not path.is_dir():
        found = "a file" if path.exists() else "nothing"
        raise ConfigurationError(
            "There is no such folder.", where=f"{flag} {folder}", expected="a folder", found=found, remedy=remedy
        )
    return path.resolve()
