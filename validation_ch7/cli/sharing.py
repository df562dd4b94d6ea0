"""The commands ``export`` and ``import``: what they are called and what they take."""

from __future__ import annotations

import click

from validation_ch7.cli.selection import Selection, selects_store

SETTINGS = {"help_option_names": ["-h", "--help"], "max_content_width": 100}
_PLACES = """
\b
A place is a folder, file://..., s3://bucket/folder or gs://bucket/folder (extra [cloud]). Credentials and
endpoint are found where the service's own tools find them: AWS_ACCESS_KEY_ID, AWS_ENDPOINT_URL, ...
"""


@click.command("export", context_settings=SETTINGS, epilog=_PLACES)
@click.argument("target", metavar="TARGET")
@click.option("--check", is_flag=True, help="Read back what was there already, too; replace what is damaged.")
@selects_store
def export_command(selection: Selection, target: str, check: bool) -> int:
    """Send the store to another place; what lies there already is not sent again."""
    from validation_ch7.cli.sharing_view import send

    return send(selection, target, check=check)


@click.command("import", context_settings=SETTINGS, epilog=_PLACES)
@click.argument("source", metavar="SOURCE")
@click.option("--index", "version", metavar="DIGEST", help="An earlier state of it, as export has named it.")
@selects_store
def import_command(selection: Selection, source: str, version: str | None) -> int:
    """Bring a store from another place; it is verified, compared, and what is here is backed up first."""
    from validation_ch7.cli.sharing_view import bring

    return bring(selection, source, version)
