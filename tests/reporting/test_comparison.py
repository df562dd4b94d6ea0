"""Runs side by side: what is differently set, how curves are aligned, and what is advised, from plain values."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from validation_ch7.reporting.comparison.alignment import align, levels
from validation_ch7.reporting.comparison.choice import advise
from validation_ch7.reporting.comparison.compared import compare_runs
from validation_ch7.reporting.comparison.run import Candidate, Run
from validation_ch7.reporting.curves import EVALUATED, TRAINED, Curve, Series
from validation_ch7.study.protocol import Bootstrap


def run(name, values, first=100, every=100, trained=(), **facts):
    steps = tuple(range(first, first + every * len(values), every))
    curve = Curve(
        Series(TRAINED, tuple(range(50, 50 + 50 * len(trained), 50)), tuple(trained), len(trained)),
        Series(EVALUATED, steps, tuple(map(float, values)), len(values)),
    )
    return Run(name, "store", steps=1000, exactness="exact", facts=facts, curve=curve)


def candidate(name, reward, steps=1000, **changes):
    plain = {"exactness": "exact", "reward": reward, "spread": 1.0, "episodes": 5, "digest": f"{name}{steps}{reward}"}
    return Candidate(name, Path(f"{name}_{steps}.zip"), steps, **(plain | changes))


def test_curves_are_aligned_by_cumulative_step_and_not_by_row():
    coarse, fine = run("a", [0, 10, 20, 30], first=100, every=100), run("b", range(8), first=50, every=50)
    found = align([coarse, fine])
    assert found.steps == (100, 200, 300, 400)
    assert found.rewards == ((0.0, 10.0, 20.0, 30.0), (1.0, 3.0, 5.0, 7.0))
    assert found.quantity == "evaluation"


def test_training_rewards_are_compared_where_evaluations_are_too_few():
    rows = range(10)
    found = align([run("a", [1], trained=rows), run("b", [1, 2, 3, 4], trained=rows)])
    assert found.quantity == "training" and len(found.steps) == 10


def test_curves_that_share_no_steps_are_not_aligned():
    assert align([run("a", [1, 2, 3]), run("b", [1, 2, 3], first=10_000)]) is None
    assert compare_runs([run("a", []), run("b", [1])]).levels == ()


def test_interval_of_a_clear_lead_excludes_zero_and_of_none_does_not():
    names, wave = ["a", "b", "c"], [math.sin(step) for step in range(40)]
    runs = [run("a", wave), run("b", [value + 5 for value in wave]), run("c", [-value for value in reversed(wave)])]
    first, ahead, same = levels(names, align(runs), Bootstrap())
    assert first.against_first is None and first.reward.low <= first.reward.value <= first.reward.high
    assert ahead.against_first.value == pytest.approx(5.0) and ahead.against_first.excludes_zero
    assert not same.against_first.excludes_zero
    assert levels(names, align(runs), Bootstrap()) == (first, ahead, same)


def test_only_settings_that_differ_are_shown_and_unknown_ones_are_no_difference():
    runs = [run("a", [], gamma="0.9", seed="1"), run("b", [], gamma="0.99", seed="1", tau="1"), Run("c", "session")]
    assert {row.name: row.values for row in compare_runs(runs).settings} == {
        "gamma": ("0.9", "0.99", None),
        "tau": (None, "1", None),
    }


def test_best_full_evaluation_is_advised_with_how_sure_that_is():
    clear = advise([candidate("a", -100.0), candidate("b", -50.0)])
    assert clear.use.run == "b" and "50.00 above the best of a, more than twice" in clear.use_reason
    unsure = advise([candidate("a", -50.5), candidate("b", -50.0)])
    assert unsure.use.run == "b" and "NOT more than twice" in unsure.use_reason


def test_short_evaluation_never_outranks_a_full_one():
    found = advise([candidate("a", 99.0, provisional=True), candidate("b", -50.0), candidate("c", math.nan)])
    assert found.use.run == "b" and "order may change" in found.use_reason
    alone = advise([candidate("a", 99.0, provisional=True)])
    assert "evaluate it in full" in alone.use_reason


def test_training_goes_on_from_the_most_exact_newest_of_the_same_run():
    found = advise(
        [
            candidate("a", 1.0, best=True, exactness="weights-only"),
            candidate("a", None, steps=3000, exactness="statistical"),
            candidate("a", None, steps=2000),
            candidate("b", 0.0, steps=9000),
        ]
    )
    assert found.use.best and (found.resume.run, found.resume.steps) == ("a", 2000)
    assert "newest exact checkpoint of the same run" in found.resume_reason


def test_nothing_to_advise_is_said():
    found = advise([candidate("a", None, best=True)])
    assert (found.use, found.resume) == (None, None)
    assert "none was evaluated" in found.use_reason and "no checkpoint" in found.resume_reason
