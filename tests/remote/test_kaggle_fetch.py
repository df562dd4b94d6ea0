"""Faults of a download: what is under a name is right, or it is not there and said to be missing."""

from __future__ import annotations

import dataclasses
import shutil
import threading
from collections import namedtuple

import pytest

from tests.checkpoints.disk import Disk, full
from tests.emulator.faults import Fault
from tests.remote.kaggle_world import OPTIONS
from tests.remote.sessions import SECTION, make_request, until_over
from validation_ch7.errors import StorageError
from validation_ch7.files import sha256_file
from validation_ch7.remote.transport import Timeouts
from validation_ch7.session import output_faults, read_output_manifest

BIG = {f"data/models/{name}.bin": name * 300_000 for name in "abcd"}
ONE = "data/models/b.bin"


def finished(kaggle, tmp_path, **config):
    backend = kaggle.backend()
    ref = backend.submit(make_request(tmp_path, **config))
    until_over(backend, ref)
    return backend, ref


def is_right(folder) -> bool:
    manifest = read_output_manifest(folder / SECTION)
    return manifest is not None and not output_faults(folder / SECTION, manifest)


FAULTS = {
    "truncated with Content-Length": Fault("file", "short", match=ONE),
    "truncated without Content-Length": Fault("file", "short_silent", match=ONE),
    "flipped byte": Fault("file", "flip", match=ONE),
    "error page as file": Fault("file", "page", match=ONE),
    "server error": Fault("file", "http", status=500, match=ONE),
    "rate limit": Fault("file", "http", status=429, headers={"Retry-After": "3"}, match=ONE),
    "hang": Fault("file", "hang", match=ONE),
    "cut": Fault("file", "cut", match=ONE),
    "address expired": Fault("file", "http", status=403, match=ONE),
    "manifest cut": Fault("file", "short", match="output_manifest.json"),
    "first page fails": Fault("ListKernelSessionOutput", "http", status=502),
    "listing is html": Fault("ListKernelSessionOutput", "html"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_passing_fault_of_a_download_is_repaired(kaggle, tmp_path, name):
    backend, ref = finished(kaggle, tmp_path, outputs=BIG)
    kaggle.add(FAULTS[name])
    report = backend.fetch(ref, tmp_path / "results")
    assert kaggle.world.plan.met == [FAULTS[name]]
    assert report.complete, report.faults
    assert is_right(tmp_path / "results")
    assert not list((tmp_path / "results").rglob(".partial-*"))


@pytest.mark.parametrize("kind", ["short", "short_silent", "flip", "page", "http", "cut"])
def test_lasting_fault_of_one_file_damages_nothing_and_is_told(kaggle, tmp_path, kind):
    backend, ref = finished(kaggle, tmp_path, outputs=BIG)
    kaggle.add(Fault("file", kind, match=ONE, times=1000))
    report = backend.fetch(ref, tmp_path / "results")
    assert not report.complete
    assert [fault.split(":")[0] for fault in report.faults] == [f"{SECTION}/{ONE}"]
    assert not (tmp_path / "results" / SECTION / ONE).exists()
    assert (tmp_path / "results" / SECTION / "data/models/c.bin").is_file()


def test_error_body_never_replaces_a_good_file(kaggle, tmp_path):
    backend, ref = finished(kaggle, tmp_path, outputs=BIG)
    backend.fetch(ref, tmp_path / "results")
    before = {path: sha256_file(path) for path in (tmp_path / "results").rglob("*.bin")}
    kaggle.add(Fault("file", "page", times=1000))
    backend.fetch(ref, tmp_path / "results")
    assert {path: sha256_file(path) for path in (tmp_path / "results").rglob("*.bin")} == before


def test_cut_download_goes_on_where_it_was(kaggle, tmp_path):
    backend, ref = finished(kaggle, tmp_path, outputs={ONE: "b" * 8_000_000})
    seen = []
    backend = kaggle.backend(options=options_with(seen.append))
    kaggle.add(Fault("file", "short", match=ONE))
    assert backend.fetch(ref, tmp_path / "results").complete
    assert max(progress.bytes_done for progress in seen) < 8_100_000


def test_server_that_ignores_ranges_gives_the_right_file_all_the_same(kaggle, tmp_path):
    backend, ref = finished(kaggle, tmp_path, outputs=BIG)
    kaggle.add(Fault("file", "short", match=ONE), Fault("file", "no_range", match=ONE))
    assert backend.fetch(ref, tmp_path / "results").complete
    assert is_right(tmp_path / "results")


def test_manager_killed_in_mid_download_fetches_only_the_rest(kaggle, tmp_path):
    backend, ref = finished(kaggle, tmp_path, outputs=BIG)
    backend.fetch(ref, tmp_path / "results")
    (tmp_path / "results" / SECTION / ONE).rename(tmp_path / "results" / SECTION / "data/models/.partial-b.bin")
    (tmp_path / "results" / SECTION / "output_manifest.json").unlink()
    before = kaggle.world.plan.calls["file"]
    assert kaggle.backend().fetch(ref, tmp_path / "results").complete
    assert kaggle.world.plan.calls["file"] - before == 2  # the manifest and the one file


def test_six_hundred_files_over_several_pages_all_come(kaggle, tmp_path):
    backend, ref = finished(kaggle, tmp_path, outputs={f"many/{number}.txt": str(number) for number in range(600)})
    before = kaggle.world.plan.calls["ListKernelSessionOutput"]
    report = backend.fetch(ref, tmp_path / "results")
    assert report.complete
    assert len(list((tmp_path / "results" / SECTION / "many").iterdir())) == 600
    assert kaggle.world.plan.calls["ListKernelSessionOutput"] - before == 4


def test_second_page_of_the_listing_that_fails_is_asked_for_again(kaggle, tmp_path):
    backend, ref = finished(kaggle, tmp_path, outputs={f"many/{number}.txt": str(number) for number in range(250)})
    before = kaggle.world.plan.calls["ListKernelSessionOutput"]
    kaggle.add(Fault("ListKernelSessionOutput", "http", status=502, match='"pageToken": "200"'))
    assert backend.fetch(ref, tmp_path / "results").complete
    assert len(kaggle.world.plan.met) == 1
    assert kaggle.world.plan.calls["ListKernelSessionOutput"] - before == 3
    assert is_right(tmp_path / "results")


@pytest.mark.parametrize("name", ["../../evil", "/tmp/evil-{}", "a/../../../evil", "..\\evil", "C:\\evil"])
def test_hostile_name_in_the_listing_stays_outside(kaggle, tmp_path, name):
    backend, ref = finished(kaggle, tmp_path, no_manifest=True)

    def add(answer):
        return {**answer, "files": [*answer["files"], {"url": answer["files"][0]["url"], "fileName": name}]}

    kaggle.add(Fault("ListKernelSessionOutput", "edit", edit=add, times=9))
    report = backend.fetch(ref, tmp_path / "a" / "b" / "results")
    assert not report.complete
    assert any("leave its folder" in fault for fault in report.faults)
    assert not list(tmp_path.rglob("*evil*"))


def test_session_without_a_manifest_is_never_complete(kaggle, tmp_path):
    backend, ref = finished(kaggle, tmp_path, no_manifest=True, outputs=BIG)
    report = backend.fetch(ref, tmp_path / "results")
    assert not report.complete
    assert f"{SECTION}/{ONE}" in report.files


def test_file_that_the_manifest_names_and_the_listing_lacks_is_told(kaggle, tmp_path):
    backend, ref = finished(kaggle, tmp_path, outputs=BIG)

    def drop(answer):
        return {**answer, "files": [item for item in answer["files"] if not item["fileName"].endswith("b.bin")]}

    kaggle.add(Fault("ListKernelSessionOutput", "edit", edit=drop, times=9))
    report = backend.fetch(ref, tmp_path / "results")
    assert report.faults == (f"{SECTION}/{ONE}: missing",)


def test_null_instead_of_a_list_of_files_is_asked_again(kaggle, tmp_path):
    backend, ref = finished(kaggle, tmp_path, outputs=BIG)
    kaggle.add(Fault("ListKernelSessionOutput", "edit", edit=lambda answer: {**answer, "files": None}))
    assert backend.fetch(ref, tmp_path / "results").complete


def test_disk_space_is_checked_before_anything_is_fetched(kaggle, tmp_path, monkeypatch):
    backend, ref = finished(kaggle, tmp_path, outputs=BIG)
    usage = namedtuple("usage", "total used free")
    before = kaggle.world.plan.calls["file"]
    # room for the manifest, not for the files
    answers = iter([usage(0, 0, 1 << 40)])
    monkeypatch.setattr(shutil, "disk_usage", lambda _: next(answers, usage(0, 0, 1000)))
    with pytest.raises(StorageError, match="not enough disk space"):
        backend.fetch(ref, tmp_path / "results")
    assert kaggle.world.plan.calls["file"] - before == 1


@pytest.mark.parametrize("at", [1, 2, 5])
def test_disk_that_fills_up_in_mid_download_damages_nothing_and_the_next_fetch_completes(kaggle, tmp_path, at):
    backend, ref = finished(kaggle, tmp_path, outputs=BIG)
    backend.fetch(ref, tmp_path / "results")
    for name in "bcd":
        (tmp_path / "results" / SECTION / f"data/models/{name}.bin").unlink()
    before = {path: path.read_bytes() for path in (tmp_path / "results").rglob("*") if path.is_file()}
    disk = Disk(at, full, frozenset({"write"}))
    with disk.watching(), pytest.raises(StorageError, match="The disk refused") as caught:
        backend.fetch(ref, tmp_path / "results")
    assert disk.count >= at
    assert "free some disk space" in str(caught.value)
    assert {path: path.read_bytes() for path in before} == before
    assert backend.fetch(ref, tmp_path / "results").complete
    assert is_right(tmp_path / "results")
    assert not list((tmp_path / "results").rglob(".partial-*"))


@pytest.mark.parametrize("streams", [1, 3])
def test_so_many_files_come_at_a_time_and_never_more(kaggle, tmp_path, streams):
    _, ref = finished(kaggle, tmp_path, outputs=BIG)
    kaggle.world.plan.meeting = threading.Barrier(streams)
    kaggle.add(Fault("file", "meet", times=streams, match=".bin"))
    options = dataclasses.replace(OPTIONS, streams=streams, timeouts=Timeouts(5.0, 20.0, 20.0))
    assert kaggle.backend(options=options).fetch(ref, tmp_path / "results").complete
    assert kaggle.server.files.most == streams


def test_progress_ends_at_everything(kaggle, tmp_path):
    _, ref = finished(kaggle, tmp_path, outputs=BIG)
    seen = []
    kaggle.backend(options=options_with(seen.append)).fetch(ref, tmp_path / "results")
    last = seen[-1]
    assert last.files_done == last.files_total
    assert last.bytes_done == last.bytes_total > 1_000_000
    assert last.rate > 0


def options_with(on_progress):
    return dataclasses.replace(OPTIONS, on_progress=on_progress)
