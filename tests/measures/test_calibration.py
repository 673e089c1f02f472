"""Calibration, scores and risk against torchmetrics, scikit-learn, naive loops and closed forms."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from sklearn.metrics import brier_score_loss, log_loss
from torchmetrics.functional.classification import multiclass_calibration_error

from netgaze.measures import calibration
from netgaze.measures.calibration import Answers, Bins, fit_temperature, trace_least_risk, trace_risk


def draw(num=400, classes=4, scale=2.0, seed=0):
    """Logits [N,K] and classes that are drawn from their softmax: perfectly calibrated, but for chance."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(scale=scale, size=(num, classes))
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return logits, np.array([rng.choice(classes, p=row) for row in shares]), shares


def make_answers(confidence, right):
    confidence = np.asarray(confidence, dtype=np.float64)
    return Answers(confidence, np.asarray(right, dtype=bool), np.zeros_like(confidence), np.zeros_like(confidence))


@pytest.mark.parametrize("temperature", [1.0, 0.3, 7.0])
@pytest.mark.parametrize("at_once", [2**21, 12])
def test_scores_are_scikit_learns(temperature, at_once, monkeypatch):
    monkeypatch.setattr(calibration, "_AT_ONCE", at_once)  # in parts as in one go
    logits, targets, _ = draw()
    shares = torch.from_numpy(logits / temperature).softmax(dim=1).numpy()
    answers = Answers.of(logits.astype(np.float64), targets, temperature)
    assert answers.nll.mean() == pytest.approx(log_loss(targets, shares, labels=range(4)))
    assert answers.brier.mean() == pytest.approx(
        brier_score_loss(targets, shares, labels=range(4), scale_by_half=False)
    )
    np.testing.assert_allclose(answers.confidence, shares.max(axis=1))
    np.testing.assert_array_equal(answers.right, shares.argmax(axis=1) == targets)


def test_huge_logits_have_finite_scores():
    answers = Answers.of(np.array([[1e4, 0.0], [1e4, 0.0]]), np.array([0, 1]))
    assert answers.nll.tolist() == [0.0, 1e4]
    assert answers.brier.tolist() == [0.0, 2.0]
    assert answers.confidence.tolist() == [1.0, 1.0]


def test_bins_of_equal_width_are_those_of_a_loop():
    rng = np.random.default_rng(3)
    confidence, right = np.concatenate([rng.uniform(0.2, 0.8, 300), [1.0, 0.6]]), rng.random(302) < 0.5
    bins = Bins.of_equal_width(make_answers(confidence, right))
    expected = 0.0
    for place in range(15):
        inside = [row for row in range(302) if place < confidence[row] * 15 <= place + 1]
        assert bins.counts[place] == len(inside)
        if inside:
            assert bins.accuracy[place] == pytest.approx(right[inside].mean())
            assert bins.confidence[place] == pytest.approx(confidence[inside].mean())
            expected += len(inside) / 302 * abs(right[inside].mean() - confidence[inside].mean())
        else:
            assert np.isnan(bins.accuracy[place])
            assert np.isnan(bins.confidence[place])
    assert bins.counts.sum() == 302
    assert bins.error == pytest.approx(expected)


def test_their_error_is_torchmetrics():
    logits, targets, shares = draw(seed=5)
    theirs = multiclass_calibration_error(torch.from_numpy(shares), torch.from_numpy(targets), 4, n_bins=15, norm="l1")
    assert Bins.of_equal_width(Answers.of(logits, targets)).error == pytest.approx(float(theirs), abs=1e-6)


def test_bins_of_equal_mass_are_those_of_a_loop():
    rng = np.random.default_rng(1)
    confidence, right = rng.random(100), rng.random(100) < 0.6
    bins = Bins.of_equal_mass(make_answers(confidence, right), 15)
    order, expected = np.argsort(confidence), 0.0
    assert set(bins.counts) == {6, 7}
    start = 0
    for place, num in enumerate(bins.counts):
        inside = order[start : start + num]
        start += num
        assert bins.accuracy[place] == pytest.approx(right[inside].mean())
        assert bins.confidence[place] == pytest.approx(confidence[inside].mean())
        expected += num / 100 * abs(right[inside].mean() - confidence[inside].mean())
    assert bins.error == pytest.approx(expected)


