from __future__ import annotations

import os
import urllib.request
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.checkpoints.little import LittleRun, store_at
from tests.sharing.gcs import GoogleStandIn, google
from tests.sharing.hub_server import HubStandIn, hub_server
from validation_ch7.checkpoints import CheckpointStore
from validation_ch7.checkpoints.archive import read_archive
from validation_ch7.sharing import open_place
from validation_ch7.sharing.place import Place

SECRET = "wJalr-planted-secret"
TOKEN = "hf_" + "plantedsecret" * 2


@pytest.fixture
def store(tmp_path: Path) -> CheckpointStore:
    return store_at(tmp_path / "here")


@pytest.fixture
def run(store: CheckpointStore) -> LittleRun:
    """Return a run that has saved twice; its newest checkpoint is the best as well."""
    with store.exclusive("test"):
        run = LittleRun(store, max_keep=9)
        run.save(reward=1.0)
        archive = read_archive(run.save(reward=2.0))
        store.commit_best(archive.manifest, archive.members)
        return run


@dataclass(frozen=True)
class Bucket:
    """A bucket of a real S3-compatible server on this machine."""

    url: str
    endpoint: str

    def require_known_keys(self) -> None:
        """Let the server refuse every key from now on that it has not given out itself."""
        self.set_free_calls("0")

    def set_free_calls(self, count: str) -> None:
        headers = {"Content-Type": "text/plain"}
        request = urllib.request.Request(f"{self.endpoint}/moto-api/reset-auth", count.encode(), headers, method="POST")
        urllib.request.urlopen(request, timeout=10).close()


@pytest.fixture(scope="session")
def s3_server() -> Iterator[str]:
    pytest.importorskip("s3fs")
    server = pytest.importorskip("moto.server").ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def bucket(s3_server: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bucket]:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    told = {"ACCESS_KEY_ID": "AKIATEST", "SECRET_ACCESS_KEY": SECRET, "ENDPOINT_URL": s3_server}
    told |= {"DEFAULT_REGION": "us-east-1", "EC2_METADATA_DISABLED": "true"}
    told |= {"CONFIG_FILE": os.devnull, "SHARED_CREDENTIALS_FILE": os.devnull}
    for name, value in told.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    name = f"bucket-{uuid.uuid4().hex[:8]}"
    urllib.request.urlopen(urllib.request.Request(f"{s3_server}/{name}", method="PUT"), timeout=10).close()
    found = Bucket(f"s3://{name}/my runs/a", s3_server)
    yield found
    found.set_free_calls("inf")


@pytest.fixture
def google_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[GoogleStandIn]:
    """A stand-in of Google Cloud Storage with one bucket, found as its own client finds an emulator."""
    monkeypatch.setenv("GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT", "false")  # it would ask a second service about each bucket
    pytest.importorskip("gcsfs")
    with google() as server:
        server.buckets["bucket"] = {}
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", server.endpoint)
        yield server


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[HubStandIn]:
    """A stand-in of the Hub, to which its own client goes with a token that is accepted."""
    library = pytest.importorskip("huggingface_hub")
    with hub_server(TOKEN) as server:

        class Here(library.HfApi):
            def __init__(self) -> None:
                super().__init__(endpoint=server.endpoint, token=TOKEN)

        monkeypatch.setattr(library, "HfApi", Here)
        monkeypatch.setattr(library.constants, "HF_HUB_DISABLE_XET", True, raising=False)
        yield server


@pytest.fixture(params=["folder", "memory", "s3", "gcs", "hub"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """Return each kind of place: the conformance suite runs on all of them."""
    if request.param == "s3":
        return open_place(request.getfixturevalue("bucket").url)
    if request.param == "gcs":
        request.getfixturevalue("google_server")
        return open_place("gs://bucket/my runs/a")
    if request.param == "hub":
        request.getfixturevalue("hub")
        return open_place("hf://me/road/my runs/a")
    if request.param == "memory":
        return open_place(f"memory://{uuid.uuid4().hex}/runs")
    return open_place(str(tmp_path / "there" / "my runs"))
