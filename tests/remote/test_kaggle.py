from __future__ import annotations

import pytest

from tests.remote.conformance import BackendConformance
from tests.remote.kaggle_world import kaggle_world


class TestKaggleBackend(BackendConformance):
    @pytest.fixture
    def kaggle(self, tmp_path):
        with kaggle_world(tmp_path) as world:
            yield world

    @pytest.fixture
    def backend(self, kaggle):
        return kaggle.backend()

    @pytest.fixture
    def again(self, kaggle):
        return kaggle.backend()
