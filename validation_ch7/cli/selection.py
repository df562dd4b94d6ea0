"""Which store a command works on: the training tree of a workspace, or any store of ``learn_resumable``."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from validation_ch7.cli.outcome import default_workspace, exit_code_of
from validation_ch7.cli.paths import PathType, existing_folder
from validation_ch7.errors import ConfigurationError

if TYPE_CHECKING:
    from validation_ch7.checkpoints.retention import Retention
    from validation_ch7.checkpoints.store import CheckpointStore
    from validation_ch7.config import SectionConfig

SECTION = "section_7_6_rl_performance"


@dataclass(frozen=True)
class Selection:
    """What the flags say about the store."""

    workspace: Path | None = None
    scenario: str | None = None
    config_file: Path | None = None
    store: Path | None = None
    prefix: str | None = None
    as_json: bool = False

    @property
    def root(self) -> Path:
        """The workspace.

        Raises:
            ConfigurationError: the folder that was named does not exist.
        """
        if self.workspace is None:
            return default_workspace()
        return existing_folder(self.workspace, "--workspace", "run once with this --workspace, or name another folder")

    def config(self) -> SectionConfig | None:
        """Return the section's configuration, or None for a store that no section owns."""
        return None if self.store is not None else self.config_with(None)

    def config_with(self, algorithm: str | None) -> SectionConfig:
        """Return the section's configuration with another algorithm than the configured one.

        Raises:
            ConfigurationError: it is not configured.
        """
        from validation_ch7.config import Overrides, load_section, section_file

        path = self.config_file or section_file(SECTION)
        return load_section(path, Overrides(scenario=self.scenario, algorithm=algorithm))

    def retention(self) -> Retention:
        """Return what is kept, as configured; of a store that no section owns, as by default."""
        from validation_ch7.checkpoints.retention import Retention

        config = self.config()
        return Retention() if config is None else Retention.of(config.checkpoints)

    def open(self, *, new: bool = False) -> CheckpointStore:
        """Return the store; nothing is created.

        Args:
            new: whether the workspace of a training tree need not exist yet, because something is brought into it.

        Raises:
            ConfigurationError: the flags name no store, or not one alone.
        """
        from validation_ch7.checkpoints.store import CheckpointStore
        from validation_ch7.session import training_tree

        config = self.config()
        if config is None:
            assert self.store is not None
            root = existing_folder(self.store, "--store", "name the folder that was given to CheckpointStore(...)")
            root = root.parent if root.name == "checkpoints" else root
            return CheckpointStore(root, self.prefix or _only_prefix(root))
        if self.prefix is not None:
            raise ConfigurationError(
                "A prefix belongs to a store.",
                where="--prefix",
                expected="--store DIR --prefix NAME, or --scenario NAME for a training tree",
                found=f"--prefix {self.prefix} alone",
                remedy="add --store DIR",
            )
        root = self.workspace.expanduser().resolve() if new and self.workspace is not None else self.root
        base = root / "validation_ch7" / config.section
        return CheckpointStore(training_tree(base, config.scenario, config.default_scenario), config.scenario)

    def run_flags(self) -> list[str]:
        """Return the flags that ``run`` needs in order to mean the same chain."""
        flags = {"--workspace": self.workspace, "--scenario": self.scenario, "--config": self.config_file}
        return [word for name, value in flags.items() if value is not None for word in (name, str(value))]

    def typed(self) -> str:
        """Return the flags that another command needs in order to mean the same store.

        >>> Selection(workspace=Path("my work"), scenario="city").typed()
        ' --workspace "my work" --scenario city'
        """
        from validation_ch7.planning import quoted

        given: dict[str, object] = {"workspace": self.workspace, "scenario": self.scenario, "config": self.config_file}
        given |= {"store": self.store, "prefix": self.prefix}
        return "".join(f" --{name} {quoted(str(value))}" for name, value in given.items() if value is not None)


def _only_prefix(root: Path) -> str:
    from validation_ch7.checkpoints import naming

    names = [path.name for path in sorted((root / naming.CHECKPOINTS).glob("*.zip"))]
    found = sorted({prefix for name in names if (prefix := naming.checkpoint_prefix(name))})
    if len(found) == 1:
        return found[0]
    raise ConfigurationError(
        "The store holds several prefixes." if found else "The store holds no checkpoint to tell its prefix.",
        where=f"--store {root}",
        expected="--prefix NAME" + (f", one of: {', '.join(found)}" if found else ""),
        found="no --prefix",
        remedy="add --prefix NAME, as it was given to CheckpointStore(..., prefix=NAME)",
    )


def selects_store(command: Callable[..., int]) -> Callable[..., None]:
    """Add the flags that select a store, and turn the function's result into the exit code.

    The function gets a :class:`Selection` first, then its own arguments.
    """
    flags = [
        click.option("--workspace", type=PathType(), help="Workspace of the training tree."),
        click.option("--scenario", metavar="NAME", help="Scenario. Default: from the configuration."),
        click.option("--config", "config_file", type=PathType(), help="Another section.yml."),
        click.option("--store", type=PathType(), help="Any store of learn_resumable instead."),
        click.option("--prefix", metavar="NAME", help="Its prefix, where it holds several."),
        click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output."),
    ]
    return _with_flags(command, flags)


def selects_chain(command: Callable[..., int]) -> Callable[..., None]:
    """Add the flags that select the chain of a workspace; as :func:`selects_store` without ``--store``."""
    flags = [
        click.option("--workspace", type=PathType(), help="Where data and results live."),
        click.option("--scenario", metavar="NAME", help="Scenario. Default: from the configuration."),
        click.option("--config", "config_file", type=PathType(), help="Another section.yml."),
        click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output."),
    ]
    return _with_flags(command, flags)


def _with_flags(command: Callable[..., int], flags: list[Callable[[Any], Any]]) -> Callable[..., None]:
    names = ("workspace", "scenario", "config_file", "store", "prefix", "as_json")

    @functools.wraps(command)
    def wrapped(**arguments: Any) -> None:
        selection = Selection(**{name: arguments.pop(name) for name in names if name in arguments})
        sys.exit(exit_code_of(lambda: command(selection, **arguments), selection.as_json))

    result: Any = wrapped
    for flag in reversed(flags):
        result = flag(result)
    return result  # type: ignore[no-any-return]
