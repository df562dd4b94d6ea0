from __future__ import annotations

import pytest

from tests.remote.conformance import BackendConformance


class TestKaggleBackend(BackendConformance):
    @pytest.fixture
    def backend(self, kaggle):
        return kaggle.backend()

    @pytest.fixture
    def again(self, kaggle):
        return kaggle.backend()
