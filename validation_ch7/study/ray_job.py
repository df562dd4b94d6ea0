"""A study as one job of a Ray cluster: the driver runs there and outlives whoever started it.

The tasks of the study are tasks of this job, never jobs of their own. Whoever runs the command again attaches to
the job that is at work; a job whose driver was killed is submitted again and goes on from what is on the disk.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from validation_ch7.errors import DetachedError, SessionFailedError
from validation_ch7.extras import load_extra
from validation_ch7.study.executor import Stop
from validation_ch7.study.ray_executor import unreachable

_ATTEMPTS = 5
"""Times that a job whose driver was killed is submitted again by one command."""
_POLL_S = 2.0
_OURS = frozenset({0, 2, 3, 4, 5, 6, 75, 130})
"""Exit codes that a driver gives itself; any other one means that it was killed."""
_AT_WORK = frozenset({"PENDING", "RUNNING"})
Say = Callable[[str], None]


@dataclass(frozen=True)
class JobView:
    """What a cluster says of one job."""

    submission_id: str
    status: str
    exit_code: int | None = None
    message: str = ""


class JobService(Protocol):
    """The part of a cluster that runs jobs."""

    def jobs(self, prefix: str) -> list[JobView]:
        """Return the jobs whose name begins so."""
        ...

    def submit(self, submission_id: str, entrypoint: str) -> None:
        """Start a job."""
        ...

    def view(self, submission_id: str) -> JobView:
        """Return what became of a job."""
        ...

    def log(self, submission_id: str) -> str:
        """Return all that a job has written so far."""
        ...


def job_prefix(study: str, workspace: str) -> str:
    """Return how the names of the jobs of a study begin: one study in one workspace.

    >>> job_prefix("tiny", "/data")
    'study-tiny-bd47413b-'
    """
    return f"study-{study}-{hashlib.sha256(workspace.encode()).hexdigest()[:8]}-"


def follow_job(
    service: JobService, prefix: str, entrypoint: str, stop: Stop, say: Say, sleep: Callable[[float], None] = time.sleep
) -> int:
    """Run the driver as a job of the cluster, or attach to the one that runs, and return its exit code.

    Raises:
        DetachedError: this command was asked to stop; the job goes on.
        SessionFailedError: the driver was killed again and again.
    """
    for _ in range(_ATTEMPTS):
        known = service.jobs(prefix)
        running = next((job.submission_id for job in known if job.status in _AT_WORK), None)
        name = running or f"{prefix}{len(known) + 1}"
        if running is None:
            service.submit(name, entrypoint)
        say(f"[STUDY] {'attached to' if running else 'submitted'} job {name}")
        ended = _until_over(service, name, stop, say, sleep)
        if ended.status == "STOPPED":
            return 75
        code = 0 if ended.status == "SUCCEEDED" else ended.exit_code
        if code in _OURS:
            return int(code or 0)
        say(f"[STUDY] the driver of job {name} was killed: {ended.message}")
    raise SessionFailedError(
        "The driver of the study was killed again and again.",
        where=prefix,
        found=ended.message,
        remedy="look at the log of the job in the cluster, then run the same command again",
    )


def _until_over(service: JobService, name: str, stop: Stop, say: Say, sleep: Callable[[float], None]) -> JobView:
    seen = 0
    while True:
        view = service.view(name)
        lines = service.log(name).splitlines()
        for line in lines[seen:]:
            say(line)
        seen = len(lines)
        if view.status not in _AT_WORK:
            return view
        if stop():
            raise DetachedError(
                "Left the job; the study goes on in the cluster.",
                where=name,
                remedy="run the same command again: it attaches to this job",
            )
        sleep(_POLL_S)


class RayJobs:
    """Jobs of a Ray cluster.

    Args:
        address: of its job server, ``http://host:8265``.

    Raises:
        ConfigurationError: Ray is not installed.
        BackendError: the cluster cannot be reached, or does not accept the token.
    """

    def __init__(self, address: str) -> None:
        self._address = address
        submission = load_extra("ray.job_submission", "ray", "to run a study as a job of a Ray cluster")
        self._client: Any = self._asked(lambda: submission.JobSubmissionClient(address))

    def jobs(self, prefix: str) -> list[JobView]:
        """Return the jobs whose name begins so."""
        found = self._asked(lambda: self._client.list_jobs())
        return [_view(job) for job in found if (job.submission_id or "").startswith(prefix)]

    def submit(self, submission_id: str, entrypoint: str) -> None:
        """Start a job."""
        self._asked(lambda: self._client.submit_job(entrypoint=entrypoint, submission_id=submission_id))

    def view(self, submission_id: str) -> JobView:
        """Return what became of a job."""
        return _view(self._asked(lambda: self._client.get_job_info(submission_id)))

    def log(self, submission_id: str) -> str:
        """Return all that a job has written so far."""
        return str(self._asked(lambda: self._client.get_job_logs(submission_id)))

    def _asked(self, question: Callable[[], Any]) -> Any:
        try:
            return question()
        except Exception as fault:  # RuntimeError, ConnectionError, AuthenticationError: Ray has no tree of them
            raise unreachable(self._address, fault) from fault


def _view(job: Any) -> JobView:
    return JobView(
        job.submission_id, str(getattr(job.status, "value", job.status)), job.driver_exit_code, job.message or ""
    )


def entrypoint_of(python: str, words: Sequence[str]) -> str:
    """Return the command of the job, for the shell of a node.

    >>> entrypoint_of("python", ["--workspace", "/my data"])
    "python -m validation_ch7 study run --executor ray --address auto --workspace '/my data'"
    """
    import shlex

    return shlex.join(
        [python, "-m", "validation_ch7", "study", "run", "--executor", "ray", "--address", "auto", *words]
    )
