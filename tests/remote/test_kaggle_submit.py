"""Faults on the way to a running session: whatever happens, one session or none, and a true error."""

from __future__ import annotations

import dataclasses
import json

import pytest

from tests.emulator.faults import Fault
from tests.remote.kaggle_world import OPTIONS, kaggle_world
from tests.remote.sessions import SECTION, make_request, until_over
from validation_ch7.errors import BackendError, CapacityError, QuotaError
from validation_ch7.remote.backend import SessionState
from validation_ch7.remote.kaggle_sessions import KaggleSession, Step
from validation_ch7.session import read_summary

CREATING = ["GetDataset", "StartBlobUpload", "CreateDataset", "GetDatasetStatus", "ListDatasetFiles", "SaveKernel"]
FINDING = ["GetAcceleratorQuotaStatistics", "ListKernels", "GetKernel"]
API_CALLS = [*CREATING, *FINDING]
LATER_CALLS = ["CreateDatasetVersion", "DeleteKernel", "DeleteDataset"]
KINDS = ["http", "html", "hang", "cut", "lost"]


def runs_once(kaggle, request, backend=None):
    """Submit, and assert that exactly one session runs and ends well; return its reference."""
    backend = backend or kaggle.backend()
    ref = backend.submit(request)
    assert until_over(backend, ref).state is SessionState.COMPLETE, backend.logs(ref, 0)
    assert kaggle.sessions_started == 1
    return ref


def body_of(kaggle, call):
    return [body for name, body in kaggle.world.plan.requests if name == call][-1]


def meets_once(kaggle, folder, fault):
    """Submit with a fault, on a way that makes its call."""
    if fault.call == "GetKernel":  # asked only where the answer to the push is lost
        kaggle.add(Fault("SaveKernel", "lost"))
    kaggle.add(fault)
    request = make_request(folder)
    runs_once(kaggle, dataclasses.replace(request, gpu=fault.call == "GetAcceleratorQuotaStatistics"))
    assert kaggle.world.plan.met.count(fault) == fault.times


@pytest.mark.parametrize("call", API_CALLS)
def test_rate_limit_is_waited_for_as_long_as_it_says(kaggle, tmp_path, call):
    meets_once(kaggle, tmp_path, Fault(call, "http", status=429, headers={"Retry-After": "7"}, times=2))
    assert kaggle.slept.count(7.0) == 2


@pytest.mark.parametrize("call", API_CALLS)
@pytest.mark.parametrize("kind", KINDS)
def test_passing_fault_of_any_call_starts_one_session(kaggle, tmp_path, call, kind):
    meets_once(kaggle, tmp_path, Fault(call, kind, status=503))
    assert [len(dataset.versions) for dataset in kaggle.world.datasets.values()] == [1]


def two_versions_then_clean(kaggle, folder, faults):
    """Run two sessions of one chain, whose bundles are versions of one dataset, then remove what they left."""
    kaggle.add(*faults)
    backend = kaggle.backend()
    for number in ("1", "2"):
        request = make_request(folder / number, f"session-{number}")
        ref = backend.submit(dataclasses.replace(request, title="Validation 7.6"))
        assert until_over(backend, ref).state is SessionState.COMPLETE
    [dataset] = kaggle.world.datasets.values()
    assert (len(dataset.versions), kaggle.sessions_started) == (2, 2)
    assert [line.split()[0] for line in backend.clean(lambda name: True)] == ["kernel", "dataset", "kernel"]
    assert not kaggle.world.kernels and not kaggle.world.datasets
    assert kaggle.world.plan.met == [fault for fault in faults for _ in range(fault.times)]


@pytest.mark.parametrize("kind", KINDS)
def test_passing_faults_of_later_calls_make_one_version_and_delete_once(kaggle, tmp_path, kind):
    two_versions_then_clean(kaggle, tmp_path, [Fault(call, kind, status=503) for call in LATER_CALLS])


def test_rate_limit_of_later_calls_is_waited_for(kaggle, tmp_path):
    after = {"Retry-After": "7"}
    faults = [Fault(call, "http", status=429, headers=after, times=2) for call in LATER_CALLS]
    two_versions_then_clean(kaggle, tmp_path, faults)
    assert kaggle.slept.count(7.0) == 6


def test_error_code_in_a_body_at_status_200_is_an_error(kaggle, tmp_path):
    kaggle.add(Fault("GetDatasetStatus", "json", status=200, text='{"code": 503, "message": "overloaded"}'))
    runs_once(kaggle, make_request(tmp_path))


