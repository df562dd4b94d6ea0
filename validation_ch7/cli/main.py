"""The one command: ``validation-ch7``, or ``python -m validation_ch7``.

The modules of the commands import nothing heavy at their top, so that ``--help`` does not wait for torch.
"""

from __future__ import annotations

import click

from validation_ch7 import __version__
from validation_ch7.cli.attach import attach
from validation_ch7.cli.checkpoints import checkpoints
from validation_ch7.cli.compare import compare
from validation_ch7.cli.completion import completion
from validation_ch7.cli.dashboard import dashboard
from validation_ch7.cli.doctor import doctor
from validation_ch7.cli.kaggle import kaggle
from validation_ch7.cli.leaf import SETTINGS, Answering, examples
from validation_ch7.cli.notify import notify
from validation_ch7.cli.paths import NameType
from validation_ch7.cli.run_section import run_section
from validation_ch7.cli.selection import Selection, selects_chain
from validation_ch7.cli.sharing import export_command, import_command
from validation_ch7.cli.study import study
from validation_ch7.cli.traffic import traffic

SECTIONS = {
    "Train": ("run", "attach", "status", "abandon", "study"),
    "Look": ("dashboard", "compare", "checkpoints", "traffic"),
    "Keep and share": ("export", "import", "notify"),
    "This machine": ("doctor", "kaggle", "completion"),
}
"""The order of the commands in the help: as one comes to need them."""
_EPILOG = (
    examples(
        ("run --quick", "a session; again: it goes on"),
        ("status", "where it stands, what next"),
        ("dashboard", "all of it, for a browser"),
        ("checkpoints list", "which is used, which is not"),
        ("checkpoints export-sb3 best out", "the model for plain SB3"),
        ("doctor", "what is missing"),
    )
    + """
\b
Exit codes: 0 done; 1 a fault of this program; 2 usage or configuration;
3 backend, credentials or workspace; 4 session failed; 5 checkpoint
incompatible or none usable; 6 quota or capacity; 75 interrupted, run again;
130 Ctrl-C. Every command lists its flags with --help, and takes --json.
"""
)


class Sectioned(Answering, click.Group):
    """A group whose help lists the commands under headings, in the order of :data:`SECTIONS`."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the commands, those of no section last."""
        names = [name for section in SECTIONS.values() for name in section if name in self.commands]
        return [*names, *sorted(set(self.commands) - set(names))]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands under their headings."""
        names = self.list_commands(ctx)
        placed = {name for section in SECTIONS.values() for name in section}
        wide = max(map(len, names))
        for title, section in {**SECTIONS, "Further": tuple(set(names) - placed)}.items():
            rows = [
                (name.ljust(wide), self.commands[name].get_short_help_str(formatter.width - wide - 6))
                for name in names
                if name in section
            ]
            if rows:
                with formatter.section(title):
                    formatter.write_dl(rows)


@click.group(cls=Sectioned, context_settings=SETTINGS, epilog=_EPILOG)
@click.version_option(__version__, prog_name="validation-ch7")
def main() -> None:
    """Train in bounded, unreliable sessions that end where one uninterrupted run would have ended."""


@main.command(
    short_help="Where the training stands, and what comes next.",
    context_settings=SETTINGS,
    epilog=examples(
        ("status", "of the training here"),
        ("status --sessions 3 --json", "the last three sessions, as JSON"),
        ("status --workspace elsewhere", "of the training in another folder"),
    ),
)
@click.option("--sessions", type=click.IntRange(min=0), default=10, show_default=True, help="Sessions to show.")
@selects_chain
def status(selection: Selection, sessions: int) -> int:
    """Say where the training stands: sessions, steps, rewards, and the next command."""
    from validation_ch7.cli.status_view import show_status

    return show_status(selection, sessions)


@main.command(
    context_settings=SETTINGS,
    epilog=examples(
        ("abandon 20260101-120000-ab12cd", "what it would mean"),
        ("abandon 20260101-120000-ab12cd --yes", "does it"),
    ),
)
@click.argument("session", type=NameType())
@click.option("--yes", is_flag=True, help="Do it; without, only say what it means.")
@selects_chain
def abandon(selection: Selection, session: str, yes: bool) -> int:
    """Give up a SESSION that was left unfinished and cannot be reached any more."""
    from validation_ch7.cli.abandon import abandon_session

    return abandon_session(selection, session, yes)


main.add_command(run_section, "run")
main.add_command(attach)
main.add_command(doctor)
main.add_command(completion)
main.add_command(checkpoints)
main.add_command(traffic)
main.add_command(study)
main.add_command(kaggle)
main.add_command(notify)
main.add_command(dashboard)
main.add_command(compare)
main.add_command(export_command)
main.add_command(import_command)
