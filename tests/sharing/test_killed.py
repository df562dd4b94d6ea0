"""Transfers that are ended by SIGKILL in the middle of a file: the same command goes on, and no file goes twice."""

import os
import subprocess
import sys

import pytest

from tests.checkpoints.little import readable, store_at
from tests.cli.conftest import ROOT
from tests.sharing.conftest import TOKEN
from validation_ch7.errors import CheckpointNotFoundError
from validation_ch7.files import sha256_bytes
from validation_ch7.sharing import export_store, import_store, open_place, read_index
from validation_ch7.sharing.index import object_name

pytestmark = pytest.mark.skipif(os.name == "nt", reason="needs SIGKILL")
SENDING = """
import os, signal, sys
from validation_ch7.checkpoints import CheckpointStore
from validation_ch7.sharing import export_store, exporting, folder, open_place
exporting._STREAMS = 1
honest, written = folder.commit_bytes, []
def dies_in_the_third(path, data):
    if len(written) == 2:
        (path.parent / ".partial-torn").write_bytes(data[: len(data) // 2])
        os.kill(os.getpid(), signal.SIGKILL)
    written.append(path)
    honest(path, data)
folder.commit_bytes = dies_in_the_third
export_store(CheckpointStore(sys.argv[1], "task"), open_place(sys.argv[2]))
"""
UPLOADING = """
import os, signal, sys
import huggingface_hub
from validation_ch7.checkpoints import CheckpointStore
from validation_ch7.sharing import export_store, exporting, open_place
exporting._STREAMS = 1
honest, sent = huggingface_hub.HfApi.preupload_lfs_files, []
def dies_after_the_second(self, *words, **options):
    honest(self, *words, **options)
    sent.append(words)
    if len(sent) == 2:
        os.kill(os.getpid(), signal.SIGKILL)
huggingface_hub.HfApi.preupload_lfs_files = dies_after_the_second
export_store(CheckpointStore(sys.argv[1], "task"), open_place("hf://me/road/runs"))
"""
RECEIVING = """
import os, signal, sys
from validation_ch7.checkpoints import CheckpointStore
from validation_ch7.sharing import folder, import_store, open_place
honest, begun = folder.Folder.blocks, []
def dies_in_the_third_object(self, name):
    begun.append(name)
    for block in honest(self, name):
        yield block[: len(block) // 2]
        if sum("objects" in name for name in begun) == 3:
            os.kill(os.getpid(), signal.SIGKILL)
        yield block[len(block) // 2 :]
folder.Folder.blocks = dies_in_the_third_object
import_store(CheckpointStore(sys.argv[1], "task"), open_place(sys.argv[2]), print)
"""


def killed(code: str, *words: object) -> None:
    ran = subprocess.run([sys.executable, "-c", code, *map(str, words)], cwd=ROOT, capture_output=True, timeout=400)
    assert ran.returncode == -9, ran.stderr


def test_export_that_was_killed_in_the_middle_of_a_file_goes_on(run, tmp_path):
    place = open_place(str(tmp_path / "there"))
    killed(SENDING, run.store.root, tmp_path / "there")
    with pytest.raises(CheckpointNotFoundError, match="No store lies there"):
        read_index(place, "task")
    there = set(place.sizes("objects"))
    done = export_store(run.store, place)
    sent = {object_name(done.index.files[name].sha256) for name in done.sent}
    assert len(there) == 2 and sent and not there & sent
    other = store_at(tmp_path / "other")
    import_store(other, place, lambda line: None)
    assert readable(other) == [10, 5]


def test_export_to_the_hub_that_was_killed_shows_nothing_and_sends_no_file_twice(run, hub, tmp_path, monkeypatch):
    for name, value in {"ENDPOINT": hub.endpoint, "TOKEN": TOKEN, "HUB_DISABLE_XET": "1"}.items():
        monkeypatch.setenv(f"HF_{name}", value)
    killed(UPLOADING, run.store.root)
    assert len(hub.stored) == 2 and len(hub.commits["models/me/road"]) == 1
    with pytest.raises(CheckpointNotFoundError, match="No store lies there"):
        read_index(open_place("hf://me/road/runs"), "task")
    export_store(run.store, open_place("hf://me/road/runs"))
    sent = [sha256_bytes(body) for body in hub.bodies("PUT", "^/lfs/")]
    assert len(sent) == len(set(sent)) == len(hub.stored)
    other = store_at(tmp_path / "other")
    import_store(other, open_place("hf://me/road/runs"), lambda line: None)
    assert readable(other) == [10, 5]


def test_import_that_was_killed_in_the_middle_of_a_file_goes_on(run, tmp_path):
    place, other = open_place(str(tmp_path / "there")), store_at(tmp_path / "other")
    total = export_store(run.store, place).sent_bytes
    killed(RECEIVING, other.root, tmp_path / "there")
    assert other.paths() == []
    done = import_store(other, place, lambda line: None)
    assert 0 < done.received_bytes < total and readable(other) == [10, 5]
    assert not list(other.root.glob(".import-*")) and not list(other.root.rglob(".partial-*"))
