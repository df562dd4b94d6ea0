"""How patiently calls are tried again: by the rule alone, without any service."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from validation_ch7.remote.retry import MAX_RETRY_AFTER_S, FaultKind, Patience, Retrier, ServiceFault
from validation_ch7.remote.transport import retry_after


class Always(random.Random):
    """Draws one end of every range."""

    def __init__(self, upper: bool) -> None:
        super().__init__()
        self._upper = upper

    def uniform(self, low: float, high: float) -> float:
        return high if self._upper else low


def fault(kind: FaultKind, **facts: object) -> ServiceFault:
    return ServiceFault(kind, "a call", "429", **{"maybe_done": False, **facts})


def test_moment_of_a_retry_after_is_a_time_from_now():
    asked = retry_after(format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True))
    assert asked is not None
    assert 3590 < asked <= 3600
    assert retry_after(format_datetime(datetime.now(UTC) - timedelta(hours=1), usegmt=True)) == 0.0


@pytest.mark.parametrize(("asked", "waits"), [(-5.0, 0.0), (0.0, 0.0), (7.0, 7.0), (1e9, MAX_RETRY_AFTER_S)])
def test_retry_after_is_obeyed_exactly_and_up_to_a_bound(asked, waits):
    assert Patience().delay(9, random.Random(0), asked) == waits


def test_delays_grow_by_a_factor_up_to_the_longest_and_jitter_makes_them_up_to_half_as_long():
    patience = Patience(first_s=1.0, factor=2.0, longest_s=60.0)
    longest = [patience.delay(attempt, Always(upper=True)) for attempt in range(9)]
    assert longest == [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0, 60.0]
    assert [patience.delay(attempt, Always(upper=False)) for attempt in range(9)] == [part / 2 for part in longest]


def test_delays_of_two_callers_differ():
    delays = {Patience().delay(3, random.Random(seed)) for seed in range(20)}
    assert len(delays) == 20
    assert all(4.0 <= delay <= 8.0 for delay in delays)


def test_call_is_tried_as_often_as_patience_says_and_each_wait_is_its_own():
    slept: list[float] = []
    answers = iter([fault(FaultKind.RATE_LIMITED, retry_after_s=7.0), fault(FaultKind.TRANSIENT), None])

    def call() -> str:
        if (trouble := next(answers)) is not None:
            raise trouble
        return "done"

    assert Retrier(Patience(tries=3), slept.append, Always(upper=True)).run(call) == "done"
    assert slept == [7.0, 2.0]


@pytest.mark.parametrize(
    ("trouble", "repeatable", "calls"),
    [
        (fault(FaultKind.TRANSIENT), True, 4),
        (fault(FaultKind.RATE_LIMITED), False, 4),
        (fault(FaultKind.TRANSIENT, maybe_done=True), True, 4),
        (fault(FaultKind.TRANSIENT, maybe_done=True), False, 1),
        (fault(FaultKind.REFUSED), True, 1),
        (fault(FaultKind.ABSENT), True, 1),
        (fault(FaultKind.UNAUTHORISED), True, 1),
    ],
)
def test_call_is_repeated_only_where_that_may_help_and_cannot_harm(trouble, repeatable, calls):
    tried: list[bool] = []

    def call() -> None:
        tried.append(True)
        raise trouble

    with pytest.raises(ServiceFault, match="Kaggle did not answer"):
        Retrier(Patience(tries=4), lambda _: None, random.Random(0)).run(call, repeatable=repeatable)
    assert len(tried) == calls
