"""Connections to the servers of files: kept, redirected, through proxies, and broken."""

from __future__ import annotations

from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.serving import serving
from validation_ch7.remote.connections import MAX_REDIRECTS, NETWORK_FAULTS, Connections
from validation_ch7.remote.transport import Timeouts

TEXT = b"0123456789" * 100_000


class Handler(BaseHTTPRequestHandler):
    """Answers by the end of the path; its server keeps the paths that were asked for, and counts connections."""

    protocol_version = "HTTP/1.1"

    def setup(self) -> None:
        super().setup()
        self.server.connections += 1

    def do_GET(self) -> None:
        self.server.asked.append((self.path, self.headers.get("Authorization")))
        kind = self.path.split("?")[0].rsplit("/", 1)[-1]
        if kind == "cut":
            self.close_connection = True
        elif kind in ("away", "round"):
            self._answer(302, b"look there", Location="/text" if kind == "away" else "/round")
        elif kind == "short":
            self._answer(200, TEXT[:1000], length=len(TEXT))
            self.close_connection = True
        else:
            self._answer(200, TEXT)

    def _answer(self, status: int, data: bytes, length: int | None = None, **headers: str) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(length or len(data)))
        for key, value in headers.items():
            self.send_header(key, value)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server():
    found = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found.daemon_threads, found.asked, found.connections = True, [], 0
    found.url = f"http://127.0.0.1:{found.server_address[1]}"
    with serving(found):
        yield found


@pytest.fixture
def connections(monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY", "no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with Connections(Timeouts(5.0, 5.0, 5.0), 2) as found:
        yield found


def read(connections, url, **headers):
    with closing(connections.open(url, headers)) as answer:
        return answer.status, b"".join(bytes(block) for block in connections.blocks(answer))


def test_one_connection_brings_one_file_after_the_other(server, connections):
    assert [read(connections, f"{server.url}/text") for _ in range(5)] == [(200, TEXT)] * 5
    assert server.connections == 1


def test_redirect_is_followed_on_the_same_connection(server, connections):
    assert read(connections, f"{server.url}/away?x=1") == (200, TEXT)
    assert [path for path, _ in server.asked] == ["/away?x=1", "/text"]
    assert server.connections == 1


def test_redirects_without_an_end_are_a_fault(server, connections):
    with pytest.raises(NETWORK_FAULTS, match="more than 10 redirects"):
        read(connections, f"{server.url}/round")
    assert len(server.asked) == MAX_REDIRECTS


def test_proxy_of_the_environment_is_told_the_whole_address(server, connections, monkeypatch):
    monkeypatch.setenv("http_proxy", server.url)
    assert read(connections, "http://files.invalid/a/text?x=1#part") == (200, TEXT)
    assert [path for path, _ in server.asked] == ["http://files.invalid/a/text?x=1"]


def test_host_that_needs_no_proxy_is_asked_itself(server, connections, monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")  # nobody answers there
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    assert read(connections, f"{server.url}/text") == (200, TEXT)


def test_no_credentials_are_looked_up_for_an_address_that_carries_its_own(server, connections, monkeypatch, tmp_path):
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login me password planted", encoding="utf-8")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    read(connections, f"{server.url}/text?signature=x")
    assert server.asked == [("/text?signature=x", None)]


def test_connection_that_is_cut_is_a_fault_and_the_next_one_works(server, connections):
    with pytest.raises(NETWORK_FAULTS, match="closed connection"):
        read(connections, f"{server.url}/cut")
    assert read(connections, f"{server.url}/text") == (200, TEXT)


def test_answer_that_ends_early_gives_what_came_and_spoils_nothing(server, connections):
    assert read(connections, f"{server.url}/short") == (200, TEXT[:1000])
    assert read(connections, f"{server.url}/text") == (200, TEXT)


@pytest.mark.parametrize("url", ["nonsense", "http://", "ftp://127.0.0.1/text"])
def test_address_that_is_none_is_a_fault(connections, url):
    with pytest.raises(NETWORK_FAULTS, match=r"(?i)url"):
        connections.open(url, {})
