"""Which backend: by name, or ``auto`` by what this machine has credentials for."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Mapping
from pathlib import Path

from validation_ch7.errors import BackendError, ConfigurationError, CredentialsError
from validation_ch7.extras import install_command
from validation_ch7.remote.backend import Backend
from validation_ch7.remote.credentials import REMEDY, find_credentials
from validation_ch7.remote.local import LocalBackend
from validation_ch7.remote.progress import OnProgress

BACKENDS = ("auto", "local", "kaggle", "ray")


def choose_backend(
    name: str, workspace: Path, environ: Mapping[str, str], on_progress: OnProgress | None = None
) -> tuple[Backend, str]:
    """Return the backend of this name and one sentence on why it is this one.

    Neither the Kaggle client nor the network is touched here.

    Raises:
        ConfigurationError: there is no backend of this name.
        CredentialsError: Kaggle was asked for and no credentials are there.
        BackendError: Ray was asked for and is not installed.
    """
    if name not in BACKENDS:
        raise ConfigurationError(
            "There is no such backend.",
            where="--backend",
            expected=", ".join(BACKENDS),
            found=repr(name),
            remedy="choose one of them",
        )
    place = find_credentials(environ)
    if name == "ray":
        raise _no_ray()
    if name == "kaggle" and place is None:
        raise CredentialsError(
            "No Kaggle credentials were found.",
            where="KAGGLE_API_TOKEN, ~/.kaggle/access_token, KAGGLE_USERNAME and KAGGLE_KEY, kaggle.json, OAuth",
            remedy=REMEDY,
        )
    if name == "local":
        return LocalBackend(workspace, environ=environ), "local: asked for"
    if place is None:
        return LocalBackend(workspace, environ=environ), "local: no Kaggle credentials were found"
    return _kaggle(workspace, environ, on_progress), f"kaggle: credentials found in {place.shown}"


def backend_of_session(
    name: str, session_id: str, workspace: Path, environ: Mapping[str, str], on_progress: OnProgress | None = None
) -> Backend:
    """Return the backend of a session that was left unfinished.

    Raises:
        BackendError: it cannot be used now; the message says how to give the session up.
    """
    try:
        return choose_backend(name, workspace, environ, on_progress)[0]
    except BackendError as fault:
        raise type(fault)(
            f"A session was left unfinished on {name}, which cannot be used now.",
            where=session_id,
            found=fault.what,
            remedy=f"{fault.remedy}. Or give that session up, with what it trained: "
            f'python -m validation_ch7 abandon {session_id} --workspace "{workspace}" --yes',
        ) from fault


def _kaggle(workspace: Path, environ: Mapping[str, str], on_progress: OnProgress | None) -> Backend:
    if importlib.util.find_spec("validation_ch7.remote.kaggle") is None:
        raise BackendError(
            "This version cannot use Kaggle yet.", where="--backend kaggle", remedy="run with --backend local"
        )
    adapter = importlib.import_module("validation_ch7.remote.kaggle")
    options = adapter.KaggleOptions(on_progress=on_progress)
    backend: Backend = adapter.KaggleBackend(workspace, environ=environ, options=options)
    return backend


def _no_ray() -> BackendError:
    if importlib.util.find_spec("ray") is None:
        found, remedy = "the package ray is not installed", f"run: {install_command('ray')}"
    else:
        found, remedy = "ray is installed, but this version has no adapter for it", "run with --backend local"
    return BackendError("Ray cannot be used.", where="--backend ray", found=found, remedy=remedy)
