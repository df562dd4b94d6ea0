from __future__ import annotations

import pytest

from tests.remote.kaggle_world import kaggle_world


@pytest.fixture
def kaggle(tmp_path):
    with kaggle_world(tmp_path) as world:
        yield world