def test_service_that_stays_down_is_one_clear_error_after_bounded_tries(kaggle, tmp_path):
    kaggle.add(Fault("StartBlobUpload", "http", status=500, times=1000))
    with pytest.raises(BackendError, match="run the same command again"):
        kaggle.backend().submit(make_request(tmp_path))
    assert kaggle.world.plan.calls["StartBlobUpload"] == OPTIONS.patience.tries
    assert kaggle.sessions_started == 0


def test_lost_reply_to_a_push_is_found_even_while_the_service_indexes(tmp_path):
    from tests.emulator.world import Rules

    with kaggle_world(tmp_path, Rules(hidden_for=3), [Fault("SaveKernel", "lost")]) as kaggle:
        kaggle.backend().submit(make_request(tmp_path))
        assert kaggle.sessions_started == 1
        assert kaggle.world.plan.calls["SaveKernel"] == 1


def test_null_list_in_the_answer_to_a_push_does_not_start_a_second_session(kaggle, tmp_path):
    kaggle.add(Fault("SaveKernel", "edit", edit=lambda answer: {**answer, "invalidDatasetSources": None}))
    runs_once(kaggle, make_request(tmp_path))


def test_concurrency_refusal_comes_at_status_200_and_is_exit_6(kaggle, tmp_path):
    kaggle.world.rules.gpu_sessions = 0
    with pytest.raises(CapacityError, match="Maximum batch GPU session count of 0 reached") as caught:
        kaggle.backend().submit(dataclasses.replace(make_request(tmp_path), gpu=True))
    assert caught.value.exit_code == 6
    assert kaggle.sessions_started == 0


def test_refused_session_can_be_submitted_later(kaggle, tmp_path):
    request = dataclasses.replace(make_request(tmp_path), gpu=True)
    kaggle.world.rules.gpu_sessions = 0
    with pytest.raises(CapacityError, match="Too many sessions"):
        kaggle.backend().submit(request)
    kaggle.world.rules.gpu_sessions = 2
    runs_once(kaggle, request)


def test_used_up_quota_is_read_before_anything_is_uploaded(kaggle, tmp_path):
    kaggle.world.rules.gpu_used = 30 * 3600
    with pytest.raises(QuotaError, match=r"30\.00 of 30\.00 hours used") as caught:
        kaggle.backend().submit(dataclasses.replace(make_request(tmp_path), gpu=True))
    assert caught.value.retry_at == kaggle.world.refresh.timestamp()
    assert kaggle.world.plan.calls["StartBlobUpload"] == 0


def test_quota_refusal_of_the_push_itself_names_the_refresh_time(kaggle, tmp_path):
    kaggle.world.rules.gpu_used = 30 * 3600
    kaggle.add(Fault("GetAcceleratorQuotaStatistics", "http", status=500, times=OPTIONS.patience.tries))
    with pytest.raises(QuotaError, match="a new week begins at") as caught:
        kaggle.backend().submit(dataclasses.replace(make_request(tmp_path), gpu=True))
    assert "weekly GPU quota" in str(caught.value.found)
    assert caught.value.retry_at == kaggle.world.refresh.timestamp()


def test_other_rejection_is_a_backend_error_with_its_text(kaggle, tmp_path):
    kaggle.add(Fault("SaveKernel", "json", status=200, text='{"error": "Notebook not found"}'))
    with pytest.raises(BackendError, match="Notebook not found"):
        kaggle.backend().submit(make_request(tmp_path))


def test_dropped_data_source_is_a_failure_and_leaves_no_kernel(kaggle, tmp_path):
    kaggle.add(Fault("SaveKernel", "edit", edit=lambda answer: {**answer, "invalidDatasetSources": ["tester/x"]}))
    with pytest.raises(BackendError, match="dropped a data source"):
        kaggle.backend().submit(make_request(tmp_path))
    assert not kaggle.world.kernels


def test_kernel_that_lands_under_another_name_is_a_failure(kaggle, tmp_path):
    kaggle.add(Fault("SaveKernel", "edit", edit=lambda answer: {**answer, "ref": "/code/tester/something-else"}))
    with pytest.raises(BackendError, match="landed under another name"):
        kaggle.backend().submit(make_request(tmp_path))


