"""The course of training of single examples: against naive loops from the papers, scikit-learn, scipy, closed forms."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import rankdata, spearmanr
from sklearn.metrics import roc_auc_score

from netgaze.measures.dynamics import (
    average_epochs,
    correlate_ranks,
    count_forgotten,
    deviate_epochs,
    find_last,
    find_never_learned,
    find_other_answers,
    measure_auroc,
    rank_forgotten,
    rank_values,
    score_examples,
)

NAN = np.nan
SHAPES = st.tuples(st.integers(1, 6), st.integers(1, 5))
RIGHT = SHAPES.flatmap(lambda shape: arrays(np.float16, shape, elements=st.sampled_from([0.0, 0.5, 1.0, NAN])))
VALUES = SHAPES.flatmap(
    lambda shape: arrays(np.float16, shape, elements=st.sampled_from([0.0, 0.25, 0.9, 1.0, -3.0, 17.5, NAN]))
)


@given(st.integers(0, 2**31 - 1), st.integers(2, 7), st.integers(1, 9))
def test_probability_right_and_margin_of_each_example(seed, num_classes, num):
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(num, num_classes, generator=generator) * 5
    targets = torch.randint(num_classes, (num,), generator=generator)
    found = score_examples(logits, targets)
    assert found.dtype == torch.float32
    for place, (row, target) in enumerate(zip(logits.double().tolist(), targets.tolist(), strict=True)):
        others = row[:target] + row[target + 1 :]
        weights = np.exp(np.array(row) - max(row))
        expected = (weights[target] / weights.sum(), float(row[target] > max(others)), row[target] - max(others))
        assert found[:, place].tolist() == pytest.approx(expected, rel=1e-4, abs=1e-6)


def test_scores_of_rounded_logits_are_those_of_their_values():
    logits = torch.tensor([[9.125, 8.9, -200.0]], dtype=torch.bfloat16)
    found = score_examples(logits, torch.tensor([2]))
    assert torch.equal(found, score_examples(logits.float(), torch.tensor([2])))
    assert found[0] == 0
    assert found[2] == -209.125  # more digits than bf16 has


@given(VALUES)
def test_mean_deviation_and_last_are_of_the_epochs_that_saw_an_example(values):
    means, deviations, last = average_epochs(values), deviate_epochs(values), find_last(values)
    for place, column in enumerate(values.T):
        own = [float(value) for value in column if not np.isnan(value)]
        if not own:
            assert np.isnan([means[place], deviations[place], last[place]]).all()
            continue
        assert means[place] == pytest.approx(sum(own) / len(own))
        assert deviations[place] == pytest.approx(np.std(own), abs=1e-12)
        assert last[place] == own[-1]


def test_half_precision_loses_nothing_in_sums():
    values = np.full((3000, 1), 60000.0, dtype=np.float16)
    assert average_epochs(values) == float(np.float16(60000.0))
    assert deviate_epochs(values) == 0


@given(RIGHT)
def test_forgetting_is_counted_as_in_the_paper(right):
    """Algorithm 1 of Toneva et al.: an example is forgotten where its accuracy fell since it was last looked at."""
    times, never, rank = count_forgotten(right), find_never_learned(right), rank_forgotten(right)
    for place, column in enumerate(right.T):
        forgotten, before, learned, seen = 0, 0, False, False
        for value in column:
            if np.isnan(value):
                continue
            now = int(value == 1)
            forgotten += before > now
            learned, seen, before = learned or now == 1, True, now
        assert times[place] == forgotten
        assert never[place] == (seen and not learned)
        expected = NAN if not seen else len(right) if not learned else forgotten
        np.testing.assert_equal(rank[place], expected)


def test_nothing_is_forgotten_more_often_than_what_was_never_learned():
    right = np.array([[1, 0, 0], [0, 0, 1], [1, 0, 1], [0, 0, 0]], dtype=np.float16)
    assert count_forgotten(right).tolist() == [2, 0, 1]
    assert np.argsort(-rank_forgotten(right)).tolist() == [1, 0, 2]


def test_other_answers_are_the_most_frequent_ones_besides_the_label():
    answers = np.array([[0, 2, -1, 1], [3, 2, -1, 1], [3, 2, -1, 0], [0, 2, 1, 0], [0, 1, -1, 3]], dtype=np.int8)
    classes, times = find_other_answers(answers, np.array([0, 2, 1, 2]))
    assert classes.tolist() == [3, 1, -1, 0]  # of two that are as frequent the first
    assert times.tolist() == [2, 1, 0, 2]


@given(st.lists(st.sampled_from([0.0, 0.5, 1.0, -2.0, 7.25]), min_size=1, max_size=30))
def test_places_of_equal_values_are_their_mean(values):
    np.testing.assert_allclose(rank_values(np.array(values)), rankdata(values))


@given(st.lists(st.tuples(st.sampled_from([0.0, 0.5, 1.0, -2.0, 7.25, NAN]), st.booleans()), min_size=1, max_size=30))
def test_auroc_is_that_of_scikit_learn(examples):
    scores, positive = (np.array(part) for part in zip(*examples, strict=True))
    there = ~np.isnan(scores)
    found = measure_auroc(scores, positive)
    if len(set(positive[there])) < 2:
        assert found is None
    else:
        assert found == pytest.approx(roc_auc_score(positive[there], scores[there]))


@given(st.integers(0, 2**31 - 1), st.integers(3, 30))
def test_rank_correlation_is_that_of_scipy(seed, num):
    rng = np.random.default_rng(seed)
    first, second = rng.integers(0, 5, num).astype(float), rng.integers(0, 5, num).astype(float)
    first[0] = second[-1] = NAN
    found, own = correlate_ranks(first, second), (first[1:-1], second[1:-1])
    if any(len(set(values)) < 2 for values in own):
        assert found is None
    else:
        assert found == pytest.approx(spearmanr(*own).statistic)


def test_rank_correlation_has_closed_forms():
    values = np.array([0.1, 0.5, 0.2, 0.9])
    assert correlate_ranks(values, values**3) == pytest.approx(1)
    assert correlate_ranks(values, -values) == pytest.approx(-1)
    assert correlate_ranks(values, np.ones(4)) is None
    assert correlate_ranks(np.full(4, NAN), values) is None
