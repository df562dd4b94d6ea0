"""The Kaggle client, tamed: the only file that imports it, and the only place where its faults are translated.

What is changed about the client, and why: importing it authenticates over the network, so the network is
withheld during the import; its calls have no timeouts, so an adapter with timeouts is mounted on its session; it
prints to standard output, and in verbose mode the credentials too, so it is kept silent; it ends the process when
it finds no credentials, which becomes an error of this package.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

import requests
from requests.adapters import HTTPAdapter

from validation_ch7.errors import BackendError, CredentialsError
from validation_ch7.remote.credentials import REMEDY, find_credentials
from validation_ch7.remote.retry import FaultKind, Patience, Retrier, ServiceFault
from validation_ch7.remote.transport import TimedAdapter, Timeouts, translate

T = TypeVar("T")
ENDPOINT_VARIABLE = "VALIDATION_KAGGLE_ENDPOINT"
END_OF_LOG = "END_OF_LOG"
_ONE_AT_A_TIME = threading.Lock()
"""Importing and authenticating change what the whole process shares: the client's class, standard output."""


class _NoNetwork(HTTPAdapter):
    def send(self, *args: Any, **options: Any) -> requests.Response:
        raise requests.exceptions.ConnectionError("no network while the client is imported")


class KaggleClient:
    """Calls to Kaggle, authenticated on first use.

    Args:
        environ: says where the service is (``VALIDATION_KAGGLE_ENDPOINT``) and where credentials are.
        timeouts: of every request.
        retrier: how often and how patiently calls are tried again.
    """

    def __init__(
        self, environ: Mapping[str, str] | None = None, timeouts: Timeouts | None = None, retrier: Retrier | None = None
    ) -> None:
        self._environ = os.environ if environ is None else environ
        self.timeouts = timeouts or Timeouts()
        self.retrier = retrier or Retrier()
        self._api: Any = None
        self._sdk: Any = None

    @property
    def owner(self) -> str:
        """Name of the account.

        Raises:
            CredentialsError: there are no usable credentials.
        """
        self._connect()
        return str(self._api.config_values[self._api.CONFIG_NAME_USER]).lower()

    def call(
        self, what: str, use: Callable[[Any], T], *, repeatable: bool = True, patience: Patience | None = None
    ) -> T:
        """Return ``use(client)``, tried again as long as that may help.

        Args:
            what: the call, in words, for messages.
            use: receives the generated client.
            repeatable: whether the call may have its effect twice.
            patience: how often it is tried.

        Raises:
            ServiceFault: it failed for good.
            CredentialsError: the service rejects the credentials, even fresh ones.
        """

        def attempt() -> T:
            self._connect()
            with self._translated(what):
                return use(self._sdk)

        try:
            return self.retrier.run(attempt, repeatable=repeatable, patience=patience)
        except ServiceFault as fault:
            if fault.kind is not FaultKind.UNAUTHORISED:
                raise
        self._api = None  # an expired token is noticed late: take a fresh one, once
        try:
            return self.retrier.run(attempt, repeatable=repeatable, patience=patience)
        except ServiceFault as fault:
            if fault.kind is FaultKind.UNAUTHORISED:
                raise self._no_credentials("Kaggle rejects the credentials.") from None
            raise

    def message(self, module: str, name: str) -> Any:
        """Return an empty message of the generated client, or one of its enumerations, by its name."""
        found = getattr(importlib.import_module(f"kagglesdk.{module}"), name)
        return found if name.endswith("Type") else found()

    def log_events(self, owner: str, kernel: str) -> Iterator[str]:
        """Yield the pieces of the live log from its beginning; ends only where the log ends.

        Raises:
            ServiceFault: the connection was lost before the end.
        """
        self._connect()
        http = self._sdk.http_client()
        base = http._endpoint
        options: dict[str, Any] = {
            "stream": True,
            "headers": {"Accept": "text/event-stream, */*", "Content-Type": None},
            "timeout": (self.timeouts.connect_s, self.timeouts.stream_s),
        }
        with self._translated(f"live log of {owner}/{kernel}"):
            url = f"{base}/v1/kernels/logs/stream/{owner}/{kernel}"
            with http._session.get(url, **options) as answer:
                answer.raise_for_status()
                if not answer.headers.get("Content-Type", "").lower().startswith("text/event-stream"):
                    yield from log_pieces(answer.text)
                    return
                answer.encoding = "utf-8"
                for line in answer.iter_lines(chunk_size=1, decode_unicode=True):  # larger ones would wait to be full
                    text = (line or "").removeprefix("data:").strip()
                    if text == END_OF_LOG:
                        return
                    if line and line.startswith("data:"):
                        yield from log_pieces(text)
        raise ServiceFault(FaultKind.TRANSIENT, "live log", "it broke off", maybe_done=False)

    def _connect(self) -> None:
        if self._api is None:
            with _ONE_AT_A_TIME:
                self.retrier.run(self._authenticate)

    def _authenticate(self) -> None:
        place = find_credentials(self._environ)
        if place is None:
            raise self._no_credentials("No Kaggle credentials were found.")
        api_class = _import_api(self._environ.get(ENDPOINT_VARIABLE))
        api = _tamed(api_class, self.timeouts)
        if place.kind == "key" and place.where.endswith("kaggle.json"):
            api.config = place.where
        said = io.StringIO()
        with self._translated("authentication"), contextlib.redirect_stdout(said):
            try:
                api.authenticate()
            except SystemExit:
                raise self._no_credentials(f"The Kaggle credentials in {place.shown} are not valid.") from None
        self._api, self._sdk = api, api.build_kaggle_client()

    def _no_credentials(self, what: str) -> CredentialsError:
        place = find_credentials(self._environ)
        return CredentialsError(what, where=place.shown if place else "the client's usual places", remedy=REMEDY)

    @contextlib.contextmanager
    def _translated(self, what: str) -> Iterator[None]:
        try:
            yield
        except (requests.exceptions.RequestException, ValueError, KeyError, TypeError, AttributeError) as fault:
            raise translate(what, fault, self._scrub) from None

    def _scrub(self, text: str) -> str:
        """Return ``text`` without any secret of this client."""
        values = dict(getattr(self._api, "config_values", {}) or {})
        secrets = [values.get("key"), values.get("token"), self._environ.get("KAGGLE_KEY")]
        for secret in (*secrets, self._environ.get("KAGGLE_API_TOKEN")):
            if secret:
                text = text.replace(secret, "***")
        return text