def test_long_title_gives_a_slug_that_the_service_derives_too(kaggle, tmp_path):
    request = dataclasses.replace(make_request(tmp_path), title="Validation: Section 7.6 " + "(very) long " * 20)
    ref = runs_once(kaggle, request)
    assert list(kaggle.world.kernels) == [ref.kernel_slug.split("/")[1]]
    assert all(len(slug) <= 50 for slug in (*kaggle.world.kernels, *kaggle.world.datasets))


def test_kernel_and_dataset_are_always_private(kaggle, tmp_path):
    runs_once(kaggle, make_request(tmp_path))
    assert body_of(kaggle, "SaveKernel")["isPrivate"] is True
    assert body_of(kaggle, "CreateDataset")["isPrivate"] is True
    assert all(kernel.private for kernel in kaggle.world.kernels.values())


def test_limit_machine_and_internet_are_passed_on(kaggle, tmp_path):
    kaggle.backend().submit(dataclasses.replace(make_request(tmp_path, limit_s=3600.0), gpu=True))
    body = body_of(kaggle, "SaveKernel")
    assert body["sessionTimeoutSeconds"] == 3600
    assert body["machineShape"] == "NvidiaTeslaT4"
    assert body["enableGpu"] is True
    assert body["enableInternet"] is False


@pytest.mark.parametrize("mount", ["{slug}", "datasets/{owner}/{slug}", "notebooks/{owner}/{slug}"])
def test_bundle_is_not_unpacked_and_found_in_every_mount_layout(kaggle, tmp_path, mount):
    kaggle.world.rules.mount = mount
    runs_once(kaggle, make_request(tmp_path))


def test_dataset_that_is_stuck_pending_starts_no_session(kaggle, tmp_path):
    kaggle.world.rules.pending_for = 10_000
    with pytest.raises(BackendError, match="did not arrive"):
        kaggle.backend().submit(make_request(tmp_path))
    assert kaggle.sessions_started == 0


def test_slow_dataset_is_waited_for(kaggle, tmp_path):
    kaggle.world.rules.pending_for = 10
    runs_once(kaggle, make_request(tmp_path))


def test_version_before_that_is_still_processed_is_waited_for(kaggle, tmp_path):
    backend = kaggle.backend()
    title = "Validation 7.6"
    backend.submit(dataclasses.replace(make_request(tmp_path / "1", "session-1"), title=title))
    [dataset] = kaggle.world.datasets.values()
    dataset.pending_for = 5
    ref = backend.submit(dataclasses.replace(make_request(tmp_path / "2", "session-2"), title=title))
    assert until_over(backend, ref).state is SessionState.COMPLETE
    assert len(dataset.versions) == 2


def test_version_whose_number_lags_behind_is_waited_for_and_not_made_again(kaggle, tmp_path):
    backend = kaggle.backend()
    kaggle.world.rules.lagging_for = 4
    for number in ("1", "2"):
        request = make_request(tmp_path / number, f"session-{number}")
        ref = backend.submit(dataclasses.replace(request, title="Validation 7.6"))
        assert until_over(backend, ref).state is SessionState.COMPLETE
    assert kaggle.world.plan.calls["CreateDatasetVersion"] == 1


def test_lost_reply_to_a_new_version_does_not_make_a_second_one(kaggle, tmp_path):
    backend = kaggle.backend()
    for number in ("1", "2"):
        kaggle.add(Fault("CreateDatasetVersion", "lost"))
        request = make_request(tmp_path / number, f"session-{number}")
        until_over(backend, backend.submit(dataclasses.replace(request, title="Validation 7.6")))
    [dataset] = kaggle.world.datasets.values()
    assert len(dataset.versions) == 2


def test_upload_goes_on_where_it_broke_off(kaggle, tmp_path):
    kaggle.add(Fault("upload", "half", status=503))
    runs_once(kaggle, make_request(tmp_path))
    assert kaggle.world.plan.calls["upload"] == 3  # half, the question how much has arrived, the rest


@pytest.mark.parametrize("kind", ["hang", "cut", "http"])
def test_upload_that_fails_is_repeated(kaggle, tmp_path, kind):
    kaggle.add(Fault("upload", kind, status=500))
    runs_once(kaggle, make_request(tmp_path))


def test_file_that_was_left_out_of_a_version_is_noticed(kaggle, tmp_path):
    kaggle.add(Fault("ListDatasetFiles", "edit", edit=lambda _: {"datasetFiles": []}, times=9))
    with pytest.raises(BackendError, match="no file in version"):
        kaggle.backend().submit(make_request(tmp_path))
    assert kaggle.sessions_started == 0


