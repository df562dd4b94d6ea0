"""Statistics against cases computed by hand, and against what must hold for every data."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from validation_ch7.study.protocol import Bootstrap
from validation_ch7.study.statistics import estimate, excess, improvement, interquartile_mean, profile, reduction

FEW = Bootstrap(resamples=200)
SCORES = arrays(np.float64, st.tuples(st.integers(1, 4), st.just(8)), elements=st.floats(1.0, 100.0))


def stack(*rows):
    return np.array(rows, dtype=np.float64)[None]


def test_interquartile_mean_cuts_a_quarter_at_each_end():
    assert interquartile_mean(stack([0, 4, 6, 1000], [5, 5, 5, -1000])).tolist() == [4.75]
    assert interquartile_mean(stack([8, 1, 7, 2, 6, 3, 5, 4])).tolist() == [4.5]


def test_reduction_and_gap_of_known_means():
    ours, theirs = stack([9, 9, 9, 9]), stack([10, 10, 10, 10])
    assert reduction(ours, theirs)[0] == pytest.approx(0.1)
    assert excess(theirs, ours)[0] == pytest.approx(1 / 9)


def test_probability_of_improvement_pairs_the_same_demand_only():
    # Demand 1 is hard for everybody; on each demand by itself, ours is better in 1.5 of 2 pairs.
    ours, theirs = stack([1, 101], [3, 103]), stack([3, 103])
    assert improvement(ours, theirs)[0] == 0.75


@settings(max_examples=40, deadline=None)
@given(SCORES, SCORES)
def test_probabilities_of_two_sides_add_up_to_one(ours, theirs):
    there, back = improvement(ours[None], theirs[None])[0], improvement(theirs[None], ours[None])[0]
    assert there + back == pytest.approx(1.0)
    assert improvement(ours[None], ours[None])[0] == 0.5


@settings(max_examples=25, deadline=None)
@given(SCORES)
def test_interval_stays_within_the_data_and_around_itself(scores):
    found = estimate(interquartile_mean, "x", FEW, scores)
    assert scores.min() - 1e-9 <= found.low <= found.high <= scores.max() + 1e-9
    same = estimate(reduction, "x", FEW, scores, scores * 2.0)
    assert same.value == pytest.approx(0.5)


def test_interval_narrows_with_more_demand_seeds_and_widens_with_confidence():
    values = np.random.default_rng(3).normal(50.0, 10.0, (1, 400))
    few, many = (estimate(interquartile_mean, "x", FEW, values[:, :n]) for n in (25, 400))
    sure = estimate(interquartile_mean, "x", Bootstrap(resamples=200, confidence=0.999), values)
    assert many.high - many.low < (few.high - few.low) / 2
    assert sure.low < many.low < many.high < sure.high


def test_interval_covers_the_truth_about_as_often_as_it_says():
    generator, hits = np.random.default_rng(5), 0
    for trial in range(100):
        ours = generator.normal(40.0, 2.0, (10, 1)) + generator.normal(0.0, 5.0, (10, 20))
        found = estimate(interquartile_mean, f"trial {trial}", Bootstrap(resamples=100), ours)
        hits += found.low <= 40.0 <= found.high
    assert 82 <= hits <= 99  # 95 % nominal; ten training seeds make the percentile interval a little narrow


def test_spread_between_training_seeds_counts_although_there_are_many_episodes():
    seeds = np.array([[10.0], [20.0], [30.0], [40.0]]) + np.zeros((1, 500))
    found = estimate(interquartile_mean, "x", FEW, seeds)
    assert found.high - found.low > 8.0  # resampling single episodes would say less than 1


def test_common_demand_cancels_in_a_comparison():
    demand = np.random.default_rng(1).normal(100.0, 30.0, (1, 60))
    found = estimate(reduction, "x", FEW, 0.9 * demand, demand)
    assert (found.low, found.value, found.high) == pytest.approx((0.1, 0.1, 0.1))
    assert found.excludes_zero


def test_estimate_repeats_bit_for_bit_and_does_not_depend_on_others():
    scores = np.random.default_rng(2).normal(size=(3, 20))
    first = estimate(interquartile_mean, "a", FEW, scores)
    assert estimate(interquartile_mean, "b", FEW, scores) != first
    assert estimate(interquartile_mean, "a", FEW, scores) == first


def test_profile_counts_episodes_below_each_threshold_and_rises():
    scores = np.array([[1.0, 2.0, 3.0, 4.0]])
    found = profile(scores, np.array([0.5, 2.0, 3.5, 9.0]), "x", FEW)
    assert [point.value for point in found] == [0.0, 0.5, 0.75, 1.0]
    assert all(low.low <= high.low and low.high <= high.high for low, high in itertools.pairwise(found))
