"""Which job of a cluster is followed, and when another is submitted: decided without a cluster."""

import dataclasses

import pytest

from validation_ch7.errors import DetachedError, SessionFailedError
from validation_ch7.study.ray_job import JobView, follow_job

PREFIX = "study-tiny-"


@dataclasses.dataclass
class FakeJobs:
    """A cluster whose jobs end as they are told to; each is asked twice before it has ended."""

    endings: list
    known: dict = dataclasses.field(default_factory=dict)
    asked: int = 0

    def jobs(self, prefix):
        return [job for name, job in self.known.items() if name.startswith(prefix)]

    def submit(self, submission_id, entrypoint):
        self.known[submission_id] = JobView(submission_id, "RUNNING")

    def view(self, submission_id):
        self.asked += 1
        if self.asked % 2 == 0:
            status, code = self.endings.pop(0)
            self.known[submission_id] = JobView(submission_id, status, code, "ended")
        return self.known[submission_id]

    def log(self, submission_id):
        return "one\ntwo" if self.asked % 2 else "one\ntwo\nthree"


def follow(service, lines=None, stop=lambda: False):
    said = [] if lines is None else lines
    return follow_job(service, PREFIX, "python -m validation_ch7", stop, said.append, lambda seconds: None)


def test_a_job_is_submitted_and_its_log_is_told_once():
    lines = []
    assert follow(FakeJobs([("SUCCEEDED", 0)]), lines) == 0
    assert lines == ["[STUDY] submitted job study-tiny-1", "one", "two", "three"]


def test_a_job_at_work_is_attached_to():
    service = FakeJobs([("SUCCEEDED", 0)], {"study-tiny-7": JobView("study-tiny-7", "RUNNING")})
    lines = []
    assert (follow(service, lines), list(service.known)) == (0, ["study-tiny-7"])
    assert "attached to job study-tiny-7" in lines[0]


def test_a_driver_that_was_killed_is_submitted_again_under_another_name():
    service = FakeJobs([("FAILED", -9), ("FAILED", None), ("SUCCEEDED", 0)])
    assert follow(service) == 0
    assert list(service.known) == ["study-tiny-1", "study-tiny-2", "study-tiny-3"]


@pytest.mark.parametrize("code", [2, 4, 75])
def test_a_driver_that_says_how_it_ended_is_believed(code):
    service = FakeJobs([("FAILED", code)])
    assert (follow(service), len(service.known)) == (code, 1)


def test_a_driver_that_is_always_killed_is_given_up():
    with pytest.raises(SessionFailedError, match="killed again and again"):
        follow(FakeJobs([("FAILED", -9)] * 9))


def test_ctrl_c_leaves_the_job_at_work():
    with pytest.raises(DetachedError, match="goes on in the cluster"):
        follow(FakeJobs([]), stop=lambda: True)
