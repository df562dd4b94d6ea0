"""The chain over real processes: killed, interrupted, run again by the command that people type."""

import json
import os
import shlex
import signal
import subprocess
import sys
import threading
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from tests.chain.conftest import Place
from validation_ch7.checkpoints.archive import read_archive
from validation_ch7.checkpoints.resume import restore_policy
from validation_ch7.checkpoints.state_digest import state_digest
from validation_ch7.cli.conclusion import Typed, conclude
from validation_ch7.cli.main import main
from validation_ch7.cli.run_section import run_section
from validation_ch7.config import Overrides, load_section
from validation_ch7.console import Console
from validation_ch7.section_run import SectionRun
from validation_ch7.training.algorithms import build_training

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "validation_ch7" / "scripts" / "run_kaggle_validation_section_7_6.py"


def command(place, *flags):
    return [
        sys.executable,
        str(SCRIPT),
        "--backend",
        "local",
        "--workspace",
        str(place.root),
        "--config",
        str(place.config),
        *flags,
    ]


def run(place, *flags, **environment):
    return subprocess.run(
        command(place, *flags),
        capture_output=True,
        text=True,
        encoding="utf-8",
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
    )


class Running:
    """The command in a process group of its own, read line by line."""

    def __init__(self, place, *flags):
        self.process = subprocess.Popen(
            command(place, *flags),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            start_new_session=True,
        )
        self.lines = []

    def until(self, wanted):
        watchdog = threading.Timer(120, self.kill)
        watchdog.start()
        for line in self.process.stdout:
            self.lines.append(line)
            if wanted(line):
                watchdog.cancel()
                return line
        watchdog.cancel()
        pytest.fail("the run ended first:\n" + "".join(self.lines))

    def kill(self):
        os.killpg(self.process.pid, signal.SIGKILL)

    def interrupt(self):
        os.killpg(self.process.pid, signal.SIGINT)

    def end(self):
        rest, _ = self.process.communicate(timeout=120)
        return self.process.returncode, "".join(self.lines) + rest


def committed(place):
    """Whether a session has committed a checkpoint in its own folder."""
    folders = place.root.glob("validation_output/local_sessions/*/working/*/data/models/checkpoints/*.zip")
    return sorted(int(path.name.split("_")[-2]) for path in folders)


def newest_state(place):
    return state_digest(read_archive(place.store.paths()[0]))


posix_only = pytest.mark.skipif(os.name == "nt", reason="process groups and SIGKILL are POSIX; Windows has no kill -9")


@pytest.mark.slow
@pytest.mark.parametrize(("flags", "observed"), [((), 66), (("--trust-foreign",), 132)])
def test_statistics_beside_a_foreign_checkpoint_are_read_where_the_command_says_so(tmp_path, flags, observed):
    place = Place(tmp_path)
    model, resumed = (build_training(load_section(place.config, Overrides())) for _ in range(2))
    model.learn(64)  # and two observations at the start
    place.store.folder.mkdir(parents=True)
    model.save(place.store.path(64))
    statistics = place.store.folder / "traffic_light_control_checkpoint_vecnormalize_64_steps.pkl"
    model.get_vec_normalize_env().save(str(statistics))
    words = ["--backend", "local", "--workspace", str(place.root), "--config", str(place.config), "--timesteps", "128"]
    result = CliRunner().invoke(run_section, [*words, *flags])
    assert result.exit_code == 0, result.output
    restore_policy(resumed, read_archive(place.store.path(128)))
    assert resumed.get_vec_normalize_env().obs_rms.count == pytest.approx(observed, abs=0.1)


@posix_only
def test_kill_9_of_everything_then_the_same_command_ends_where_one_run_ends(tmp_path):
    killed, whole = Place(tmp_path / "killed"), Place(tmp_path / "whole")
    for place in (killed, whole):
        place.edit("n_timesteps: 1024", "n_timesteps: 6144")
        place.edit("save_freq: 128", "save_freq: 1024")
    running = Running(killed)
    running.until(lambda line: "[CHECKPOINT] saved" in line)
    running.kill()
    running.process.wait()
    before = max(committed(killed))
    done = run(killed, "--json")
    whole.run()
    answer = json.loads(done.stdout)
    assert (done.returncode, answer["steps_after"]) == (0, 6144)
    assert answer["steps_before"] == before >= 1024
    assert newest_state(killed) == newest_state(whole)


