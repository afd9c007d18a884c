"""Statistics against enumeration, published examples and closed forms."""

import itertools
import math

import numpy as np
import pytest
from scipy import stats

from experiments.studies.statistics import (
    holm,
    labels_needed,
    mean_along_curve,
    mean_interval,
    median_range,
    paired_difference,
)


def test_mean_interval_by_hand():
    values = [3.1, 2.7, 3.6, 3.0]
    interval = mean_interval(values)
    half = stats.t.ppf(0.975, 3) * np.std(values, ddof=1) / 2
    assert (interval.n, interval.mean) == (4, pytest.approx(3.1))
    assert (interval.low, interval.high) == (pytest.approx(3.1 - half), pytest.approx(3.1 + half))
    assert interval.deviation == pytest.approx(np.std(values, ddof=1))


def test_intervals_of_few_or_equal_values():
    assert mean_interval([]).n == 0 and math.isnan(mean_interval([]).mean)
    one = mean_interval([2.0])
    assert one.mean == 2.0 and math.isnan(one.low) and math.isnan(one.deviation)
    equal = mean_interval([2.0, 2.0, 2.0])
    assert (equal.low, equal.high, equal.deviation) == (2.0, 2.0, 0.0)


def test_the_interval_covers_as_often_as_it_says():
    draws = np.random.default_rng(0).normal(1.0, 2.0, (2000, 5))
    covered = [interval.low <= 1.0 <= interval.high for interval in map(mean_interval, draws)]
    assert abs(np.mean(covered) - 0.95) < 0.02


@pytest.mark.parametrize(("lower", "higher"), [(6, 0), (5, 1), (3, 3), (1, 7), (0, 1)])
def test_sign_test_by_enumeration(lower, higher):
    n = lower + higher
    a = {seed: 0.0 if seed < lower else 2.0 for seed in range(n)}
    difference = paired_difference(a, dict.fromkeys(range(n), 1.0))
    distance = abs(lower - n / 2)
    signs = [sum(each) for each in itertools.product((0, 1), repeat=n)]
    assert (difference.lower, difference.higher, difference.ties) == (lower, higher, 0)
    assert difference.p_value == pytest.approx(np.mean([abs(each - n / 2) >= distance for each in signs]))


def test_pairs_are_the_seeds_that_both_have():
    difference = paired_difference({0: 1.0, 1: 2.0, 2: 3.0}, {1: 2.5, 2: 3.0, 7: 0.0})
    assert difference.interval.n == 2 and difference.interval.mean == pytest.approx(-0.25)
    assert (difference.lower, difference.higher, difference.ties) == (1, 0, 1)
    nothing = paired_difference({}, {1: 1.0})
    assert nothing.interval.n == 0 and nothing.p_value == 1.0


def test_equal_errors_are_ties_however_their_percentages_round():
    difference = paired_difference({0: 100 * 0.07}, {0: 7.0})
    assert 100 * 0.07 != 7.0 and difference.ties == 1


def test_holm_on_a_published_example():
    # Wright 1992, "Adjusted p-values for simultaneous inference": 0.01, 0.02, 0.03, 0.04 become 0.04, 0.06, 0.06, 0.06.
    assert holm([0.03, 0.01, 0.04, 0.02]) == pytest.approx([0.06, 0.04, 0.06, 0.06])
    assert holm([]) == [] and holm([0.9, 0.8]) == [1.0, 1.0]


def test_holm_rejects_what_the_stepwise_procedure_does():
    rng = np.random.default_rng(1)
    for _ in range(200):
        p_values = rng.uniform(0, 0.06, 5)
        rejected = set()
        for step, i in enumerate(np.argsort(p_values)):
            if p_values[i] > 0.05 / (5 - step):
                break
            rejected.add(int(i))
        assert rejected == {i for i, p in enumerate(holm(p_values)) if p <= 0.05}


@pytest.mark.parametrize(
    ("errors", "expected"),
    [
        ([0.5, 0.2, 0.1, 0.05], (40, 40)),
        ([0.5, 0.1, 0.2, 0.09], (30, 50)),
        ([0.5, 0.1, 0.2, 0.3], (30, math.inf)),
        ([0.5, 0.4, 0.3, 0.2], (math.inf, math.inf)),
        ([0.1, 0.1, 0.1, 0.0], (20, 20)),
    ],
)
def test_labels_needed(errors, expected):
    labels = [20, 30, 40, 50]
    assert labels_needed(labels, errors, 0.1) == expected


def test_mean_along_a_curve():
    assert mean_along_curve(np.array([20, 30, 50]), np.array([0.4, 0.2, 0.1])) == pytest.approx((3.0 + 3.0) / 30)
    assert mean_along_curve(np.array([20]), np.array([0.4])) == 0.4


def test_median_with_runs_that_never_get_there():
    assert median_range([100, math.inf, 300]) == (300, 100, math.inf)
    assert median_range([100, 200]) == (150, 100, 200)
    assert median_range([100, math.inf]) == (math.inf, 100, math.inf)
