"""The thread that writes checkpoints: one job at a time, and no error is lost."""

from __future__ import annotations

import threading

import pytest

from validation_ch7.checkpoints.saver import Writer


class Refused(Exception):
    """What a job raises here."""


def refuse() -> None:
    raise Refused


class Held:
    """A job that runs until it is let go, and notes its name when it ends."""

    def __init__(self, name: str, ended: list[str]) -> None:
        self.began, self._go, self._name, self._ended = threading.Event(), threading.Event(), name, ended

    def __call__(self) -> None:
        self.began.set()
        self._go.wait()
        self._ended.append(self._name)

    def let_go(self) -> None:
        self._go.set()


def test_error_of_a_job_surfaces_at_the_next_check_and_once() -> None:
    writer = Writer(asynchronous=True)
    writer.submit(refuse)
    writer._idle.wait()
    with pytest.raises(Refused):
        writer.check()
    writer.check()


def test_check_does_not_wait_for_a_job_in_flight() -> None:
    ended: list[str] = []
    writer, job = Writer(asynchronous=True), Held("first", ended)
    writer.submit(job)
    job.began.wait()
    writer.check()
    assert ended == []
    job.let_go()
    writer.wait()
    assert ended == ["first"]


def test_second_job_begins_after_the_first_has_ended() -> None:
    ended: list[str] = []
    writer, first, second = Writer(asynchronous=True), Held("first", ended), Held("second", ended)
    writer.submit(first)
    second.let_go()
    submitting = threading.Thread(target=writer.submit, args=(second,))
    submitting.start()
    first.began.wait()
    assert not second.began.is_set()
    first.let_go()
    submitting.join()
    writer.wait()
    assert ended == ["first", "second"]


def test_error_of_a_job_surfaces_where_the_next_is_submitted_which_does_not_run() -> None:
    ended: list[str] = []
    writer = Writer(asynchronous=True)
    writer.submit(refuse)
    with pytest.raises(Refused):
        writer.submit(lambda: ended.append("second"))
    writer.wait()
    assert ended == []


def test_wait_raises_what_the_job_in_flight_raised() -> None:
    writer = Writer(asynchronous=True)
    writer.submit(refuse)
    with pytest.raises(Refused):
        writer.wait()


def test_synchronous_writer_raises_at_once() -> None:
    with pytest.raises(Refused):
        Writer(asynchronous=False).submit(refuse)