@pytest.mark.slow
@posix_only
def test_ctrl_c_saves_restores_and_exits_130_and_the_next_run_finishes(tmp_path):
    place = Place(tmp_path / "work")
    place.edit("n_timesteps: 1024", "n_timesteps: 200000")
    place.edit("quick_timesteps: 256", "quick_timesteps: 16384")
    running = Running(place, "--quick")
    running.until(lambda line: "steps/s" in line)
    running.interrupt()
    code, text = running.end()
    assert code == 130, text
    assert "Traceback" not in text
    saved = place.store.paths()[0]
    assert f"✓ {saved.name}" in text and "❌" not in text
    assert f"⏸ interrupted: traffic_light_control, saved at step {place.store.newest_steps():,} of 200,000" in text
    typed = ["python", "-m", "validation_ch7", "run", *command(place, "--quick")[2:]]
    assert parsed(next_words(text)[0]) == parsed(typed)
    answer = json.loads(run(place, "--quick", "--json").stdout)
    assert (answer["steps_before"] > 0, answer["steps_after"], answer["resumed_from"]) == (True, 16384, saved.name)


@pytest.mark.slow
def test_two_runs_of_the_command_print_one_json_object_each_and_the_second_resumes(tmp_path):
    place = Place(tmp_path / "with space")
    first = run(place, "--quick", "--json", PYTHONIOENCODING="cp1252")
    second = run(place, "--quick", "--json", PYTHONIOENCODING="ascii")
    one, two = json.loads(first.stdout), json.loads(second.stdout)
    assert (one["steps_after"], two["steps_before"], two["steps_after"]) == (256, 256, 512)
    assert "Traceback" not in first.stderr + second.stderr
    assert "[OK] Successfully restored" in second.stderr


def next_words(text):
    """Return the words of each command after "Next:"."""
    lines = text.split("Next:\n")[1].splitlines()
    return [shlex.split(line) for line in lines if line.startswith("   python -m validation_ch7 ")]


def parsed(words):
    command = main
    words = words[3:]
    while isinstance(command, click.Group):
        command = command.commands[words.pop(0)]
    return command.make_context(command.name, words).params


def test_last_lines_of_the_first_run_say_what_happened_where_it_lies_and_three_commands_that_exist(tmp_path):
    place = Place(tmp_path / "a place ü")
    done = run(place, "--quick")
    last = done.stdout[done.stdout.index("completed: traffic_light_control, steps 0 -> 256") :]
    [results] = [line for line in last.splitlines() if line.startswith("   results: ")]
    assert Path(results.removeprefix("   results: ")).is_dir()
    commands = next_words(last)
    assert [words[3] for words in commands] == ["run", "run", "status"]
    assert all(parsed(words)["workspace"] == place.root for words in commands)
    assert len(last.splitlines()) < 20 and last.splitlines()[-1].startswith("      ")


def test_last_lines_of_a_run_that_failed_name_the_doctor_and_commands_that_exist(tmp_path, capsys):
    failed = SectionRun(False, "failed", "local", "city", 0, 0, 8192, "models", error="no room", exit_code=4)
    flags = {"config": tmp_path / "my section.yml", "scenario": "city"}
    conclude(failed, Console(), Typed("local", tmp_path, flags))
    shown = capsys.readouterr().out
    assert "failed: city" in shown and "why: no room" in shown and "results: none" in shown
    commands = next_words(shown)
    assert [words[3] for words in commands] == ["run", "status", "doctor"]
    assert all(parsed(words)["workspace"] == tmp_path for words in commands)


@pytest.mark.parametrize(
    "words",
    [
        "--timesteps 60000",
        "--timesteps 60000 --quick --algorithm dqn --scenario arterial",
        "--session-timesteps 5000 --session-hours 0.5 --max-sessions 3 --seed 0",
        "--backend kaggle --relay --wait --trust-foreign --config mine.yml",
        "",
    ],
)
@pytest.mark.parametrize(("status", "code"), [("interrupted", 130), ("killed", 4)])
def test_first_command_after_a_run_that_was_cut_is_the_command_that_was_typed(words, status, code, tmp_path, capsys):
    flags = parsed(["", "", "", "run", "--workspace", str(tmp_path / "a b"), *words.split()])
    rest = {name: value for name, value in flags.items() if name not in ("backend", "workspace")}
    target = flags["timesteps"] or 600_000
    cut = SectionRun(False, status, "local", "city", 0, 16_384, target, "models", exit_code=code)
    conclude(cut, Console(), Typed(flags["backend"], flags["workspace"], rest, 600_000))
    shown = capsys.readouterr().out
    assert parsed(next_words(shown)[0]) == flags and "goes on from step 16,384" in shown


