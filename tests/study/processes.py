"""``study run`` as a process: watched, killed with everything that it started, run again."""

import functools
import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import psutil
import pytest

from tests.chain.in_process import InProcessBackend
from validation_ch7.study.drive import run_study
from validation_ch7.study.executor import SerialExecutor
from validation_ch7.study.standing import newest_steps
from validation_ch7.study.train import run_chain

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 400
posix_only = pytest.mark.skipif(os.name == "nt", reason="SIGKILL is POSIX; Windows has no kill -9")


def unrehearsed(config, folder):
    return {"mean_delay_s": 0.0}


def uninterrupted(place):
    """Return the digests of the study, run to its end in this process."""
    train = functools.partial(run_chain, backend=InProcessBackend(place.root / "sessions"))
    done = run_study(place.spec, place.root, place.config, SerialExecutor(), print, train=train, rehearsal=unrehearsed)
    assert done.success
    return {record.chain_id: record.digest for record in done.chains}


def until(condition, process=None):
    """Return what ``condition`` returns once it is true."""
    pause = threading.Event()
    for _ in range(int(PATIENCE_S / 0.05)):
        if found := condition():
            return found
        if process is not None and process.poll() is not None:
            pytest.fail(f"ended with {process.returncode} before its time")
        pause.wait(0.05)
    raise AssertionError(f"not within {PATIENCE_S} s")


class StudyRunning:
    """The command, with its output in a file."""

    def __init__(self, place, *flags, **environment):
        self.place = place
        self.output = place.root / f"output-{len(list(place.root.glob('output-*')))}"
        self.stream = self.output.open("w", encoding="utf-8")
        words = ["-m", "validation_ch7", "study", "run", "--json", "--config", str(place.config), *place.flags, *flags]
        self.process = subprocess.Popen(
            [sys.executable, *words],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self.stream,
            text=True,
            encoding="utf-8",
            env={**os.environ, **environment},
        )

    def until_saved(self, chain, steps):
        """Wait until a chain has a checkpoint of so many steps."""
        workspace = self.place.folder.workspace(chain)
        until(lambda: newest_steps(workspace, "traffic_light_control") >= steps, self.process)

    def kill_everything(self):
        """SIGKILL for the command and all that it has started."""
        driver = psutil.Process(self.process.pid)
        for victim in [driver, *driver.children(recursive=True)]:
            kill(victim)
        self.process.communicate()

    def end(self):
        """Return the exit code and the JSON object."""
        answer, _ = self.process.communicate(timeout=PATIENCE_S)
        self.stream.close()
        assert answer, self.output.read_text("utf-8")
        return self.process.returncode, json.loads(answer)


def kill(process):
    if process.is_running():
        os.kill(process.pid, signal.SIGKILL)


def digests(answer):
    return {chain["chain_id"]: chain["digest"] for chain in answer["chains"]}
