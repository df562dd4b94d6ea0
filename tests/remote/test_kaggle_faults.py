"""Every scenario through manager, official client and emulated service: no second session, no damaged training tree.

The first 256 steps are there; the second session, which the trouble meets, leaves what a real session left, so
that the end can be compared bit by bit with that of a chain without trouble.
"""

from __future__ import annotations

import dataclasses
import os
import re
import shutil
import signal
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.chain.conftest import Place
from tests.chain.test_killed_manager import Killed, MortalJournal
from tests.chain.test_refusals import MovableClock
from tests.emulator.world import Rules
from tests.remote.fault_scenarios import LISTING, SCENARIOS, STATUS, replay_code, table
from tests.remote.kaggle_world import OPTIONS, kaggle_world
from validation_ch7 import conductor
from validation_ch7.checkpoints.archive import read_archive
from validation_ch7.checkpoints.state_digest import state_digest
from validation_ch7.cli.outcome import exit_code_of
from validation_ch7.remote.request import prepare
from validation_ch7.remote.transport import Timeouts

ROOT = Path(__file__).parents[2]
PATIENT = dataclasses.replace(OPTIONS, timeouts=Timeouts(5.0, 2.0, 10.0))  # also on a busy machine
SECTION, SCENARIO = "section_7_6_rl_performance", "traffic_light_control"


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """A chain of two sessions without trouble: the tree after the first, and what the second left."""
    folder = tmp_path_factory.mktemp("undisturbed")
    place = Place(folder / "chain")
    place.run(quick=True)
    shutil.copytree(place.root / "validation_ch7", folder / "after_one")
    place.run(quick=True)
    last = place.backend.submitted[-1].session_id
    shutil.copytree(place.root / "sessions" / last / "working" / SECTION, folder / "outputs")
    place.code = replay_code(folder / "code", folder / "outputs")
    place.folder, place.digest = folder, tree_digest(place)
    return place


def tree_digest(place):
    return state_digest(read_archive(place.store.paths()[0]))


@pytest.fixture
def place(tmp_path, undisturbed, monkeypatch):
    place = Place(tmp_path / "work space")
    shutil.copytree(undisturbed.folder / "after_one", place.root / "validation_ch7")
    (undisturbed.folder / "behaviour").write_text("good")
    place.behave = (undisturbed.folder / "behaviour").write_text

    def replayed(backend, plan, files, _, output, *, relay, title):
        return prepare(backend, plan, files, undisturbed.code, output, relay=relay, title=title)

    monkeypatch.setattr(conductor, "prepare", replayed)
    monkeypatch.setattr("validation_ch7.remote.request.session_wheels", lambda _: [])
    return place


def run(place, kaggle, killed=None, received=None, clock=None, **asked):
    """Run the second session as the command would, and return the exit code; it may receive a signal on the way."""
    short = threading.Event()

    def sleep(seconds):
        nonlocal received
        if received is not None and "running" in place.said:
            received = os.kill(os.getpid(), received)
        if clock is not None:
            clock.sleep(seconds)
        if clock is None or any(session.running for session in kaggle.world.sessions()):
            short.wait(min(seconds, 0.02))

    place.backend = kaggle.backend(options=PATIENT)
    manager = place.manager(sleep=sleep, clock=clock or time.time)
    if killed is not None:
        manager.journal = MortalJournal(manager.journal.folder, killed)
    try:
        facts = {"config": place.config, "quick": True, "session_timesteps": None, "timesteps": 512, **asked}
        place.result = None
        return exit_code_of(lambda: _kept(place, manager.run_validation_section(**facts)).exit_code)
    except Killed:
        return 137


def _kept(place, result):
    place.result = result
    return result


