"""Failures that a real project had with hand-made checkpointing, one test each; numbers are of docs/PAINS.md."""

import io
import os

import gymnasium as gym
import pytest
from stable_baselines3 import DQN, PPO

from validation_ch7.checkpoints import CheckpointStore, Deadline, find_latest_checkpoint, learn_resumable
from validation_ch7.checkpoints.metadata import read_metadata
from validation_ch7.config import load_section
from validation_ch7.console import Console
from validation_ch7.errors import CheckpointIncompatibleError, ConfigurationError
from validation_ch7.remote.bundle import build_bundle, unpack_bundle
from validation_ch7.session import SessionPlan, SummaryStatus, output_faults, read_output_manifest, read_summary
from validation_ch7.training.algorithms import choose_device, find_algorithm


class MovableClock:
    """Seconds that move only when told to, or by a step at each look."""

    def __init__(self, step=0.0):
        self.now, self.step = 0.0, step

    def __call__(self):
        self.now += self.step
        return self.now


def ppo(net_arch=(8,)):
    return PPO(
        "MlpPolicy",
        "CartPole-v1",
        n_steps=32,
        batch_size=32,
        n_epochs=1,
        seed=1,
        policy_kwargs={"net_arch": list(net_arch)},
    )


def dqn():
    return DQN("MlpPolicy", "CartPole-v1", buffer_size=100, learning_starts=10, seed=1, policy_kwargs={"net_arch": [8]})


def outputs(place):
    session = place.backend.submitted[-1].session_id
    return place.root / "sessions" / session / "working" / "section_7_6_rl_performance"


def test_pain_1_every_output_is_listed_with_a_digest_that_reads_back(place):
    place.run(quick=True)
    manifest = read_output_manifest(outputs(place))
    assert "data/models/checkpoints/traffic_light_control_checkpoint_256_steps.zip" in manifest.files
    assert output_faults(outputs(place), manifest) == []


def test_pain_3_restore_writes_where_the_next_session_reads(place):
    place.edit("save_freq: 128", "save_freq: 256")
    place.run(quick=True)
    place.run(quick=True)
    scratch = place.root / "sessions" / place.backend.submitted[1].session_id / "scratch"
    carried = scratch / "checkpoints" / "checkpoints" / place.store.path(256).name
    assert carried.read_bytes() == place.store.path(256).read_bytes()


def test_pain_4_metadata_is_written_and_read_by_one_schema(place):
    run = place.run(quick=True)
    metadata = read_metadata(place.store.metadata_path)
    manifest = place.store.verify(place.store.paths()[0])
    assert (metadata.steps, metadata.checkpoint, metadata.best.steps) == (run.steps_after, manifest.digest, 256)


def test_pain_5_compatibility_is_checked_on_the_only_way_to_a_resume(tmp_path):
    store = CheckpointStore(tmp_path, "task")
    learn_resumable(ppo(), 64, store)
    with pytest.raises(CheckpointIncompatibleError, match=r"checkpoint=\[8\], current=\[9\]"):
        learn_resumable(ppo([9]), 128, store)


def test_pain_6_the_replay_buffer_comes_back(tmp_path):
    store = CheckpointStore(tmp_path, "task")
    first, second = dqn(), dqn()
    learn_resumable(first, 60, store)
    learn_resumable(second, 60, store)
    learn_resumable(second, 64, store)
    assert (first.replay_buffer.observations[:60] == second.replay_buffer.observations[:60]).all()


def test_pain_7_rotation_keeps_no_chunk_without_a_checkpoint(tmp_path):
    store = CheckpointStore(tmp_path, "task")
    learn_resumable(dqn(), 400, store, save_freq=20)
    named = {digest for entry in store.entries() for digest in entry.manifest.chunk_digests}
    assert {path.stem for path in store.chunks.glob("*.npz")} == named
    assert len(store.paths()) == 2


