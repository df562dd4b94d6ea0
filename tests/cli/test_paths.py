"""Paths as flags name them: an empty one, which an unset variable of a shell gives, is never the current folder."""

import json

import click
import pytest
from click.testing import CliRunner

from tests.cli.conftest import call
from validation_ch7.cli.main import main
from validation_ch7.cli.paths import NameType, PathType
from validation_ch7.cli.run_section import run_section
from validation_ch7.cli.verify_system import verify_system

__all__ = ["call"]


def leaves(command, *words):
    """Return the words of every command that does something, with the command."""
    if not isinstance(command, click.Group):
        return [(words, command)]
    return [leaf for name, part in command.commands.items() for leaf in leaves(part, *words, name)]


COMMANDS = [(("run script",), run_section), (("verifier",), verify_system), *leaves(main)]
PATHS = [
    pytest.param(command, item, id=f"{' '.join(words)} {item.opts[0]}")
    for words, command in COMMANDS
    for item in command.params
    if isinstance(item.type, click.Path)
]


def test_every_argument_that_may_be_a_path_is_of_our_types():
    items = [item for _, command in COMMANDS for item in command.params]
    texts = [item for item in items if isinstance(item, click.Argument) and not isinstance(item.type, click.Choice)]
    assert not [item.name for item in texts if not isinstance(item.type, PathType | NameType)]
    assert {type(item.type) for item in items if isinstance(item.type, click.Path)} == {PathType}


@pytest.mark.parametrize(("command", "item"), PATHS)
@pytest.mark.parametrize("empty", ["", "  "])
def test_empty_path_is_wrong_usage(command, item, empty):
    with pytest.raises(click.BadParameter, match="the path is empty"):
        item.type_cast_value(click.Context(command), empty)


@pytest.mark.parametrize(
    "words",
    [
        ("run", "--workspace", ""),
        ("checkpoints", "list", "--store", ""),
        ("status", "--config", ""),
        ("study", "run", "--study", ""),
        ("checkpoints", "export-sb3", "best", ""),
        ("compare", "", ""),
        ("dashboard", "--output", ""),
        ("export", ""),
    ],
)
def test_command_with_an_empty_path_does_nothing(call, tmp_path, monkeypatch, words):
    monkeypatch.chdir(tmp_path)
    refused = call(*words, "--json")
    assert refused.exit_code == 2 and "the path is empty" in json.loads(refused.stdout)["error"]
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("script", [run_section, verify_system], ids=["run", "verify"])
def test_scripts_take_no_empty_path_either(script):
    refused = CliRunner().invoke(script, ["--workspace", ""])
    assert refused.exit_code == 2 and "the path is empty" in refused.stderr
