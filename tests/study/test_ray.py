"""Studies on a real Ray: workers, drivers and nodes are killed, and the numbers are those of one run in a row.

Needs the extra ``ray``. Each test runs the command as people type it.
"""

import importlib.util
import os
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import psutil
import pytest

from tests.study.conftest import StudyPlace
from tests.study.processes import StudyRunning, digests, kill, posix_only, uninterrupted, until

pytestmark = [
    pytest.mark.slow,
    posix_only,
    pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="the extra `ray` is not installed"),
]
FIRST, SECOND = "ppo-traffic_light_control-0", "ppo-traffic_light_control-1"
HEAD, OTHER = "127.0.0.2", "127.0.0.3"
CLUSTER = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "1", "RAY_USAGE_STATS_ENABLED": "0", "RAY_AUTH_MODE": "token"}


def make(root):
    place = StudyPlace(root)
    place.edit("timesteps: 512", "timesteps: 4096")
    place.edit("save_freq: 128", "save_freq: 256")
    return place


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    return uninterrupted(make(tmp_path_factory.mktemp("whole") / "work"))


@pytest.fixture
def place(tmp_path):
    return make(tmp_path / "work")


def trainer(chain):
    """Return the Ray worker that trains a chain."""
    return until(lambda: worker_of(chain))


def worker_of(chain):
    """Return the parent of a chain's session, or None where none runs now."""
    for process in psutil.process_iter(["cmdline"]):
        words = " ".join(process.info["cmdline"] or ())
        if f"/chains/{chain}/" in words and "kernel.py" in words and (parent := process.parent()):
            return parent
    return None


def test_a_killed_worker_is_started_again_and_the_study_ends_where_one_run_ends(place, expected):
    running = StudyRunning(place, "--executor", "ray", "--jobs", "2", "--train-only")
    running.until_saved(FIRST, 256)
    kill(trainer(FIRST))
    code, answer = running.end()
    assert (code, digests(answer)) == (0, expected), running.output.read_text("utf-8")


def test_a_killed_driver_takes_its_ray_along_and_the_same_command_ends_where_one_run_ends(place, expected):
    running = StudyRunning(place, "--executor", "ray", "--jobs", "1", "--train-only")
    running.until_saved(FIRST, 256)
    worker = trainer(FIRST)
    kill(psutil.Process(running.process.pid))
    running.process.communicate()
    psutil.wait_procs([worker], timeout=60)
    assert not worker.is_running()
    code, answer = StudyRunning(place, "--executor", "ray", "--jobs", "2").end()
    assert (code, digests(answer)) == (0, expected)
    assert answer["evaluations"]["done"] == answer["evaluations"]["count"]


def free_port(host: str) -> int:
    """Return a port that nobody listens at; the cluster of the test before may still be closing its own."""
    with socket.socket() as listener:
        listener.bind((host, 0))
        return listener.getsockname()[1]


class Nodes:
    """A cluster of two nodes on this machine, one CPU each, with a token and a job server."""

    def __init__(self, folder: Path) -> None:
        self.token = folder / "token"
        self.token.write_text("0123456789abcdef" * 4, encoding="utf-8")
        self.environment = {**os.environ, **CLUSTER, "RAY_AUTH_TOKEN_PATH": str(self.token)}
        port, jobs, client = (free_port(host) for host in (HEAD, "127.0.0.1", HEAD))
        self.address, self.jobs = f"{HEAD}:{port}", f"http://127.0.0.1:{jobs}"
        server = ("--include-dashboard=true", "--dashboard-host=127.0.0.1", f"--dashboard-port={jobs}")
        ports = (f"--port={port}", f"--ray-client-server-port={client}")
        self.nodes = [self.start("--head", f"--node-ip-address={HEAD}", *ports, *server)]
        self.nodes.append(self.start(f"--address={self.address}", f"--node-ip-address={OTHER}"))

    def start(self, *flags: str) -> subprocess.Popen:
        words = [sys.executable, "-c", "from ray.scripts.scripts import main; main()", "start", "--block"]
        node = subprocess.Popen(
            [*words, "--num-cpus=1", "--disable-usage-stats", *flags],
            env=self.environment,
            start_new_session=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        until(lambda: self.raylets(node), node)
        return node

    def raylets(self, node: subprocess.Popen) -> list[psutil.Process]:
        children = psutil.Process(node.pid).children(recursive=True)
        return [child for child in children if child.name() == "raylet"]

    def chain_of_the_other(self) -> str | None:
        """Return the chain that the second node trains now."""
        there = psutil.Process(self.nodes[1].pid).children(recursive=True)
        return next((chain for chain in (FIRST, SECOND) if worker_of(chain) in there), None)

    def until_jobs_are_served(self) -> None:
        def answers() -> bool:
            request = urllib.request.Request(f"{self.jobs}/api/version")
            request.add_header("Authorization", f"Bearer {self.token.read_text('utf-8')}")
            try:
                return urllib.request.urlopen(request, timeout=5).status == 200
            except OSError:
                return False

        until(answers)

    def end(self) -> None:
        for node in self.nodes:
            for process in [*psutil.Process(node.pid).children(recursive=True), node]:
                kill(psutil.Process(process.pid)) if psutil.pid_exists(process.pid) else None
            node.wait()


@pytest.fixture
def nodes(tmp_path):
    if not sys.platform.startswith("linux"):
        pytest.skip("two nodes on one machine need two loopback addresses, which Linux has")
    cluster = Nodes(tmp_path)
    yield cluster
    cluster.end()


def test_a_killed_node_loses_nothing_and_its_chain_goes_on_on_the_other(place, expected, nodes):
    flags = ("--address", nodes.address, "--token-file", str(nodes.token), "--train-only")
    running = StudyRunning(place, *flags, RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER="1")
    doomed = until(nodes.chain_of_the_other, running.process)
    running.until_saved(doomed, 256)
    (raylet,) = nodes.raylets(nodes.nodes[1])
    kill(raylet)
    code, answer = running.end()
    assert (code, digests(answer)) == (0, expected), (doomed, running.output.read_text("utf-8"))


def test_a_study_as_a_job_outlives_its_killed_driver_and_whoever_started_it(place, expected, nodes):
    nodes.until_jobs_are_served()
    flags = ("--address", nodes.jobs, "--token-file", str(nodes.token), "--train-only")
    first = StudyRunning(place, *flags)
    first.until_saved(FIRST, 256)
    first.kill_everything()  # whoever started it
    second = StudyRunning(place, *flags)
    until(lambda: "attached to job" in second.output.read_text("utf-8"), second.process)
    (driver,) = [
        process
        for process in psutil.process_iter(["cmdline"])
        if {"--address", "auto", str(place.root)} <= set(process.info["cmdline"] or ()) and "python" in process.name()
    ]
    kill(driver)
    code, answer = second.end()
    said = second.output.read_text("utf-8")
    assert (code, digests(answer)) == (0, expected), said
    assert "the driver of job" in said
