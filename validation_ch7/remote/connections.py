"""Connections to the servers that hold files, kept open: made as ``requests`` makes them, used without it.

``requests`` looks through the environment, prepares and wraps each request anew, which costs more than the request
itself, and a download has hundreds of them. Here it is asked once for each host: for a pool of connections, with the
proxy and the certificates that the environment names. The addresses of files carry their own permission, so no
credentials are looked up.
"""

from __future__ import annotations

import http.client
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import urldefrag, urljoin, urlsplit

import requests
import urllib3
from requests.adapters import HTTPAdapter

from validation_ch7.remote.transport import Timeouts

NETWORK_FAULTS = (urllib3.exceptions.HTTPError, requests.exceptions.RequestException)
"""What opening and reading an answer may raise."""
MAX_REDIRECTS = 10

_BLOCK = 1 << 20


@dataclass(frozen=True)
class _Way:
    """How requests reach a host."""

    pool: urllib3.HTTPConnectionPool
    whole: bool
    """Whether the server is told the whole address, as a proxy wants it, or only the part behind the host."""


class Connections(HTTPAdapter):
    """Opens addresses; for several threads, and to be closed.

    Args:
        timeouts: of every request.
        count: connections that are kept open to one host.
    """

    def __init__(self, timeouts: Timeouts, count: int) -> None:
        super().__init__(pool_maxsize=count)
        self._timeout = urllib3.Timeout(connect=timeouts.connect_s, read=timeouts.read_s)
        self._lock = threading.Lock()
        self._buffers = threading.local()
        self._ways: dict[tuple[str, str], _Way] = {}

    def __enter__(self) -> Connections:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def open(self, url: str, headers: Mapping[str, str]) -> urllib3.BaseHTTPResponse:
        """Return the answer to a GET, whose content has not been read yet; redirects are followed.

        Raises:
            HTTPError: of ``urllib3``, where there was no answer.
            RequestException: of ``requests``, where the address or the proxy is none.
        """
        for _ in range(MAX_REDIRECTS):
            answer = self._ask(url, headers)
            location = answer.get_redirect_location()
            if not location:
                return answer
            answer.drain_conn()
            answer.release_conn()
            url = urljoin(url, location)
        raise requests.exceptions.TooManyRedirects(f"more than {MAX_REDIRECTS} redirects")

    def blocks(self, answer: urllib3.BaseHTTPResponse) -> Iterator[bytes | memoryview]:
        """Yield the content in blocks, each good until this thread asks for another one.

        Where nothing has to be decoded, the connection fills one buffer again and again: no byte is copied in between.
        The blocks are large, because after each the threads wait for one another.

        Raises:
            HTTPError: of ``urllib3``, where the connection was lost.
        """
        plain = answer.headers.get("Content-Encoding", "identity") == "identity"
        connection = getattr(answer, "_original_response", None) if plain else None
        if connection is None:
            yield from answer.stream(_BLOCK, decode_content=True)
            return
        if not hasattr(self._buffers, "mine"):
            self._buffers.mine = memoryview(bytearray(_BLOCK))
        buffer = self._buffers.mine
        while size := _fill(connection, buffer):
            yield buffer[:size]
        answer.release_conn()  # read to its end: it may bring the next file

    def _ask(self, url: str, headers: Mapping[str, str]) -> urllib3.BaseHTTPResponse:
        way, parts = self._way(url), urlsplit(url)
        target = urldefrag(url).url if way.whole else f"{parts.path or '/'}{'?' if parts.query else ''}{parts.query}"
        return way.pool.urlopen(
            "GET",
            target,
            headers=headers,
            redirect=False,
            assert_same_host=False,
            retries=False,
            timeout=self._timeout,
            preload_content=False,
            decode_content=False,
        )

    def _way(self, url: str) -> _Way:
        parts = urlsplit(url)
        place = (parts.scheme, parts.netloc)
        with self._lock:
            if place not in self._ways:
                request = requests.Request("GET", url).prepare()
                found = requests.Session().merge_environment_settings(url, {}, True, None, None)
                proxies, verify, cert = found["proxies"], found["verify"], found["cert"]
                pool = self.get_connection_with_tls_context(request, verify, proxies=proxies, cert=cert)
                self.cert_verify(pool, url, verify, cert)
                self._ways[place] = _Way(pool, "://" in self.request_url(request, proxies))
            return self._ways[place]


def _fill(connection: http.client.HTTPResponse, buffer: memoryview) -> int:
    try:
        return connection.readinto(buffer)
    except (OSError, ValueError, http.client.HTTPException) as fault:
        raise urllib3.exceptions.ProtocolError(type(fault).__name__, fault) from fault