@pytest.mark.slow
@pytest.mark.parametrize("name", SCENARIOS)
def test_trouble_costs_no_second_session_and_no_step(place, undisturbed, tmp_path, name, monkeypatch, capsys):
    scenario = SCENARIOS[name]
    place.behave(scenario.behaviour)
    before = {path.name: path.read_bytes() for path in place.store.paths()}
    with kaggle_world(tmp_path, scenario.rules) as kaggle:
        with monkeypatch.context() as patched:
            kaggle.patch = patched.setattr
            scenario.arrange(kaggle)
            kaggle.add(*scenario.faults)
            code = run(place, kaggle, scenario.killed)
        told = place.said + capsys.readouterr().err
        met, asked = kaggle.world.plan.met, kaggle.world.plan.requests
        assert [fault for fault in scenario.faults if fault not in met] == [], told
        assert all("versionLabel" in body for call, body in asked if call in (STATUS, LISTING))
        assert (code, kaggle.sessions_ever) == (scenario.exit_code, scenario.sessions), told
        assert scenario.says in told
        [entry] = place.manager().journal.entries()
        assert ", ".join(filter(None, (entry.phase, entry.status))) == scenario.journal
        assert (place.result is None) == (code in (3, 6, 137))
        assert place.result is None or scenario.journal == f"closed, {place.result.status}"
        steps = [place.store.verify(path).steps for path in place.store.paths()]
        assert steps[0] in (384, 512) or before == {path.name: path.read_bytes() for path in place.store.paths()}
        kaggle.world.rules, kaggle.world.plan._left = Rules(), []
        kaggle.world.pardon()
        place.behave("good")
        unfinished = place.manager().journal.unfinished(SECTION, SCENARIO)
        if code == 0:  # a true success: nothing is left to be done
            assert (steps[0], unfinished) == (512, [])
        elif steps[0] < 512 or unfinished:
            assert run(place, kaggle) == 0, place.said
            assert place.result.status == "completed"
        assert kaggle.sessions_ever == scenario.in_all
    assert place.store.newest_steps() == 512
    assert tree_digest(place) == undisturbed.digest
    assert not place.manager().journal.unfinished(SECTION, SCENARIO)
    assert not list(place.root.rglob("*evil*"))


@pytest.mark.slow
@pytest.mark.parametrize(("received", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 75)], ids=["Ctrl-C", "SIGTERM"])
def test_signal_leaves_the_session_alone_and_the_next_run_attaches(
    place, undisturbed, tmp_path, capsys, received, code
):
    place.behave("waits")
    with kaggle_world(tmp_path) as kaggle:
        assert run(place, kaggle, received=received) == code
        assert "run the same command again: it attaches to this session" in capsys.readouterr().err
        assert [session.running for session in kaggle.world.sessions()] == [True]
        (undisturbed.folder / "go").touch()
        assert run(place, kaggle) == 0
        (undisturbed.folder / "go").unlink()
        assert kaggle.sessions_ever == 1
    assert tree_digest(place) == undisturbed.digest


@pytest.mark.slow
def test_wait_for_gpu_hours_that_ran_out_by_running_goes_on_in_the_new_week(place, undisturbed, tmp_path):
    clock = MovableClock()
    with kaggle_world(tmp_path, Rules(gpu_seconds=7200), clock=clock) as kaggle:
        other = {"newTitle": "Another Kernel", "text": "while True: __import__('time').sleep(60)", "enableGpu": True}
        kaggle.server.api.save_kernel(other)
        clock.sleep(7200)
        kaggle.world.sessions()[0].stop()
        refresh = clock() + 3600
        kaggle.world.refresh = datetime.fromtimestamp(refresh, UTC)
        assert run(place, kaggle, clock=clock) == 6
        assert run(place, kaggle, clock=clock, wait=True) == 0
        assert "Waiting 60 min" in place.said
        assert refresh <= clock() < refresh + 1800
        assert kaggle.sessions_ever == 2
    assert tree_digest(place) == undisturbed.digest


def test_the_table_in_the_docs_is_that_of_the_tests():
    text = (ROOT / "docs" / "KAGGLE.md").read_text(encoding="utf-8")
    assert [
        line for line in text.splitlines() if re.fullmatch(r"\| .+ \| \d+ \| [a-z, ]+ \| \d \| \d \|", line)
    ] == table()
    assert len(table()) >= 40
