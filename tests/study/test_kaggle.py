"""A study on Kaggle, two sessions at a time, as the real client sees it: bit for bit the local one."""

import pytest

from tests.emulator.world import Rules
from tests.remote.kaggle_world import kaggle_world
from tests.study.conftest import StudyPlace
from tests.study.processes import uninterrupted, unrehearsed
from validation_ch7.cli.study_view import choose_executor
from validation_ch7.study.drive import run_study


@pytest.mark.slow
def test_chains_on_kaggle_two_at_a_time_end_where_local_ones_end(tmp_path):
    remote, local = StudyPlace(tmp_path / "remote"), StudyPlace(tmp_path / "local")
    for place in (remote, local):
        place.edit("timesteps: 512", "timesteps: 512\nsession_timesteps: 256")
    remote.edit("name: tiny", "name: tiny\nbackend: kaggle")
    executor = choose_executor(remote.spec, None, None)
    with kaggle_world(tmp_path, Rules(queued_for=1, gpu_sessions=2)) as kaggle:
        done = run_study(remote.spec, remote.root, remote.config, executor, remote.lines.append, rehearsal=unrehearsed)
        executor.close()
        sessions, datasets = kaggle.sessions_started, len(kaggle.world.datasets)
    assert (done.exit_code, executor.name, sessions, datasets) == (0, "threads", 4, 2), done.error
    assert {record.chain_id: record.digest for record in done.chains} == uninterrupted(local)
