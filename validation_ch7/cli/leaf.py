"""What all commands have in common: examples in their help, and an answer in JSON where that was asked for."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import click

from validation_ch7.cli.outcome import print_refusal

SETTINGS = {"help_option_names": ["-h", "--help"], "max_content_width": 100}
PROGRAM = "validation-ch7"
_WIDEST = 78
_AS_JSON = "validation_ch7.as_json"


def examples(*pairs: tuple[str, str]) -> str:
    r"""Return the part of a help text that shows commands, each with its purpose; beneath it where both are long.

    >>> print(examples(("status", "where it stands"), ("status --json", "the same")).replace("\b", "(as it is)"))
    <BLANKLINE>
    (as it is)
    Examples:
      validation-ch7 status         where it stands
      validation-ch7 status --json  the same
    <BLANKLINE>
    """
    commands = [f"  {PROGRAM} {words}".rstrip() for words, _ in pairs]
    wide = max(map(len, commands))
    beside = wide + 2 + max(len(purpose) for _, purpose in pairs) <= _WIDEST
    lines = []
    for command, (_, purpose) in zip(commands, pairs, strict=True):
        gap = " " * (wide + 2 - len(command)) if beside else "\n      "
        lines.append(command + gap + purpose)
    return "\n".join(["", "\b", "Examples:", *lines, ""])


class Answering(click.Command):
    """A command, or a group of them, that answers wrong usage with one JSON object, too, where JSON was asked for."""

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        """Parse the flags, and say on standard output what is wrong with them."""
        as_json = parent is None and "--json" in args
        with _answered(as_json):
            context = super().make_context(info_name, args, parent, **extra)
        context.meta.setdefault(_AS_JSON, as_json)
        return context

    def invoke(self, ctx: click.Context) -> Any:
        """Do it; the flags of a command below this one are parsed here."""
        with _answered(ctx.parent is None and ctx.meta[_AS_JSON]):
            return super().invoke(ctx)


@contextlib.contextmanager
def _answered(as_json: bool) -> Iterator[None]:
    try:
        yield
    except click.UsageError as fault:
        if as_json:
            print_refusal(fault.format_message(), fault.exit_code)
        raise
