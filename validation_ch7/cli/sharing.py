"""The commands ``export`` and ``import``: what they are called and what they take."""

from __future__ import annotations

import click

from validation_ch7.cli.leaf import SETTINGS, examples
from validation_ch7.cli.paths import NameType
from validation_ch7.cli.selection import Selection, selects_store

_PLACES = """
\b
A place is a folder, file://..., s3://bucket/folder, gs://bucket/folder (extra
[cloud]). Credentials and endpoint are found where the service's own tools
find them: AWS_ACCESS_KEY_ID, AWS_ENDPOINT_URL, ...
"""
_HUB = """
\b
hf://owner/name/folder is a folder on the Hugging Face Hub (extra [hub]), a
place like the others. hf://owner/name is a whole model repository: export
publishes the best model there, import brings one. Repositories are created
private; the token is HF_TOKEN.
"""


@click.command(
    "export",
    short_help="Send a store to another place.",
    context_settings=SETTINGS,
    epilog=examples(
        ("export s3://my-bucket/runs", "to Amazon, or what speaks like it"),
        ('export "D:/usb stick/runs"', "into a folder"),
        ("export hf://my-name/traffic-lights/runs", "the store, to the Hub"),
        ("export hf://my-name/traffic-lights", "only its best model, for others"),
        ("export runs/copy --store models", "any store of learn_resumable"),
    )
    + _PLACES
    + _HUB,
)
@click.argument("target", metavar="TARGET", type=NameType())
@click.option("--check", is_flag=True, help="Read back what was there already, too; replace what is damaged.")
@click.option("--public", is_flag=True, help="With hf://: create a repository that everybody can read.")
@selects_store
def export_command(selection: Selection, target: str, check: bool, public: bool) -> int:
    """Send the store to another place; what lies there already is not sent again."""
    from validation_ch7.cli.sharing_view import publish, send
    from validation_ch7.sharing.hub import is_repository

    if is_repository(target):
        return publish(selection, target, public=public)
    return send(selection, target, check=check, public=public)


@click.command(
    "import",
    short_help="Bring a store back, verified.",
    context_settings=SETTINGS,
    epilog=examples(
        ("import s3://my-bucket/runs", "into the training tree"),
        ("import runs/copy --workspace new", "of a workspace that need not exist"),
        ("import runs/copy --store models", "into any folder, which need not exist"),
        ("import hf://my-name/traffic-lights/runs", "a store on the Hub"),
        ("import hf://my-name/traffic-lights --store models", "a model of the Hub"),
    )
    + _PLACES
    + _HUB,
)
@click.argument("source", metavar="SOURCE", type=NameType())
@click.option("--index", "version", metavar="DIGEST", help="An earlier state of it, as export has named it.")
@selects_store
def import_command(selection: Selection, source: str, version: str | None) -> int:
    """Bring a store from another place; it is verified, compared, and what is here is backed up first."""
    from validation_ch7.cli.sharing_view import bring, fetch
    from validation_ch7.sharing.hub import is_repository

    if is_repository(source):
        return fetch(selection, source)
    return bring(selection, source, version)
