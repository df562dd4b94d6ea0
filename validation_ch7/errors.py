"""One error tree: what failed, where, what was expected, what was found, and what to do next.

::

    ValidationError                    exit  what it means
    ├── ConfigurationError               2   a flag, a YAML key or a value is wrong
    │   ├── SanityError                  2   a scenario in which nothing can be learnt, or that is no physics
    │   └── UnsuitedError                2   an algorithm that cannot take the actions of the environment
    ├── BackendError                     3   the place where sessions run cannot be used
    │   ├── SessionGoneError             3   what a session left is nowhere any more
    │   ├── CredentialsError             3   no credentials, or rejected ones
    │   └── WorkspaceError               3   the workspace cannot be used
    │       ├── WorkspaceLockedError     3   another process works on the same tree
    │       └── StorageError             3   disk full, read-only, no permission
    ├── SessionFailedError               4   a session ran and ended badly
    ├── CheckpointError                  5   no way to resume from what is there
    │   ├── CheckpointCorruptError       5   bytes do not match their digests, or are no checkpoint
    │   ├── CheckpointIncompatibleError  5   intact, but made by another model
    │   ├── CheckpointNotFoundError      5   a checkpoint that was named or expected is not there
    │   ├── CheckpointForeignError       5   a zip without our manifest, where ours was needed
    │   └── CheckpointUntrustedError     5   readable only by running code from the file
    ├── RefusedError                     6   the backend said no, for now
    │   ├── QuotaError                   6   the week's hours are used up
    │   └── CapacityError                6   too many sessions at once
    └── InterruptedRunError             75   stopped before the end; run again to go on
        └── DetachedError              130   Ctrl-C left a remote session, which goes on
"""

from __future__ import annotations

from typing import ClassVar


class ValidationError(Exception):
    """Any foreseeable fault; its text is meant for a person and ends in what to do.

    Args:
        what: what failed, as one sentence.
        where: the file, key or flag concerned.
        expected: what would have been right.
        found: what was there instead.
        remedy: what to do next, preferably a command.
    """

    exit_code: ClassVar[int] = 1

    def __init__(
        self,
        what: str,
        *,
        where: object = None,
        expected: object = None,
        found: object = None,
        remedy: str | None = None,
    ) -> None:
        self.what = what
        self.where = where
        self.expected = expected
        self.found = found
        self.remedy = remedy
        super().__init__(what)

    def __str__(self) -> str:
        """The whole message.

        >>> print(ConfigurationError("n_envs is too small", where="a.yml", expected="1 or more", found=0))
        n_envs is too small
          where:    a.yml
          expected: 1 or more
          found:    0
        """
        parts = {
            "where": self.where,
            "expected": self.expected,
            "found": self.found,
            "to do": self.remedy,
        }
        lines = [f"  {label + ':':<9} {value}" for label, value in parts.items() if value is not None]
        return "\n".join([self.what, *lines])


class ConfigurationError(ValidationError):
    """A flag, a YAML key or a value is wrong."""

    exit_code = 2


class SanityError(ConfigurationError):
    """A scenario gives an agent nothing to learn, or is no physics."""


class UnsuitedError(ConfigurationError):
    """An algorithm cannot take the actions of the environment; with another scenario it may be right."""


class BackendError(ValidationError):
    """The place where sessions run cannot be used."""

    exit_code = 3


class SessionGoneError(BackendError):
    """What a session left is nowhere to be found any more, and will not come back."""


class CredentialsError(BackendError):
    """No credentials were found, or the service rejected them."""


class WorkspaceError(BackendError):
    """The workspace cannot be used."""


class WorkspaceLockedError(WorkspaceError):
    """Another process works on the same tree."""


class StorageError(WorkspaceError):
    """A disk is full or read-only, or a permission is missing."""


class SessionFailedError(ValidationError):
    """A session ran and ended badly."""

    exit_code = 4


class CheckpointError(ValidationError):
    """There is no way to resume from what is there."""

    exit_code = 5


class CheckpointCorruptError(CheckpointError):
    """The bytes do not match their digests, or are no checkpoint at all."""


class CheckpointIncompatibleError(CheckpointError):
    """The checkpoint is intact but belongs to another model."""


class CheckpointNotFoundError(CheckpointError):
    """A checkpoint that was named or expected is not there."""


class CheckpointForeignError(CheckpointError):
    """A zip without our manifest: perhaps one that plain Stable-Baselines3 wrote."""


class CheckpointUntrustedError(CheckpointError):
    """The file can be read only by running code that it carries."""


class RefusedError(ValidationError):
    """The backend refused the session for now."""

    exit_code = 6
    retry_at: float | None = None
    """When asking again may help, where the backend tells [s since the epoch]."""


class QuotaError(RefusedError):
    """The accelerator hours of the period are used up."""


class CapacityError(RefusedError):
    """Too many sessions run at once."""


class InterruptedRunError(ValidationError):
    """The run stopped before its end; running it again goes on."""

    exit_code = 75


class DetachedError(InterruptedRunError):
    """Ctrl-C left a remote session, which goes on by itself."""

    exit_code = 130