def test_half_a_file_in_a_version_is_noticed(kaggle, tmp_path):
    def halve(answer):
        return {"datasetFiles": [{**item, "totalBytes": item["totalBytes"] // 2} for item in answer["datasetFiles"]]}

    kaggle.add(Fault("ListDatasetFiles", "edit", edit=halve, times=9))
    with pytest.raises(BackendError, match="did not arrive"):
        kaggle.backend().submit(make_request(tmp_path))


def write_state(kaggle, step, request):
    """Leave what a manager leaves that is killed at ``step``."""
    path = kaggle.folder / "workspace" / "validation_output" / "kaggle_sessions" / f"{request.session_id}.json"
    data = json.loads(path.read_text())
    path.write_text(json.dumps({**data, "step": step, "kernel_version": None}))
    return KaggleSession.model_validate(json.loads(path.read_text()))


@pytest.mark.parametrize("step", list(Step))
def test_manager_killed_after_the_push_finds_its_session_again(kaggle, tmp_path, step):
    request = make_request(tmp_path)
    ref = runs_once(kaggle, request)
    if step is Step.PUSHING:  # the push was accepted, its answer never written down
        write_state(kaggle, step, request)
    again = kaggle.backend() if step is not Step.UPLOADING else kaggle.backend("another machine")
    assert again.find(request.session_id) == ref
    assert again.submit(request) == ref
    assert kaggle.sessions_started == 1


def test_manager_killed_before_the_push_pushes_once(kaggle, tmp_path):
    request = make_request(tmp_path)
    kaggle.add(Fault("SaveKernel", "http", status=400, text="bad"))
    with pytest.raises(BackendError, match="bad"):
        kaggle.backend().submit(request)
    assert kaggle.backend().find(request.session_id) is None
    runs_once(kaggle, request)


def test_manager_killed_during_the_upload_uploads_again(kaggle, tmp_path):
    request = make_request(tmp_path)
    kaggle.add(Fault("upload", "http", status=400))
    with pytest.raises(BackendError, match="400"):
        kaggle.backend().submit(request)
    runs_once(kaggle, request)


def test_pain_16_session_with_anothers_bundle_fails_and_says_so(kaggle, tmp_path):
    request = dataclasses.replace(make_request(tmp_path / "1", "session-1"), title="Validation 7.6")
    other = dataclasses.replace(make_request(tmp_path / "2", "session-2"), title="Validation 7.6")
    backend = kaggle.backend()
    ref = backend.submit(dataclasses.replace(request, bundle=other.bundle))
    assert until_over(backend, ref).state is SessionState.ERROR
    report = backend.fetch(ref, tmp_path / "results")
    summary = read_summary(tmp_path / "results" / SECTION)
    assert not report.complete
    assert summary is not None
    assert "No bundle" in str(summary.error)


def test_session_without_gpu_and_internet_says_so_in_its_summary(kaggle, tmp_path):
    ref = runs_once(kaggle, make_request(tmp_path))
    kaggle.backend().fetch(ref, tmp_path / "results")
    summary = read_summary(tmp_path / "results" / SECTION)
    assert summary is not None
    assert summary.environment["network"] == "no"
    assert summary.environment["run_type"] == "Batch"


def test_cleaning_removes_only_what_is_ours_and_finished(kaggle, tmp_path):
    backend = kaggle.backend()
    for number in ("1", "2"):
        request = make_request(tmp_path / number, f"session-{number}")
        until_over(backend, backend.submit(dataclasses.replace(request, title="Validation 7.6")))
    kaggle.backend("stranger").submit(make_request(tmp_path / "3", "session-3"))
    assert [line.split()[0] for line in backend.clean(lambda name: name == "session-1")] == ["kernel"]
    assert len(kaggle.world.datasets) == 2
    assert [line.split()[0] for line in backend.clean(lambda name: True)] == ["kernel", "dataset"]
    assert len(kaggle.world.kernels) == len(kaggle.world.datasets) == 1
    assert backend.clean(lambda name: True) == []


def test_progress_of_the_upload_ends_at_everything(kaggle, tmp_path):
    seen = []
    request = make_request(tmp_path)
    kaggle.add(Fault("upload", "half", status=503))
    runs_once(kaggle, request, kaggle.backend(options=dataclasses.replace(OPTIONS, on_progress=seen.append)))
    assert {progress.what for progress in seen} == {"upload"}
    assert seen[-1].over
    assert seen[-1].bytes_done == seen[-1].bytes_total == request.bundle.stat().st_size
