"""Credentials: found in all of the client's ways, and never seen anywhere else."""

from __future__ import annotations

import ast
import json
import logging
import os
import re
import subprocess
import sys
import traceback
from pathlib import Path

import pytest

from tests.emulator.faults import Fault
from tests.remote.kaggle_world import kaggle_world
from tests.remote.sessions import make_request, until_over
from validation_ch7.errors import BackendError, CredentialsError
from validation_ch7.remote.backend import SessionState
from validation_ch7.remote.kaggle_client import _import_api

ROOT = Path(__file__).parents[2]


@pytest.fixture
def bare(kaggle, monkeypatch):
    """A service, and an environment without credentials."""
    for name in ("KAGGLE_USERNAME", "KAGGLE_KEY", "KAGGLE_API_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    return kaggle


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    path.chmod(0o600)


def by_token_variable(kaggle, monkeypatch):
    monkeypatch.setenv("KAGGLE_API_TOKEN", kaggle.world.token)


def by_token_path(kaggle, monkeypatch):
    write(kaggle.folder / "token", kaggle.world.token)
    monkeypatch.setenv("KAGGLE_API_TOKEN", str(kaggle.folder / "token"))


def by_token_file(kaggle, monkeypatch):
    write(kaggle.folder / ".kaggle" / "access_token", kaggle.world.token)


def by_token_text_file(kaggle, monkeypatch):
    write(kaggle.folder / ".kaggle" / "access_token.txt", kaggle.world.token)


def by_variables(kaggle, monkeypatch):
    monkeypatch.setenv("KAGGLE_USERNAME", kaggle.world.owner)
    monkeypatch.setenv("KAGGLE_KEY", kaggle.world.key)


def by_json(kaggle, monkeypatch):
    pair = {"username": kaggle.world.owner, "key": kaggle.world.key}
    write(kaggle.folder / ".kaggle" / "kaggle.json", json.dumps(pair))


def by_json_elsewhere(kaggle, monkeypatch):
    pair = {"username": kaggle.world.owner, "key": kaggle.world.key}
    write(kaggle.folder / "elsewhere" / "kaggle.json", json.dumps(pair))
    monkeypatch.setenv("KAGGLE_CONFIG_DIR", str(kaggle.folder / "elsewhere"))


def by_json_of_xdg(kaggle, monkeypatch):
    pair = {"username": kaggle.world.owner, "key": kaggle.world.key}
    write(kaggle.folder / "settings" / "kaggle" / "kaggle.json", json.dumps(pair))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(kaggle.folder / "settings"))


def by_oauth(kaggle, monkeypatch):
    creds = {
        "refresh_token": "refresh",
        "access_token": kaggle.world.token,
        "access_token_expiration": "2999-01-01T00:00:00+00:00",
        "username": kaggle.world.owner,
    }
    write(kaggle.folder / ".kaggle" / "credentials.json", json.dumps(creds))


WAYS = [
    by_token_variable,
    by_token_path,
    by_token_file,
    by_token_text_file,
    by_variables,
    by_json,
    by_json_elsewhere,
    by_json_of_xdg,
    by_oauth,
]


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_each_of_the_clients_ways_works_and_prints_nothing(bare, monkeypatch, capfd, way):
    way(bare, monkeypatch)
    assert bare.backend().account() == "tester"
    assert capfd.readouterr() == ("", "")


def test_no_credentials_is_one_error_that_says_what_to_do(bare):
    with pytest.raises(CredentialsError, match=r"kaggle\.com/settings"):
        bare.backend().account()


@pytest.mark.parametrize("name", ["KAGGLE_API_TOKEN", "KAGGLE_KEY"])
def test_rejected_credentials_are_one_error_without_the_secret(bare, monkeypatch, name, capfd):
    monkeypatch.setenv("KAGGLE_USERNAME", "tester")
    monkeypatch.setenv(name, "s3cr3t-planted")
    if name == "KAGGLE_API_TOKEN":
        monkeypatch.delenv("KAGGLE_USERNAME")
    with pytest.raises(CredentialsError, match=r"not valid|rejects") as caught:
        bare.backend().account()
    assert "s3cr3t-planted" not in str(caught.value) + repr(caught.value.__dict__)
    assert "s3cr3t-planted" not in "".join(capfd.readouterr())


def test_token_that_expires_on_the_way_is_renewed_once(bare, monkeypatch):
    by_token_variable(bare, monkeypatch)
    backend = bare.backend()
    backend.account()
    bare.add(Fault("ListKernels", "http", status=401))
    assert backend.account() == "tester"
    bare.world.token_valid = False
    with pytest.raises(CredentialsError, match="not valid"):
        backend.account()


def test_authentication_while_the_service_is_down_is_not_called_bad_credentials(bare, monkeypatch):
    by_token_variable(bare, monkeypatch)
    bare.add(Fault("IntrospectToken", "http", status=503, times=1000))
    with pytest.raises(BackendError, match="503") as caught:
        bare.backend().account()
    assert not isinstance(caught.value, CredentialsError)


def test_importing_the_client_uses_no_network(kaggle):
    code = (
        "import socket, sys; socket.socket.connect = lambda *a: sys.exit('network'); "
        "from validation_ch7.remote.kaggle_client import _import_api; print(_import_api(None).__name__)"
    )
    environ = {**os.environ, "PYTHONPATH": str(ROOT), "KAGGLE_API_TOKEN": "x"}
    done = subprocess.run([sys.executable, "-c", code], env=environ, capture_output=True, text=True, timeout=60)
    assert done.stdout == "KaggleApi\n", done.stderr


def test_only_one_file_knows_the_vendor():
    importers = set()
    for path in (ROOT / "validation_ch7").rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        if re.search(r"(import|from) kagglesdk|\"kagglesdk\.|kaggle\.api", text):
            importers.add(path.name)
        names = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Import)]
        assert not any(alias.name == "kaggle" for node in names for alias in node.names), path
    assert importers == {"kaggle_client.py"}


@pytest.mark.parametrize("secret_kind", ["key", "token"])
def test_planted_secret_is_nowhere(tmp_path, monkeypatch, capfd, caplog, secret_kind):
    secret = "s3cr3t-planted-0123456789"
    caplog.set_level(logging.DEBUG)
    with kaggle_world(tmp_path) as kaggle:
        monkeypatch.setattr(_import_api(kaggle.server.url), "args", ["--verbose"])  # makes the client print headers
        kaggle.world.key = kaggle.world.token = secret
        monkeypatch.setenv("KAGGLE_KEY", secret)
        if secret_kind == "token":
            monkeypatch.setenv("KAGGLE_API_TOKEN", secret)
        backend = kaggle.backend()
        ref = backend.submit(make_request(tmp_path / "made"))
        assert until_over(backend, ref).state is SessionState.COMPLETE
        backend.logs(ref, 0)
        backend.fetch(ref, tmp_path / "results")
        kaggle.add(Fault("ListKernels", "http", status=400, text=f"your key {secret} is odd"))
        with pytest.raises(BackendError, match="odd") as caught:
            backend.account()
        bodies = [body for name, body in kaggle.world.plan.requests if name != "IntrospectToken"]
    assert secret not in "".join(traceback.format_exception(caught.value))
    assert secret not in json.dumps(bodies)
    assert secret not in caplog.text + "".join(capfd.readouterr())
    for path in tmp_path.rglob("*"):
        assert not path.is_file() or secret.encode() not in path.read_bytes(), path