def test_pain_8_the_newest_is_the_one_with_most_steps_whatever_the_clock_of_the_file_says(tmp_path):
    store = CheckpointStore(tmp_path, "task")
    learn_resumable(ppo(), 128, store, save_freq=64)
    older, newer = store.path(64), store.path(128)
    os.utime(older, (4e9, 4e9))
    os.utime(newer, (1e9, 1e9))
    assert find_latest_checkpoint(store) == newer


def test_pain_14_saves_come_by_time_as_well_as_by_steps(tmp_path):
    lines = []
    clock = MovableClock(step=1.0)
    learn_resumable(
        ppo(),
        320,
        CheckpointStore(tmp_path, "task"),
        save_freq=10**9,
        save_interval_s=5,
        clock=clock,
        log=lines.append,
        asynchronous=False,
    )
    assert sum("saved" in line for line in lines) > 2


def test_pain_15_one_deadline_stops_gracefully_and_the_next_call_goes_on(tmp_path):
    store, clock = CheckpointStore(tmp_path, "task"), MovableClock(step=0.1)
    first = learn_resumable(ppo(), 320, store, deadline=Deadline(3.0, clock), clock=clock)
    second = learn_resumable(ppo(), 320, store)
    assert first.status is SummaryStatus.STOPPED_AT_DEADLINE
    assert 0 < first.steps_after < 320
    assert (second.steps_before, second.steps_after) == (first.steps_after, 320)


def test_pain_16_the_session_runs_the_code_that_was_planned(tmp_path):
    code = tmp_path / "code" / "validation_ch7"
    code.mkdir(parents=True)
    (code / "__init__.py").write_text("VERSION = 1")
    plan = SessionPlan(
        session_id="s", section="x", scenario="y", config={}, stop_at=1, target_steps=1, limit_s=1, code_sha256="0" * 64
    )
    with pytest.raises(ConfigurationError, match="code has changed"):
        build_bundle(tmp_path / "out", plan=plan, code_root=tmp_path / "code")
    bundle = build_bundle(
        tmp_path / "out", plan=plan.model_copy(update={"code_sha256": None}), code_root=tmp_path / "code"
    )
    index = unpack_bundle(bundle.path, tmp_path / "unpacked", bundle.sha256)
    assert (tmp_path / "unpacked" / "code" / "validation_ch7" / "__init__.py").read_text() == "VERSION = 1"
    assert len(index["code_sha256"]) == 64


def test_pain_18_a_console_without_the_sign_gets_a_plain_one():
    stream = io.TextIOWrapper(io.BytesIO(), encoding="cp1252")
    Console(stream).say("✅ restored → 4 file(s)")
    stream.flush()
    assert stream.buffer.getvalue().decode("cp1252").split() == ["[OK]", "restored", "->", "4", "file(s)"]


def test_pain_21_a_failed_session_keeps_the_rows_that_it_wrote(place):
    place.run(quick=True)
    curve = place.root / "validation_ch7" / "section_7_6_rl_performance" / "data" / "logs" / "traffic_light_control"
    place.backend.fail_with = "the machine died"
    place.run(quick=True)
    assert len((curve / "progress.csv").read_text(encoding="utf-8").splitlines()) > 1


def test_pain_25_every_evaluation_of_a_session_uses_the_one_configuration(place):
    place.edit("quick_episodes: 1", "quick_episodes: 2")
    place.run(quick=True)
    summary = read_summary(outputs(place))
    assert summary.metrics["episodes"] == load_section(place.config).evaluation.quick_episodes


def test_pain_26_a_wrong_device_name_is_refused_with_what_would_be_right():
    with pytest.raises(ConfigurationError, match="device cannot be used"):
        choose_device("gpu", find_algorithm("ppo"), "MlpPolicy", cuda=False)


def test_pain_26_an_observation_space_of_another_size_is_named(tmp_path):
    store = CheckpointStore(tmp_path, "task")
    learn_resumable(ppo(), 32, store)
    other = PPO("MlpPolicy", gym.make("Acrobot-v1"), n_steps=32, batch_size=32, policy_kwargs={"net_arch": [8]})
    with pytest.raises(CheckpointIncompatibleError, match=r"Observation space: checkpoint=.*4.*current=.*6"):
        learn_resumable(other, 64, store)
