"""Intervals of shares against scipy's, McNemar's p against a naive sum, means over classes by closed forms."""

from math import comb

import numpy as np
import pytest
from scipy.stats import binomtest, bootstrap, ttest_1samp

from netgaze.measures.uncertainty import (
    bootstrap_mean,
    compare_paired,
    count_effective,
    find_mean_interval,
    find_wilson_interval,
)


@pytest.mark.parametrize("num", [1, 7, 1000])
@pytest.mark.parametrize("level", [0.95, 0.8])
def test_wilsons_interval_is_scipys(num, level):
    for right in {0, 1, num // 3, num - 1, num}:
        theirs = binomtest(right, num).proportion_ci(level, method="wilson")
        found = find_wilson_interval(right / num, num, level)
        assert found == (pytest.approx(theirs.low, abs=1e-12), pytest.approx(theirs.high, abs=1e-12))


@pytest.mark.parametrize(("share", "num"), [(1.1, 10), (-0.1, 10), (0.5, 0), (float("nan"), 10)])
def test_no_interval_of_what_is_no_share(share, num):
    with pytest.raises(ValueError, match="expected a share"):
        find_wilson_interval(share, num)


def naive_p(one, other):
    """Twice the probability of a toss as unequal or more so, on the side it fell."""
    num = one + other
    return min(1.0, 2 * sum(comb(num, k) for k in range(min(one, other) + 1)) / 2**num)


def test_mcnemars_p_is_the_sum_over_tosses():
    for one in range(12):
        for other in range(12):
            assert compare_paired(one, other) == pytest.approx(naive_p(one, other))
            assert compare_paired(one, other) == compare_paired(other, one)
    assert compare_paired(310, 234) == pytest.approx(naive_p(310, 234))


def test_a_mean_over_equal_classes_is_as_sure_as_the_share():
    assert count_effective([40, 40, 40]) == pytest.approx(120)
    assert count_effective([40, 0, 40]) == pytest.approx(80)
    assert count_effective([0, 0]) == 0


def test_a_mean_over_unequal_classes_is_as_sure_as_its_variance_says():
    """The mean of shares p over classes of n_k has the variance p (1 - p) / K^2 sum 1 / n_k."""
    sizes, p = [10, 200, 50], 0.7
    variance = p * (1 - p) * np.mean([1 / size for size in sizes]) / len(sizes)
    assert p * (1 - p) / count_effective(sizes) == pytest.approx(variance)


def test_the_interval_of_a_mean_is_scipys_bootstrap():
    values = np.random.default_rng(0).exponential(size=80)
    found = bootstrap_mean(values)
    theirs = bootstrap((values,), np.mean, method="percentile", n_resamples=9999, rng=np.random.default_rng(1))
    assert found == pytest.approx(tuple(theirs.confidence_interval), abs=0.03)
    assert found[0] < values.mean() < found[1]
    wide = bootstrap_mean(values, level=0.99)
    assert wide[0] < found[0] < found[1] < wide[1]


@pytest.mark.parametrize("num", [2, 5, 300])
@pytest.mark.parametrize("level", [0.95, 0.997])
def test_students_interval_is_scipys(num, level):
    values = np.random.default_rng(num).normal(size=num)
    theirs = ttest_1samp(values, 0).confidence_interval(level)
    assert find_mean_interval(values, level) == (pytest.approx(theirs.low), pytest.approx(theirs.high))


@pytest.mark.parametrize("measure", [bootstrap_mean, find_mean_interval])
def test_the_interval_of_equal_values_is_a_point(measure):
    assert measure(np.full(5, 0.3)) == (pytest.approx(0.3), pytest.approx(0.3))


def test_of_one_value_the_mean_may_be_any():
    assert find_mean_interval(np.array([0.3])) == (-np.inf, np.inf)


@pytest.mark.parametrize("measure", [bootstrap_mean, find_mean_interval])
def test_of_nothing_there_is_no_mean(measure):
    with pytest.raises(ValueError, match="got none"):
        measure(np.array([]))
