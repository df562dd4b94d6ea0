import io
import signal
import threading
from collections import deque
from types import SimpleNamespace

import gymnasium as gym
import pytest
from stable_baselines3 import DQN, PPO
from stable_baselines3.common.logger import Logger
from stable_baselines3.common.vec_env import DummyVecEnv

from validation_ch7.training.progress import (
    BarDisplay,
    LineDisplay,
    ProgressCallback,
    Standing,
    choose_display,
    progress_line,
)
from validation_ch7.training.session_log import SessionLog
from validation_ch7.training.signals import stop_requests


class Console(io.TextIOWrapper):
    """A console with an encoding; ``isatty`` says whether it is a terminal."""

    def __init__(self, encoding, terminal=False):
        super().__init__(io.BytesIO(), encoding=encoding, write_through=True)
        self.terminal = terminal

    def isatty(self):
        return self.terminal

    def text(self):
        return self.buffer.getvalue().decode(self.encoding)


@pytest.mark.parametrize("encoding", ["cp1252", "ascii", "utf-8"])
def test_log_line_never_fails_on_a_console_without_the_sign(tmp_path, encoding):
    console = Console(encoding)
    with SessionLog(tmp_path / "session.log", console) as log:
        log("done ✓ 1 → 2")
    assert console.text().startswith("done ")
    assert (tmp_path / "session.log").read_text(encoding="utf-8") == "done ✓ 1 → 2\n"


def test_closed_console_does_not_stop_the_session(tmp_path):
    console = Console("utf-8")
    console.close()
    with SessionLog(tmp_path / "session.log", console) as log:
        log("still here")
    assert "still here" in (tmp_path / "session.log").read_text()


def test_lines_come_at_a_bounded_rate_and_the_last_one_always():
    lines, time_s = [], [0.0]
    display = LineDisplay(lines.append, lambda: time_s[0], interval_s=10.0)
    for second in range(31):
        time_s[0] = float(second)
        display.show(Standing(second * 100, 4000), last=False)
    display.show(Standing(3001, 4000), last=True)
    assert [line.split()[1] for line in lines] == ["200", "1,200", "2,200", "3,001"]


def test_line_without_rate_or_reward():
    assert progress_line(Standing(0, 10)) == "[TRAINING] 0 / 10 steps"


@pytest.mark.parametrize(
    ("encoding", "terminal", "kind"),
    [("utf-8", True, BarDisplay), ("utf-8", False, LineDisplay), ("cp1252", True, LineDisplay)],
)
def test_bar_only_on_a_terminal_that_can_draw_it(monkeypatch, encoding, terminal, kind):
    monkeypatch.setenv("TERM", "xterm")
    assert type(choose_display(print, lambda: 0.0, Console(encoding, terminal))) is kind


def test_bar_shows_steps_and_target(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    console = Console("utf-8", terminal=True)
    display = choose_display(print, lambda: 0.0, console)
    display.show(Standing(50, 100, 1234.0, -3.0), last=True)
    display.close()
    assert "50/100" in console.text() and "reward -3.0" in console.text()


def test_rate_counts_the_steps_of_this_session_only():
    model = SimpleNamespace(num_timesteps=1000, n_envs=1, ep_info_buffer=deque([{"r": 4.0}]), logger=Logger(None, []))
    lines, time_s = [], [0.0]
    callback = ProgressCallback(LineDisplay(lines.append, lambda: time_s[0]), 2000, lambda: time_s[0])
    callback.init_callback(model)
    callback.on_training_start({}, {})
    time_s[0], model.num_timesteps = 2.0, 1100
    callback.finish()
    assert lines == ["[TRAINING] 1,100 / 2,000 steps  50 steps/s  reward 4.0"]


@pytest.mark.parametrize(
    ("algorithm", "settings", "begun", "shown"),
    [
        (PPO, {"n_steps": 64, "batch_size": 64}, 0, "128 / 128 steps"),
        (PPO, {"n_steps": 64, "batch_size": 64}, 128, "256 / 256 steps"),
        (DQN, {"train_freq": 4}, 0, "104 / 104 steps"),
        (DQN, {"train_freq": (1, "episode")}, 0, "100 / 100 steps"),
    ],
)
def test_session_ends_where_the_progress_says_it_will(algorithm, settings, begun, shown):
    model = algorithm("MlpPolicy", DummyVecEnv([lambda: gym.make("CartPole-v1")] * 2), device="cpu", **settings)
    model.num_timesteps, model.ep_info_buffer = begun, deque()
    lines = []
    callback = ProgressCallback(LineDisplay(lines.append, lambda: 0.0), begun + 100, lambda: 0.0)
    callback.init_callback(model)
    callback.on_training_start({}, {})
    model.num_timesteps = callback.standing().target
    callback.finish()
    assert lines == [f"[TRAINING] {shown}"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_is_a_flag_and_former_handlers_come_back(number):
    former = signal.getsignal(number)
    with stop_requests() as stop:
        assert not stop()
        signal.raise_signal(number)
        assert stop() and stop.received is number
    assert signal.getsignal(number) is former


def test_second_ctrl_c_is_a_keyboard_interrupt():
    with pytest.raises(KeyboardInterrupt, match=r"^$"), stop_requests():
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)


def test_outside_the_main_thread_the_flag_stays_down():
    seen = []

    def work():
        with stop_requests() as stop:
            seen.append(stop())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [False]


def test_log_of_a_session_in_a_notebook_gets_lines(monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")  # as ipykernel does
    assert isinstance(choose_display(print, lambda: 0.0, Console("utf-8")), LineDisplay)
