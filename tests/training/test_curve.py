import shutil

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from tests.training.sessions import Scene
from tests.training.test_run_session import PARENT, second_scene
from tests.training.worlds import gym_factory, section_config
from validation_ch7.training.algorithms import build_training
from validation_ch7.training.curve import SessionRows, merge_progress, read_rows, read_sessions, write_curve
from validation_ch7.training.logs import CurveWriter, log_interval


def row(session, step, **values):
    return {"session_id": session, "step": str(step), "wall_time": "0"} | values


def steps(rows):
    return [(entry["session_id"], int(entry["step"])) for entry in rows]


def test_rows_beyond_the_step_of_the_resume_are_rolled_back():
    first = SessionRows("a", 0, tuple(row("a", step) for step in (10, 20, 30)))
    second = SessionRows("b", 20, tuple(row("b", step) for step in (30, 40)))
    assert steps(merge_progress([first, second])) == [("a", 10), ("a", 20), ("b", 30), ("b", 40)]


def test_fresh_start_drops_the_whole_earlier_chain():
    first = SessionRows("a", 0, (row("a", 10),))
    assert steps(merge_progress([first, SessionRows("b", 0, (row("b", 10),))])) == [("b", 10)]


def test_columns_are_united_and_rows_of_one_step_joined():
    only = SessionRows("a", 0, (row("a", 10, reward="1"), row("a", 10, loss="2"), row("a", 20, reward="3")))
    merged = merge_progress([only])
    assert [(entry["reward"], entry["loss"]) for entry in merged] == [("1", "2"), ("3", "")]


@given(st.lists(st.tuples(st.integers(0, 50), st.lists(st.integers(1, 60), max_size=8)), max_size=5))
def test_each_step_appears_once_and_in_order(chain):
    sessions = [
        SessionRows(str(i), resumed, tuple(row(str(i), resumed + step) for step in sorted(more)))
        for i, (resumed, more) in enumerate(chain)
    ]
    found = [step for _, step in steps(merge_progress(sessions))]
    assert found == sorted(set(found))
    if sessions:
        newest = {step for _, step in steps(sessions[-1].rows)}
        assert newest <= set(found) and max(found, default=0) <= max(newest, default=sessions[-1].resumed_at)


def test_rows_are_on_the_disk_as_they_come_and_columns_may_grow(tmp_path):
    writer = CurveWriter(tmp_path, "s1", now=lambda: 1.5)
    writer.write({"reward": 1.0}, {}, step=10)
    writer.write({"loss": 0.25, "note": "a,\nb"}, {}, step=20)
    writer.write({"reward": 3, "hidden": 1}, {"hidden": ("csv",)}, step=30)
    rows = read_rows(tmp_path / "progress.csv")
    assert [entry["reward"] for entry in rows] == ["1.0", "", "3"]
    assert rows[1]["note"] == "a, b" and "hidden" not in rows[0]
    assert rows[0] | {} == row("s1", 10, reward="1.0", loss="", note="") | {"wall_time": "1.500"}


@pytest.mark.parametrize("cut", [1, 3, 8])
def test_torn_last_line_is_left_out(tmp_path, cut):
    writer = CurveWriter(tmp_path, "s1")
    for step in (10, 20):
        writer.write({"reward": 123.5}, {}, step=step)
    path = tmp_path / "progress.csv"
    path.write_bytes(path.read_bytes()[:-cut])
    assert [entry["step"] for entry in read_rows(path)] == ["10"]


def test_retry_of_a_session_drops_its_own_rolled_back_rows(tmp_path):
    for step in (10, 20):
        CurveWriter(tmp_path, "s1").write({"reward": 1.0}, {}, step=step)
    writer = CurveWriter(tmp_path, "s1")
    writer.begin(10, "2026-01-01T00:00:00Z")
    writer.write({"reward": 2.0}, {}, step=20)
    assert [entry["reward"] for entry in read_rows(tmp_path / "progress.csv")] == ["1.0", "2.0"]


def test_chain_of_sessions_gives_one_curve_and_one_tensorboard_run(tmp_path):
    first = Scene(tmp_path)
    first.run()
    second = second_scene(first)
    second.now = first.now
    second.run(parent=PARENT, session_id="s2", stop_at=256)
    logs = tmp_path / "logs"
    for scene, name in ((first, "s1"), (second, "s2")):
        shutil.copytree(scene.outputs / "data" / "logs" / "traffic_light_control" / name, logs / name)
    rows = write_curve(logs)
    assert steps(rows)[:4] == [("s1", 64), ("s1", 128), ("s2", 192), ("s2", 256)]
    assert [session.resumed_at for session in read_sessions(logs)] == [0, 128]
    assert list(read_rows(logs / "progress.csv")) == rows
    events = EventAccumulator(str(logs / "tensorboard")).Reload()
    rewards = [(event.step, event.value) for event in events.Scalars("eval/mean_reward")]
    assert rewards == [
        (int(entry["step"]), pytest.approx(float(entry["eval/mean_reward"])))
        for entry in rows
        if entry["eval/mean_reward"]
    ]


def test_values_recorded_before_a_checkpoint_are_in_the_next_sessions_first_row(tmp_path):
    first = Scene(tmp_path)
    config = section_config(evaluation={"freq": 10_000})
    first.run(stop_at=64, config=config)
    second = second_scene(first)
    second.run(config=config, parent=PARENT, session_id="s2", stop_at=256)
    rows = read_rows(second.outputs / "data" / "logs" / "traffic_light_control" / "s2" / "progress.csv")
    assert rows[0]["train/loss"] != ""


def test_unreadable_session_description_leaves_the_others(tmp_path):
    for name in ("a", "b"):
        writer = CurveWriter(tmp_path / name, name)
        writer.begin(0, "2026-01-01T00:00:00Z")
        writer.write({"reward": 1.0}, {}, step=10)
    (tmp_path / "a" / "session.json").write_text("{")
    assert [session.session_id for session in read_sessions(tmp_path)] == ["b"]


def test_algorithm_with_short_rollouts_still_logs_every_few_thousand_steps():
    model = build_training(section_config("a2c", {"n_steps": 16}), gym_factory("CartPole-v1"))
    assert log_interval(model) == 64  # SB3's own 100 would leave a short session without a row
    assert log_interval(model, row_every=1) == 1
