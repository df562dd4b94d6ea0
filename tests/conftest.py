"""One place for the code of all sessions that the tests start, so that its kernels are compiled once."""

import os
import shutil
import tempfile

import pytest

CODE_ROOT = "VALIDATION_CODE_ROOT"


def pytest_configure(config: pytest.Config) -> None:
    if CODE_ROOT not in os.environ:  # the processes that share the tests inherit it
        config.stash[_OWN] = os.environ[CODE_ROOT] = tempfile.mkdtemp(prefix="validation_code_")


def pytest_unconfigure(config: pytest.Config) -> None:
    if _OWN in config.stash:
        del os.environ[CODE_ROOT]
        shutil.rmtree(config.stash[_OWN], ignore_errors=True)


_OWN = pytest.StashKey[str]()
