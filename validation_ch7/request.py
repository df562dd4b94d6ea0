"""What one call of the manager asks for: flags and section file, resolved once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

from validation_ch7.config import Overrides, SectionConfig, load_section, section_file
from validation_ch7.errors import ConfigurationError
from validation_ch7.planning import RunOptions, chain_flags, same_run
from validation_ch7.schema import parse_document

_PLACE = ("scenario", "algorithm", "timesteps", "seed", "session_timesteps", "session_hours")
_OPTIONS = ("quick", "fresh", "trust_foreign", "wait", "relay")


class Asked(TypedDict, total=False):
    """The flags of one session; each means what it means in ``run_validation_section``."""

    quick: bool
    scenario: str | None
    algorithm: str | None
    timesteps: int | None
    session_timesteps: int | None
    session_hours: float | None
    seed: int | None
    fresh: bool
    trust_foreign: bool
    relay: bool
    config: str | Path | None


@dataclass(frozen=True)
class Request:
    """One call, resolved."""

    config: SectionConfig
    options: RunOptions
    file: Path
    """The section's file."""


def read_request(
    section: str, asked: Mapping[str, object], backend: str, workspace: Path, max_sessions: int = 1
) -> Request:
    """Return what a call asks for.

    Args:
        asked: the flags of :class:`Asked`, and ``wait``; what is absent has its default.
        backend: as it was asked for, for the commands that are recommended.

    Raises:
        ConfigurationError: a flag or the file is wrong.
    """
    if max_sessions < 1:
        raise ConfigurationError("At least one session is needed.", where="max_sessions", found=max_sessions)
    unknown = set(asked) - {*_PLACE, *_OPTIONS, "config"}
    if unknown:
        raise ConfigurationError("There is no such flag.", where=", ".join(sorted(unknown)))
    flags = {name: asked.get(name) for name in _PLACE}
    overrides = parse_document(Overrides, flags, "flags", remedy="correct the flags named above")
    given = asked.get("config")
    file = Path(str(given)) if given else section_file(section)
    chain = chain_flags({**asked, "config": file.resolve() if given else None})
    again = same_run(backend, workspace, {**asked, "max_sessions": max_sessions})
    switches = {name: bool(asked.get(name)) for name in _OPTIONS}
    options = RunOptions(max_sessions=max_sessions, again=again, chain=chain, **switches)
    return Request(load_section(file, overrides), options, file)