def test_few_examples_are_a_bin_each():
    bins = Bins.of_equal_mass(make_answers([0.9, 0.5, 0.7], [True, False, True]))
    assert bins.counts.tolist() == [1, 1, 1]
    assert bins.error == pytest.approx((0.1 + 0.5 + 0.3) / 3)


def test_equal_mass_sees_what_a_full_bin_hides():
    """Half of the examples are sure of 0.94 and always right, half sure of 0.99 and right in 0.93: one bin, no gap."""
    confidence = np.repeat([0.94, 0.99], 100)
    right = np.concatenate([np.ones(100), np.arange(100) < 93]).astype(bool)
    answers = make_answers(confidence, right)
    assert Bins.of_equal_width(answers).error == pytest.approx(0.0)
    assert Bins.of_equal_mass(answers, 2).error == pytest.approx(0.06)


@pytest.mark.parametrize("scale", [0.25, 1.0, 3.0])
def test_the_temperature_of_scaled_logits_is_the_scale(scale):
    logits, targets, _ = draw(num=3000, seed=2)
    plain = fit_temperature(logits, targets)
    assert plain == pytest.approx(1.0, abs=0.1)
    assert fit_temperature((scale * logits).astype(np.float32), targets) == pytest.approx(scale * plain, rel=1e-5)


def test_the_temperature_is_scipys_minimum_of_the_loss():
    logits, targets, _ = draw(seed=7)
    targets[:80] = (targets[:80] + 1) % 4  # it is too sure
    found = minimize_scalar(
        lambda t: Answers.of(logits, targets, np.exp(t)).nll.mean(), bounds=(-3, 3), method="bounded"
    )
    assert fit_temperature(logits, targets) == pytest.approx(np.exp(found.x), rel=1e-4)
    assert fit_temperature(logits, targets) > 1.1


def test_the_temperature_stays_within_its_range():
    logits = draw()[0]
    assert fit_temperature(logits, logits.argmax(axis=1)) == 0.01, "always right"
    assert fit_temperature(logits, logits.argmin(axis=1)) == 100.0, "always at its least likely"
    assert fit_temperature(np.zeros((5, 3)), np.arange(5) % 3) == 100.0, "it says nothing"


def naive_risk(confidence, right):
    """The mean over all orders in which examples of one confidence may come, by many draws."""
    rng, total = np.random.default_rng(0), np.zeros(len(right))
    for _ in range(4000):
        order = np.lexsort((rng.random(len(right)), -np.asarray(confidence)))
        total += np.cumsum(~right[order]) / np.arange(1, len(right) + 1)
    return total / 4000


def test_risk_is_that_of_a_loop():
    rng = np.random.default_rng(0)
    confidence, right = rng.permutation(50) / 50, rng.random(50) < 0.7
    risks = trace_risk(confidence, right)
    for k in range(1, 51):
        surest = sorted(range(50), key=lambda row: -confidence[row])[:k]
        assert risks[k - 1] == pytest.approx(np.mean(~right[surest]))


def test_examples_of_one_confidence_share_their_errors():
    confidence = np.array([0.9, 0.9, 0.9, 0.5, 0.5, 0.7])
    right = np.array([False, True, True, False, True, True])
    np.testing.assert_allclose(trace_risk(confidence, right), naive_risk(confidence, right), atol=0.03)
    assert trace_risk(np.ones(8), np.arange(8) < 6).tolist() == [0.25] * 8, "who is equally sure of all"


@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=1, max_size=40))
def test_risk_ends_at_the_error_rate_and_is_no_less_than_the_least(pairs):
    confidence, right = np.array([pair[0] for pair in pairs]), np.array([pair[1] for pair in pairs])
    risks, least = trace_risk(confidence, right), trace_least_risk(right)
    assert risks[-1] == pytest.approx(1 - right.mean())
    assert least[-1] == pytest.approx(1 - right.mean())
    assert (risks >= least - 1e-12).all()


def test_the_least_risk_is_none_until_the_errors_come():
    assert trace_least_risk(np.array([False, True, True, True])).tolist() == [0, 0, 0, 0.25]
