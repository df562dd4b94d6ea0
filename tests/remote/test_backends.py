from __future__ import annotations

import pytest

from tests.remote.conformance import BackendConformance
from tests.remote.fake_backend import FakeBackend
from validation_ch7.remote.local import LocalBackend


class TestFakeBackend(BackendConformance):
    @pytest.fixture
    def backend(self, tmp_path):
        return FakeBackend(tmp_path / "fake")

    @pytest.fixture
    def again(self, backend):
        return backend


class TestLocalBackend(BackendConformance):
    @pytest.fixture
    def backend(self, tmp_path):
        return LocalBackend(tmp_path / "workspace")

    @pytest.fixture
    def again(self, tmp_path):
        return LocalBackend(tmp_path / "workspace")
