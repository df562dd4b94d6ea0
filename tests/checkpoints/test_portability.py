"""Checkpoints outlive the versions that wrote them, the place where they were written, and the device.

``tests/checkpoints/golden_sets.py`` wrote the sets in ``golden/``, each under the versions that :data:`SETS` names:
PPO to 128 steps on two normalised CartPoles, DQN to 100 steps on one.
"""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch as th

from tests.checkpoints.golden_sets import dqn, ppo
from validation_ch7.checkpoints import CheckpointStore, learn_resumable, resume
from validation_ch7.checkpoints.arrays import unpack_arrays
from validation_ch7.checkpoints.generators import put_generators, take_generators
from validation_ch7.checkpoints.loop import grade
from validation_ch7.session import Exactness

GOLDEN = Path(__file__).parent / "golden"
SETS = {
    "numpy-1.26": {
        "python": "3.11.7",
        "torch": "2.13.0",
        "numpy": "1.26.4",
        "gymnasium": "1.0.0",
        "stable-baselines3": "2.7.0",
    },
    "torch-2.4": {
        "python": "3.12.1",
        "torch": "2.4.1",
        "numpy": "2.0.2",
        "gymnasium": "1.1.1",
        "stable-baselines3": "2.7.1",
    },
}
RUNS = [(ppo, "ppo", 128, 256), (dqn, "dqn", 100, 200)]


@pytest.fixture(params=SETS)
def moved(request, tmp_path):
    return Path(shutil.copytree(GOLDEN / request.param, tmp_path / "moved to" / request.param))


@pytest.mark.parametrize("prefix", ["ppo", "dqn"])
def test_the_sets_were_written_by_these_versions(moved, prefix):
    (entry,) = CheckpointStore(moved, prefix).entries()
    written = {name: version.split("+")[0] for name, version in entry.manifest.software.items()}
    assert written == SETS[moved.name]


@pytest.mark.parametrize(("build", "prefix", "steps", "target"), RUNS)
def test_a_checkpoint_of_older_libraries_resumes_exactly_and_says_which_they_were(moved, build, prefix, steps, target):
    result = learn_resumable(build(), target, CheckpointStore(moved, prefix))
    assert (result.steps_before, result.steps_after, result.lost) == (steps, target, ())
    assert result.exactness is Exactness.EXACT
    for name in ("numpy", "gymnasium"):
        assert any(text.startswith(f"{name}: checkpoint={SETS[moved.name][name]}") for text in result.warnings)


def test_statistics_and_replay_of_older_libraries_come_back(moved):
    first, second = ppo(), dqn()
    learn_resumable(first, 128, CheckpointStore(moved, "ppo"))
    learn_resumable(second, 101, CheckpointStore(moved, "dqn"))
    assert first.get_vec_normalize_env().obs_rms.count == pytest.approx(130, abs=1)
    assert (second.replay_buffer.full, second.replay_buffer.pos) == (True, (101 + 3) // 4 * 4 % 80)


def test_two_resumes_of_one_old_checkpoint_end_alike(moved, tmp_path):
    other = Path(shutil.copytree(moved, tmp_path / "second"))
    ends = [learn_resumable(dqn(), 200, CheckpointStore(root, "dqn")).digest for root in (moved, other)]
    states = [CheckpointStore(root, "dqn").read(CheckpointStore(root, "dqn").path(200)) for root in (moved, other)]
    assert all(ends)
    assert states[0].members["policy.pth"] == states[1].members["policy.pth"]


@pytest.mark.skipif(not th.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize(("build", "prefix"), [(ppo, "ppo"), (dqn, "dqn")])
def test_a_chain_goes_from_the_processor_to_a_gpu_and_back(tmp_path, build, prefix):
    store = CheckpointStore(tmp_path, prefix)
    results = [learn_resumable(build(device), 384, store, session_timesteps=128) for device in ("cpu", "cuda", "cpu")]
    assert [result.steps_after for result in results] == [128, 256, 384]
    assert [result.exactness for result in results] == ["exact", "statistical", "statistical"]
    assert results[0].lost == () and results[1].lost[0].startswith("device (cpu in the checkpoint, cuda, ")
    assert len(results[2].lost) == 2 and results[2].lost[0].endswith("cpu now: its arithmetic rounds differently)")


def test_generators_of_devices_that_are_not_here_lower_the_grade_and_are_named():
    members = resume.state_members(*take_generators())
    node, arrays = json.loads(members[resume.STATE_NAME]), unpack_arrays(members[resume.ARRAYS_NAME])
    here = th.cuda.device_count()
    states = {f"rng_cuda_{index}": np.array([7] + [0] * 15, np.uint8) for index in range(here + 1)}
    assert put_generators(node | {"cuda": here + 1}, arrays | states) == []  # seeded, but nobody has drawn from it
    states[f"rng_cuda_{here}"][8] = 4
    lost = put_generators(node | {"cuda": here + 1}, arrays | states)
    assert lost == [f"generators of {here + 1} CUDA device(s); {here} here"]
    assert grade(lost) is Exactness.STATISTICAL


def test_another_device_lowers_the_grade_and_is_named(tmp_path, monkeypatch):
    store = CheckpointStore(tmp_path, "ppo")
    learn_resumable(ppo(), 128, store)
    monkeypatch.setattr(resume, "device_name", lambda _: "cuda, Tesla P100")
    result = learn_resumable(ppo(), 256, store)
    assert (result.exactness, result.steps_after) == (Exactness.STATISTICAL, 256)
    assert result.lost == ("device (cpu in the checkpoint, cuda, Tesla P100 now: its arithmetic rounds differently)",)