def log_pieces(text: str) -> list[str]:
    """Return the pieces of a log that is JSON events, or plain text where it is not.

    >>> log_pieces('[{"stream_name": "stdout", "data": "a"}, {"data": "b"}]')
    ['a', 'b']
    """
    try:
        events = json.loads(text) if text else []
    except ValueError:
        return [f"{line}\\n" for line in text.splitlines()]
    events = events if isinstance(events, list) else [events]
    return [str(event.get("data", "")) if isinstance(event, dict) else str(event) for event in events]


def _import_api(endpoint: str | None) -> Any:
    """Import the client without letting it use the network or print, and point it at ``endpoint``."""
    try:
        from kagglesdk import kaggle_env, kaggle_http_client

        if endpoint:
            kaggle_env._env_to_endpoint[kaggle_env.KaggleEnv.PROD] = endpoint.rstrip("/")
        http: Any = kaggle_http_client.KaggleHttpClient
        original = http._init_session

        def without_network(self: Any) -> None:
            original(self)
            self._session.mount("https://", _NoNetwork())
            self._session.mount("http://", _NoNetwork())

        http._init_session = without_network
        try:
            with contextlib.redirect_stdout(io.StringIO()):
                from kaggle.api.kaggle_api_extended import KaggleApi
        finally:
            http._init_session = original
    except (ImportError, OSError) as fault:
        raise BackendError(
            "The Kaggle client cannot be imported.",
            where="package kaggle",
            found=str(fault),
            remedy='run: python -m pip install "kaggle>=2.2" six; or run with --backend local',
        ) from fault
    return KaggleApi


def _tamed(api_class: Any, timeouts: Timeouts) -> Any:
    class TamedApi(api_class):  # type: ignore[misc]
        args: list[str] = []  # noqa: RUF012 - verbose would print the credentials

        def build_kaggle_client(self) -> Any:
            client = super().build_kaggle_client()
            http = client.http_client()
            http._init_session()
            for scheme in ("https://", "http://"):
                http._session.mount(scheme, TimedAdapter(timeouts))
            return client

        def get_response_processor(self) -> None:
            """Return nothing: the client's own would print version notices to standard output."""

    api = TamedApi()
    api.config_values = {}
    return api