def test_repeated_command_does_not_archive_again_what_a_fresh_run_trained(tmp_path, capsys):
    cut = SectionRun(False, "killed", "local", "city", 0, 512, 1024, "models", exit_code=4)
    conclude(cut, Console(), Typed("auto", tmp_path, {"fresh": True, "quick": True}, 1024))
    first = parsed(next_words(capsys.readouterr().out)[0])
    assert (first["fresh"], first["quick"]) == (False, True)


def test_target_of_a_session_that_was_found_again_is_named_where_it_is_not_the_configured_one(capsys):
    cut = SectionRun(False, "killed", "local", "city", 0, 512, 1024, "models", exit_code=4)
    conclude(cut, Console(), Typed("auto", None, {}, 4096))
    assert parsed(next_words(capsys.readouterr().out)[0])["timesteps"] == 1024


def test_run_that_was_cut_while_it_was_evaluated_is_repeated_with_its_target(capsys):
    cut = SectionRun(False, "interrupted", "local", "city", 0, 1024, 1024, "models", exit_code=130)
    conclude(cut, Console(), Typed("auto", None, {"timesteps": 1024}, 4096))
    assert parsed(next_words(capsys.readouterr().out)[0])["timesteps"] == 1024


def test_met_target_is_told_in_words_and_the_status_word_stays_in_json(tmp_path, capsys):
    place = Place(tmp_path)
    place.run(timesteps=256)
    flags = ["--backend", "local", "--workspace", str(place.root), "--config", str(place.config), "--timesteps", "256"]
    result = CliRunner().invoke(run_section, [*flags, "--json"])
    assert json.loads(result.stdout)["status"] == "already_complete"
    assert "the target was met already" in result.stderr and "already_complete:" not in result.stderr
    assert parsed(next_words(result.stderr)[0])["timesteps"] == 512


@pytest.mark.parametrize(
    ("flags", "code", "words"),
    [
        (["--backend", "moon"], 2, "no such backend"),
        (["--scenario", "moon"], 2, "no such scenario"),
        (["--algorithm", "magic"], 2, "no such algorithm"),
        (["--timesteps", "0"], 2, "must be positive"),
        (["--config", "nowhere.yml"], 2, "cannot be read"),
        (["--backend", "kaggle"], 3, "No Kaggle credentials"),
        (["--nonsense"], 2, "No such option"),
        (["--session-hours", "nan"], 2, "must be positive"),
    ],
)
def test_bad_input_is_one_message_and_an_exit_code(tmp_path, flags, code, words):
    place = Place(tmp_path)
    home = tmp_path / "home"
    home.mkdir()
    clean = dict.fromkeys(("KAGGLE_API_TOKEN", "KAGGLE_USERNAME", "KAGGLE_KEY", "XDG_CONFIG_HOME"), "")
    done = run(place, *flags, **clean, HOME=str(home), USERPROFILE=str(home), KAGGLE_CONFIG_DIR=str(home))
    assert (done.returncode, words in done.stderr, "Traceback" in done.stderr) == (code, True, False), done.stderr


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: [", "not valid YAML"),
        ("- just\n- a list\n", "must hold keys and values"),
        ("section: x\nsurprise: 1\n", "surprise: Extra inputs"),
    ],
)
def test_broken_configuration_names_file_and_key(tmp_path, text, words):
    place = Place(tmp_path)
    place.config.write_text(text, encoding="utf-8")
    done = run(place)
    assert (done.returncode, words in done.stderr, str(place.config) in done.stderr) == (2, True, True), done.stderr


@pytest.mark.parametrize("flags", [["--nonsense"], ["--timesteps", "many"], ["--session-hours", "inf"]])
def test_a_wrong_flag_is_one_json_object_too(tmp_path, flags):
    done = run(Place(tmp_path), "--json", *flags)
    assert json.loads(done.stdout)["exit_code"] == done.returncode == 2
