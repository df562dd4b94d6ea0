"""Who carries out the tasks of a study: one after the other, some at a time, or a cluster; the numbers are the same.

An executor knows nothing of chains. It gets a function of a module and plain values, and gives back what the
function returned, or the reason why there is nothing.
"""

from __future__ import annotations

import contextvars
import multiprocessing
import signal
import traceback
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, ThreadPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from typing import Protocol, TypeVar

Task = TypeVar("Task")
Result = TypeVar("Result")
Say = Callable[[str], None]
Stop = Callable[[], bool]
_TRIES = 5
"""A killed process takes its neighbours' tasks along: they cannot be told apart, so each has some tries."""


@dataclass(frozen=True)
class Lost:
    """A task that has no result."""

    reason: str


class Executor(Protocol):
    """Carries out tasks.

    A task that could not be carried out is :class:`Lost`; it never stands in the way of another.
    """

    name: str

    def each(
        self, work: Callable[[Task], Result], tasks: Sequence[Task], started: Callable[[Task], None], stop: Stop
    ) -> Iterator[tuple[Task, Result | Lost]]:
        """Carry out ``work`` for every task, and return the results as they come.

        Args:
            work: a function of a module, which another process can import.
            tasks: plain values.
            started: told when the work on a task begins.
            stop: once it is true no task is begun; those at work notice by themselves, or are told.
        """
        ...

    def close(self) -> None:
        """Give back what was taken for the work."""
        ...


class SerialExecutor:
    """One task after the other, in this process."""

    name = "serial"

    def each(
        self, work: Callable[[Task], Result], tasks: Sequence[Task], started: Callable[[Task], None], stop: Stop
    ) -> Iterator[tuple[Task, Result | Lost]]:
        """Carry out ``work`` for one task after the other."""
        for task in tasks:
            if stop():
                return
            started(task)
            yield task, guarded(work, task)

    def close(self) -> None:
        """Nothing was taken."""


class ThreadExecutor:
    """Some tasks at a time, each in a thread of this process; for work that waits for other processes.

    Args:
        jobs: tasks at a time.
    """

    name = "threads"

    def __init__(self, jobs: int) -> None:
        self._jobs = jobs
        self._pool = ThreadPoolExecutor(jobs, thread_name_prefix="study")

    def each(
        self, work: Callable[[Task], Result], tasks: Sequence[Task], started: Callable[[Task], None], stop: Stop
    ) -> Iterator[tuple[Task, Result | Lost]]:
        """Carry out ``work`` for some tasks at a time."""
        waiting, at_work = list(reversed(tasks)), dict[Future[Result | Lost], Task]()
        while at_work or (waiting and not stop()):
            while waiting and len(at_work) < self._jobs and not stop():
                task = waiting.pop()
                started(task)
                # In a copy of this context the thread sees the request to stop that this one sees.
                job: Future[Result | Lost] = self._pool.submit(contextvars.copy_context().run, guarded, work, task)
                at_work[job] = task
            for job in wait(at_work, timeout=0.5, return_when=FIRST_COMPLETED).done:
                yield at_work.pop(job), job.result()

    def close(self) -> None:
        """Let the threads end."""
        self._pool.shutdown(wait=False, cancel_futures=True)


class ProcessExecutor:
    """Some tasks at a time, each in a process; for work that computes.

    Args:
        jobs: tasks at a time.
    """

    name = "processes"

    def __init__(self, jobs: int) -> None:
        self._jobs = jobs
        self._pool = self._new_pool()

    def each(
        self, work: Callable[[Task], Result], tasks: Sequence[Task], started: Callable[[Task], None], stop: Stop
    ) -> Iterator[tuple[Task, Result | Lost]]:
        """Carry out ``work`` for some tasks at a time; one whose process was killed is tried again."""
        waiting, at_work = [(task, 0) for task in reversed(tasks)], dict[Future[Result | Lost], tuple[Task, int]]()
        while at_work or (waiting and not stop()):
            while waiting and len(at_work) < self._jobs and not stop():
                task, tries = waiting.pop()
                started(task)
                at_work[self._pool.submit(guarded, work, task)] = task, tries
            broken = False
            for job in wait(at_work, timeout=0.5, return_when=FIRST_COMPLETED).done:
                task, tries = at_work.pop(job)
                fault = job.exception()
                broken = broken or isinstance(fault, BrokenProcessPool)
                if isinstance(fault, BrokenProcessPool) and tries < _TRIES:
                    waiting.append((task, tries + 1))
                else:
                    yield task, job.result() if fault is None else Lost(f"{type(fault).__name__}: {fault}")
            if broken:
                waiting += list(at_work.values())
                at_work.clear()
                self._pool = self._new_pool()

    def close(self) -> None:
        """Let the processes end."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _new_pool(self) -> ProcessPoolExecutor:
        context = multiprocessing.get_context("spawn")  # the same on every system; torch and fork do not agree
        return ProcessPoolExecutor(self._jobs, context, initializer=_leave_signals_to_the_driver)


def _leave_signals_to_the_driver() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def guarded(work: Callable[[Task], Result], task: Task) -> Result | Lost:
    """Return what ``work`` returns, or the fault that nobody foresaw, with its place."""
    try:
        return work(task)
    except Exception as fault:  # noqa: BLE001  the fault of one task must not end the others
        place = traceback.extract_tb(fault.__traceback__)[-1]
        return Lost(f"{type(fault).__name__}: {fault} ({place.filename}:{place.lineno})")
