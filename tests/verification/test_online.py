import os
from pathlib import Path

import pytest

from tests.remote.kaggle_world import kaggle_world
from tests.verification.reading import all_well, only_issue, only_warning
from validation_ch7.verification.finding import Grade
from validation_ch7.verification.online import check_online, judge_quota


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
