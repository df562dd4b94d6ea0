import dataclasses
import os
from pathlib import Path
from typing import Any

import pytest

from tests.emulator.world import Rules
from tests.remote.kaggle_world import kaggle_world
from tests.remote.sessions import make_request, until_over
from tests.verification.reading import all_well, only_issue, only_warning
from validation_ch7.errors import BackendError
from validation_ch7.journal import Journal, JournalEntry, Phase
from validation_ch7.remote.kaggle_kernels import GpuQuota
from validation_ch7.remote.kaggle_push import refusal
from validation_ch7.verification.finding import Finding, Grade
from validation_ch7.verification.online import check_online, check_phone, judge_grant, judge_quota


def test_accepted_credentials_and_quota_are_successes(tmp_path: Path) -> None:
    with kaggle_world(tmp_path):
        assert all_well(check_online(tmp_path, dict(os.environ)))


def test_rejected_credentials_are_an_issue(tmp_path: Path) -> None:
    with kaggle_world(tmp_path):
        for name in [name for name in os.environ if name.startswith("KAGGLE")]:
            del os.environ[name]  # the world puts them back
        os.environ["KAGGLE_API_TOKEN"] = "KGAT_" + "0" * 32
        found = only_issue(check_online(tmp_path, dict(os.environ)))
    assert "0" * 32 not in str(found)


def test_missing_credentials_are_a_warning(tmp_path: Path) -> None:
    assert "not asked" in only_warning(check_online(tmp_path, {"HOME": str(tmp_path)}))


@pytest.mark.parametrize(("hours", "grade"), [(0.5, Grade.WARNING), (20.0, Grade.SUCCESS)])
def test_little_quota_is_a_warning(hours: float, grade: Grade) -> None:
    assert judge_quota(hours).grade is grade


def after_a_session(tmp_path: Path, verified: bool) -> Finding:
    """Return what is found after a session that asked for a GPU."""
    with kaggle_world(tmp_path, Rules(phone_verified=verified)) as kaggle:
        backend = kaggle.backend()
        ref = backend.submit(dataclasses.replace(make_request(tmp_path / "made"), gpu=True))
        until_over(backend, ref)
        backend.fetch(ref, tmp_path / "workspace" / "validation_output" / "results" / ref.results_name)
        [*_, last] = check_online(tmp_path / "workspace", dict(os.environ))
    return last


def test_session_that_asked_for_a_gpu_and_got_none_is_a_sign_of_a_phone_that_is_not_verified(tmp_path: Path) -> None:
    found = after_a_session(tmp_path, verified=False)
    assert found.grade is Grade.WARNING
    assert "asked for a GPU, which it was not given" in found.text
    assert "verify your phone number" in str(found.remedy)


def test_session_that_got_its_gpus_is_a_success(tmp_path: Path) -> None:
    found = after_a_session(tmp_path, verified=True)
    assert (found.grade, found.text.endswith("2 GPU(s)")) == (Grade.SUCCESS, True)


def test_refusal_that_speaks_of_the_phone_says_where_to_verify_it_and_is_remembered(tmp_path: Path) -> None:
    text = "You must verify your phone number to use GPUs"
    kernels: Any = None
    error = refusal(text, kernels)
    assert isinstance(error, BackendError) and "kaggle.com/settings" in str(error.remedy)
    facts = {"section": "s", "scenario": "c", "backend": "kaggle", "created": "2026-01-01T00:00:00Z"}
    entry = JournalEntry(session_id="one", phase=Phase.FAILED, error=text, **facts)
    Journal(tmp_path / "validation_output" / "sessions").record(entry)
    assert "phone" in only_warning(check_phone(tmp_path))


def test_account_without_any_gpu_hours_is_a_sign_too() -> None:
    assert judge_grant(GpuQuota(0.0, 0.0, None)) is not None
    assert judge_grant(GpuQuota(0.0, 3600.0, None)) is None
