"""The emulated service, driven by the official client's own functions: it has the quirks that cost people days."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
import zipfile
from datetime import datetime
from pathlib import Path

import pytest
import requests

from tests.emulator.faults import Fault
from tests.emulator.world import Rules
from tests.remote.kaggle_world import kaggle_world
from validation_ch7.remote.kaggle_client import _import_api

ROOT = Path(__file__).parents[2]


@pytest.fixture
def kaggle(tmp_path):
    with kaggle_world(tmp_path) as world:
        yield world


@pytest.fixture
def api(kaggle):
    """The official client, unmodified, pointed at the emulated service."""
    official = _import_api(kaggle.server.url)()
    official.authenticate()
    return official


def push(api, folder: Path, text: str = "print('hello')", **changes: object):
    folder.mkdir(exist_ok=True)
    (folder / "script.py").write_text(text, encoding="utf-8")
    facts = {
        "id": "tester/some-kernel",
        "title": "Some Kernel",
        "code_file": "script.py",
        "language": "python",
        "kernel_type": "script",
    }
    (folder / "kernel-metadata.json").write_text(json.dumps({**facts, **changes}), encoding="utf-8")
    return api.kernels_push(str(folder))


def ended(kaggle) -> None:
    for session in kaggle.world.sessions():
        session._process.wait(timeout=60)


def upload(api, folder: Path) -> None:
    facts = {"id": "tester/some-data", "title": "Some Data", "licenses": [{"name": "unknown"}]}
    (folder / "dataset-metadata.json").write_text(json.dumps(facts), encoding="utf-8")
    assert api.dataset_create_new(str(folder), quiet=True).status == "ok"


def test_client_pushes_watches_and_downloads(api, kaggle, tmp_path):
    answer = push(api, tmp_path / "k", "open('result.txt', 'w').write('42')")
    ended(kaggle)
    assert answer.version_number == 1
    assert api.kernels_status("tester/some-kernel").status.name == "COMPLETE"
    api.kernels_output("tester/some-kernel", str(tmp_path / "out"))
    assert (tmp_path / "out" / "result.txt").read_text() == "42"


def test_slug_follows_the_title_and_not_the_id(api, kaggle, tmp_path):
    answer = push(api, tmp_path / "k", title="Another Title")
    assert answer.ref.endswith("/another-title")


def test_rejected_push_is_no_exception(api, kaggle, tmp_path):
    kaggle.world.rules.gpu_sessions = 0
    assert "session count of 0 reached" in push(api, tmp_path / "k", enable_gpu=True).error


def test_unknown_source_is_dropped_and_the_session_starts(api, kaggle, tmp_path):
    answer = push(api, tmp_path / "k", dataset_sources=["tester/nothing"])
    assert answer.invalid_dataset_sources == ["tester/nothing"]
    assert kaggle.sessions_started == 1


def test_archives_are_unpacked_and_a_neutral_name_is_not(api, kaggle, tmp_path):
    folder = tmp_path / "d"
    folder.mkdir()
    for name in ("model.zip", "validation_session.bundle"):
        with zipfile.ZipFile(folder / name, "w") as archive:
            archive.writestr("inside", "x")
    upload(api, folder)
    [version] = kaggle.world.datasets["some-data"].versions
    assert (version / "model" / "inside").is_file()
    assert (version / "validation_session.bundle").is_file()


def test_failed_upload_is_ok_to_the_client_and_the_file_is_missing(api, kaggle, tmp_path):
    folder = tmp_path / "d"
    folder.mkdir()
    (folder / "one.bin").write_bytes(b"1" * 1000)
    kaggle.add(Fault("upload", "half", status=400, times=100))
    upload(api, folder)
    assert not list(kaggle.world.datasets["some-data"].versions[0].iterdir())


def test_client_writes_an_error_page_over_a_good_file(api, kaggle, tmp_path):
    push(api, tmp_path / "k", "open('result.txt', 'w').write('42')")
    ended(kaggle)
    kaggle.add(Fault("file", "http", status=500, text="sorry"))
    api.kernels_output("tester/some-kernel", str(tmp_path / "out"), force=True)
    assert (tmp_path / "out" / "result.txt").read_text() == "sorry"


def test_status_right_after_a_push_may_be_of_the_version_before(tmp_path):
    with kaggle_world(tmp_path, Rules(stale_for=1)) as kaggle:
        official = _import_api(kaggle.server.url)()
        official.authenticate()
        push(official, tmp_path / "k")
        ended(kaggle)
        push(official, tmp_path / "k", "import time; time.sleep(60)")
        assert official.kernels_status("tester/some-kernel").status.name == "COMPLETE"
        assert official.kernels_status("tester/some-kernel").status.name == "RUNNING"


def test_page_has_at_most_two_hundred_files(api, kaggle, tmp_path):
    push(api, tmp_path / "k", "for n in range(450): open(f'{n}.txt', 'w').write('x')")
    ended(kaggle)
    body = {"userName": "tester", "kernelSlug": "some-kernel", "pageSize": 1000}
    assert len(kaggle.server.api.list_kernel_session_output(body)["files"]) == 200


def test_one_output_is_found_behind_a_redirect(api, kaggle, tmp_path):
    from kagglesdk.kernels.types.kernels_api_service import ApiDownloadKernelOutputRequest

    push(api, tmp_path / "k", "open('result.txt', 'w').write('42')")
    ended(kaggle)
    request = ApiDownloadKernelOutputRequest()
    request.owner_slug, request.kernel_slug, request.file_path = "tester", "some-kernel", "result.txt"
    with api.build_kaggle_client() as sdk:
        answer = sdk.kernels.kernels_api_client.download_kernel_output(request)
        assert ([step.status_code for step in answer.history], answer.text) == ([302], "42")
        request.file_path = "../../log"
        with pytest.raises(requests.HTTPError, match="File not found"):
            sdk.kernels.kernels_api_client.download_kernel_output(request)


def test_list_of_kernels_tells_when_each_last_ran(tmp_path):
    with kaggle_world(tmp_path, clock=lambda: 1_000_000.0) as kaggle:
        official = _import_api(kaggle.server.url)()
        official.authenticate()
        push(official, tmp_path / "k")
        [kernel] = official.kernels_list(mine=True)
        assert kernel.last_run_time == datetime(1970, 1, 12, 13, 46, 40)


def test_gpu_hours_run_out_by_running_and_come_back_with_the_new_week(tmp_path):
    now = 1_000_000.0
    rules = Rules(gpu_seconds=7200, time_scale=0.5)
    with kaggle_world(tmp_path, rules, clock=lambda: now) as kaggle:
        official = _import_api(kaggle.server.url)()
        official.authenticate()
        waiting = "import time\nwhile True: time.sleep(60)"
        push(official, tmp_path / "k", waiting, enable_gpu=True)
        push(official, tmp_path / "c", waiting, title="On the Processor")
        now += 1800.0
        assert used(official) == 3600  # the session with a GPU alone, in time that the service counts
        kaggle.world.sessions()[0].stop()
        kaggle.world.remove_kernel(kaggle.world.kernels["some-kernel"])
        assert used(official) == 3600
        push(official, tmp_path / "k", waiting, enable_gpu=True)
        now += 1800.0
        refused = push(official, tmp_path / "k", enable_gpu=True, title="Another Title")
        assert refused.error == "Maximum weekly GPU quota of 2.00 hours reached."
        now = kaggle.world.refresh.timestamp()
        assert used(official) == 0
        assert not push(official, tmp_path / "k", enable_gpu=True, title="Another Title").error


def used(official) -> float:
    """Return what the official client reads of the week's GPU time [s]."""
    from kagglesdk.kernels.types.kernels_api_service import ApiGetAcceleratorQuotaStatisticsRequest

    with official.build_kaggle_client() as sdk:
        request = ApiGetAcceleratorQuotaStatisticsRequest()
        answer = sdk.kernels.kernels_api_client.get_accelerator_quota_statistics(request)
    return answer.gpu_quota.time_used.total_seconds()


def test_wrong_key_is_refused(api, kaggle):
    kaggle.world.key = "changed"
    with pytest.raises(Exception, match="Unauthorized"):
        api.quota_view()


def test_it_starts_with_one_command_and_says_how_to_use_it(tmp_path):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-u", "-m", "tests.emulator", "--port", str(port), "--folder", str(tmp_path)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, encoding="utf-8")
    guard = threading.Timer(30, process.kill)
    guard.start()
    try:
        assert process.stdout is not None
        text = "".join(iter(process.stdout.readline, "Ctrl-C ends it.\n"))
        assert f"export VALIDATION_KAGGLE_ENDPOINT=http://127.0.0.1:{port}" in text
        second = subprocess.run(command, cwd=ROOT, capture_output=True, encoding="utf-8", timeout=30)
        assert second.returncode == 2
        assert "choose another one with --port" in second.stderr
    finally:
        guard.cancel()
        process.kill()
        process.communicate()
