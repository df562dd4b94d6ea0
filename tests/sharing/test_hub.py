"""A model published on the Hub: against the fake, and its own client against a server that stands in for it."""

import contextlib
import io
import json
import sys
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import yaml

from tests.cli.conftest import call, made, tree
from validation_ch7.errors import BackendError, CheckpointNotFoundError, ConfigurationError, CredentialsError
from validation_ch7.sharing import open_place
from validation_ch7.sharing.hub import HuggingFace, publish_best, repository_of

__all__ = ["call", "made", "tree"]
TOKEN = "hf_" + "plantedsecret" * 2


class FakeHub:
    def __init__(self):
        self.commits = []

    def publish(self, repository, files, message, *, private):
        self.commits.append((repository, dict(files), private))
        return f"https://hub.example/{repository}/commit/1"


@pytest.fixture
def published(tree):
    hub = FakeHub()
    publish_best(tree.store, "me/road", hub)
    [(_, files, private)] = hub.commits
    assert private
    return files


def test_repository_has_the_files_of_the_convention_in_one_commit(published):
    model = "dqn-traffic_light_control.zip"
    assert set(published) == {model, "vec_normalize.pkl", "config.json", "results.json", "README.md"}
    names = zipfile.ZipFile(io.BytesIO(published[model])).namelist()
    assert "policy.pth" in names and "manifest.json" not in names


def test_card_tells_the_library_and_the_reward_to_the_hub(published):
    header = yaml.safe_load(published["README.md"].decode().split("---")[1])
    [measured] = header["model-index"]
    assert header["library_name"] == "stable-baselines3" and "reinforcement-learning" in header["tags"]
    assert measured["results"][0]["metrics"][0]["value"] == "9.50"
    assert json.loads(published["results.json"])["mean_reward"] == 9.5
    assert json.loads(published["config.json"])["algorithm"] == "DQN"


def test_newest_is_published_where_none_was_evaluated(tree):
    tree.store.best_path.unlink()
    hub = FakeHub()
    assert publish_best(tree.store, "me/road", hub).steps == 304
    assert "model-index" not in hub.commits[0][1]["README.md"].decode()


def test_empty_store_publishes_nothing(tmp_path, store):
    hub = FakeHub()
    with pytest.raises(CheckpointNotFoundError, match="no such checkpoint"):
        publish_best(store, "me/road", hub)
    assert hub.commits == []


@pytest.mark.parametrize("address", ["hf://", "hf://me", "hf://me/../x", "hf://me/a/b", "hf://user:pw@me/x"])
def test_address_of_no_repository_is_refused(address):
    with pytest.raises(ConfigurationError, match="no model repository"):
        repository_of(address)


def test_store_cannot_be_brought_from_the_hub():
    with pytest.raises(ConfigurationError, match="single models"):
        open_place("hf://me/road")


def test_missing_library_is_told_with_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(ConfigurationError, match="library is missing") as caught:
        HuggingFace()
    assert "[hub]" in str(caught.value)


class StandIn(BaseHTTPRequestHandler):
    """As much of the Hub's interface as one commit of small files needs."""

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.got.append((self.path, body))
        here = f"http://127.0.0.1:{self.server.server_address[1]}/me/road"
        answer = {"url": here, "commitUrl": f"{here}/commit/1", "commitOid": "1"}
        if "preupload" in self.path:
            paths = [item["path"] for item in json.loads(body)["files"]]
            answer = {"files": [{"path": path, "uploadMode": "regular", "shouldIgnore": False} for path in paths]}
        data = json.dumps(answer if self.server.status == 200 else {"error": "no"}).encode()
        self.send_response(self.server.status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *arguments):
        pass


@contextlib.contextmanager
def stand_in(status=200):
    server = ThreadingHTTPServer(("127.0.0.1", 0), StandIn)
    server.status, server.got, server.daemon_threads = status, [], True
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def hub_at(server, monkeypatch):
    library = pytest.importorskip("huggingface_hub")

    class Local(library.HfApi):
        def __init__(self):
            super().__init__(endpoint=f"http://127.0.0.1:{server.server_address[1]}", token=TOKEN)

    monkeypatch.setattr(library, "HfApi", Local)
    return HuggingFace()


def test_client_of_the_hub_makes_one_commit(tree, monkeypatch):
    with stand_in() as server:
        done = publish_best(tree.store, "me/road", hub_at(server, monkeypatch))
    assert done.address.endswith("/me/road/commit/1")
    path, asked = server.got[0]
    wish = json.loads(asked)
    assert path == "/api/repos/create" and (wish.get("visibility") == "private" or wish.get("private") is True), wish
    [commit] = [body for path, body in server.got if "/commit/" in path]
    assert all(f'"{name}"'.encode() in commit for name in done.files)


@pytest.mark.parametrize(("status", "error"), [(401, CredentialsError), (403, CredentialsError), (400, BackendError)])
def test_refusal_of_the_hub_is_one_clear_error_without_the_token(tree, monkeypatch, status, error):
    with stand_in(status) as server, pytest.raises(error, match="The Hub") as caught:
        publish_best(tree.store, "me/road", hub_at(server, monkeypatch))
    assert TOKEN not in str(caught.value)
