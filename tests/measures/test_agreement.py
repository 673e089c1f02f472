"""Agreement of two classifiers: against scikit-learn, closed forms, and what chance gives."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score

from netgaze.measures.agreement import Agreement, measure_kappa, sort_cells


def draw_answers(num, accuracy, seed, targets, num_classes=10):
    rng = np.random.default_rng(seed)
    return np.where(rng.random(num) < accuracy, targets, rng.integers(0, num_classes, num))


@settings(max_examples=50, deadline=None)
@given(st.integers(2, 60), st.floats(0, 1), st.floats(0, 1), st.integers(0, 1000))
def test_counts_and_kappa_are_of_right_and_wrong(num, first, second, seed):
    targets = np.random.default_rng(seed).integers(0, 4, num)
    one, other = (draw_answers(num, share, seed + k, targets, 4) for k, share in ((1, first), (2, second)))
    found = Agreement.of(one, other, targets)
    right, also = one == targets, other == targets
    same_error = sum(a == b != t for a, b, t in zip(one, other, targets, strict=True))
    both_wrong = int((~right & ~also).sum())
    expected = [(right & also).sum(), (right & ~also).sum(), (~right & also).sum(), same_error, both_wrong - same_error]
    assert found.counts.tolist() == expected
    assert found.same_answer.value == pytest.approx((one == other).mean())
    if len({*right, *also}) > 1:
        assert found.kappa.value == pytest.approx(cohen_kappa_score(right, also))


def test_a_network_agrees_with_itself():
    targets = np.arange(100) % 10
    answers = np.where(np.arange(100) < 80, targets, (targets + 1) % 10)
    found = Agreement.of(answers, answers, targets)
    assert found.kappa == pytest.approx((1, 1, 1))
    assert found.same_answer.value == found.same_error.value == found.p == 1


def test_independent_networks_have_no_kappa_and_chance_is_inside_the_interval():
    targets = np.random.default_rng(0).integers(0, 10, 20_000)
    found = Agreement.of(draw_answers(20_000, 0.8, 1, targets), draw_answers(20_000, 0.6, 2, targets), targets)
    assert found.kappa.low < 0 < found.kappa.high
    assert found.kappa.high - found.kappa.low < 0.04


def test_what_is_never_wrong_has_no_kappa_and_no_errors():
    targets = np.arange(50) % 5
    found = Agreement.of(targets, targets, targets)
    assert np.isnan([*found.kappa, found.same_error.value]).all()
    assert found.same_answer == (1, 1, 1)


def test_intervals_are_those_of_resampled_images():
    rng = np.random.default_rng(0)
    targets = rng.integers(0, 10, 500)
    one, other = draw_answers(500, 0.7, 1, targets), draw_answers(500, 0.75, 2, targets)
    cells = sort_cells(one, other, targets)
    found = []
    for _ in range(2000):
        some = rng.integers(0, 500, 500)
        found.append(measure_kappa(np.bincount(cells[some], minlength=5) / 500))
    low, high = np.quantile(found, [0.025, 0.975])
    kappa = Agreement.of(one, other, targets).kappa
    assert (kappa.low, kappa.high) == pytest.approx((low, high), abs=0.012)


def test_mcnemar_tells_the_better_one():
    targets = np.zeros(400, int)
    better = np.where(np.arange(400) < 380, 0, 1)
    worse = np.where(np.arange(400) < 320, 0, 1)
    assert Agreement.of(better, worse, targets).p < 1e-10
    assert Agreement.of(worse, np.where(np.arange(400) >= 80, 0, 1), targets).p == pytest.approx(1)
