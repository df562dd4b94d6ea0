"""``dashboard --serve``: a real server, a real browser, and a page that keeps what its reader has set."""

from __future__ import annotations

import http.client
import json
import threading
from dataclasses import replace

import pytest

from tests.dashboard.views import session, small
from validation_ch7.errors import ConfigurationError, StorageError
from validation_ch7.reporting.dashboard.server import FRESH_S, HOST, Latest, open_server
from validation_ch7.reporting.dashboard.view import Tone


class Files:
    """What the server reads; a test changes it."""

    def __init__(self) -> None:
        self.view, self.fault = small(), None

    def __call__(self):
        if self.fault:
            raise self.fault
        return self.view


@pytest.fixture
def files():
    return Files()


@pytest.fixture
def server(files, monkeypatch):
    monkeypatch.setattr("validation_ch7.reporting.dashboard.server.FRESH_S", -1.0)
    with open_server(files, 0) as opened:
        thread = threading.Thread(target=opened.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield opened
        opened.shutdown()
        thread.join()


def ask(server, path="/", host=None, method="GET"):
    connection = http.client.HTTPConnection(HOST, server.server_port, timeout=30)
    connection.request(method, path, headers={"Host": host} if host else {})
    answer = connection.getresponse()
    return answer.status, dict(answer.getheaders()), answer.read().decode("utf-8")


def test_server_listens_on_this_machine_only_and_answers_to_its_own_name(server):
    assert server.server_address[0] == "127.0.0.1"
    assert ask(server)[0] == ask(server, host=f"localhost:{server.server_port}")[0] == 200
    for host in ("evil.example", "127.0.0.1.evil.example:80", "localhost.evil:80", "[::2]:80"):
        assert ask(server, host=host)[0] == 403
    assert (ask(server, "/../etc/passwd")[0], ask(server, method="POST")[0]) == (404, 501)


def test_answers_are_not_kept_and_not_framed(server):
    headers = ask(server, "/news")[1]
    assert headers["Cache-Control"] == "no-store" and headers["X-Frame-Options"] == "DENY"
    assert not any(name.startswith("Access-Control") for name in headers)
    assert json.loads(ask(server, "/news")[2])["running"] is True


def test_fault_of_the_files_is_an_answer_and_not_the_end(server, files):
    files.fault = StorageError("The disk refused a read.")
    assert ask(server)[0] == 503
    files.fault = None
    assert ask(server)[0] == 200


def test_files_are_read_once_for_many_pages():
    now, read = [0.0], []
    latest = Latest(lambda: read.append(1) or small(), clock=lambda: now[0])
    latest()
    latest()
    assert len(read) == 1
    now[0] += FRESH_S + 0.1
    latest()
    assert len(read) == 2


def test_taken_port_is_one_message(server):
    with pytest.raises(ConfigurationError, match="cannot listen there"):
        open_server(small, server.server_port)


def test_open_page_takes_news_and_keeps_filter_scroll_focus_and_theme(server, files, visit):
    opened = visit(f"http://{HOST}:{server.server_port}/", height=500)
    page = opened.page
    page.click("#theme")
    page.uncheck("input[value=good]")
    page.fill("#filter-text", "20260101")
    page.focus("#log-lines")
    opened.js("document.querySelector('#points').open = true; scrollTo(0, 900)")
    before = opened.js("[scrollY, document.documentElement.dataset.theme]")
    rows = (replace(session(4, Tone.BAD), error="<img src=x onerror=window.hit=1>"), *files.view.sessions)
    files.view = replace(files.view, sessions=rows, curve=replace(files.view.curve, borders=()))
    page.wait_for_selector("#session-4", state="attached")
    assert opened.rows() == ["session-4", "session-3", "session-2"]
    assert opened.js("[scrollY, document.documentElement.dataset.theme]") == before
    assert opened.js("document.activeElement.id") == "log-lines"
    assert opened.js("document.querySelector('#points').open") is True
    assert opened.js("Bokeh.documents[0].get_model_by_name('source-borders').data.x.length") == 0
    assert (opened.js("window.hit"), opened.complaints) == (None, [])
