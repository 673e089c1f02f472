"""Accuracies and counts of confusions against scikit-learn and torchmetrics, and votes in parts."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import balanced_accuracy_score, confusion_matrix, recall_score
from torchmetrics.functional.classification import multiclass_accuracy, multiclass_confusion_matrix

from netgaze.measures import metrics
from netgaze.measures.confusion import PairCounts
from netgaze.measures.metrics import classification_metrics, knn_accuracy, vote_weighted


@pytest.fixture
def freely():
    """torch without deterministic algorithms, in which torchmetrics counts in little room."""
    before = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(False)
    yield
    torch.use_deterministic_algorithms(before)


@pytest.mark.parametrize("num_classes", [2, 5, 6, 37])
def test_accuracies_are_torchmetrics_to_the_bit(num_classes, freely):
    generator = torch.Generator().manual_seed(num_classes)
    logits = torch.randn(331, num_classes, generator=generator).round(decimals=1)  # with ties
    targets = torch.randint(0, max(2, num_classes - 3), (331,), generator=generator)  # and classes that do not occur
    found = classification_metrics(logits, targets)
    each = multiclass_accuracy(logits, targets, num_classes, average="none")[targets.unique()]
    expected = {"acc": multiclass_accuracy(logits, targets, num_classes, average="micro"), "acc_macro": each.mean()}
    if num_classes > 5:
        expected["top5"] = multiclass_accuracy(logits, targets, num_classes, average="micro", top_k=5)
    assert found == {name: float(value) for name, value in expected.items()}


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=1, max_size=60))
def test_pairs_are_those_of_the_matrix(answers):
    targets, predicted = map(np.array, zip(*answers, strict=True))
    found, classes = PairCounts.of(targets, predicted, 7), np.arange(7)
    matrix = confusion_matrix(targets, predicted, labels=classes)
    np.testing.assert_array_equal(found.to_matrix(classes), matrix)
    np.testing.assert_array_equal(found.to_matrix(np.array([5, 1])), matrix[np.ix_([5, 1], [5, 1])])
    np.testing.assert_array_equal(found.examples, matrix.sum(axis=1))
    assert found.num_errors == matrix.sum() - matrix.trace()
    assert (np.diff(found.true * 7 + found.answer) > 0).all()
    there = matrix.sum(axis=1) > 0
    np.testing.assert_allclose(
        found.recalls[there], recall_score(targets, predicted, labels=classes[there], average=None, zero_division=0)
    )
    assert np.isnan(found.recalls[~there]).all()
    rows, columns = map(np.ravel, np.meshgrid(classes, classes))
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    np.testing.assert_array_equal(found.find_shares(rows, columns), shares[rows, columns])
    ranked = [(shares[a, b], matrix[a, b], -a, -b) for a in classes for b in classes if a != b and matrix[a, b]]
    worst = found.rank_errors()
    named = list(zip(-found.true[worst], -found.answer[worst], strict=True))
    assert named == [(a, b) for _, _, a, b in sorted(ranked, reverse=True)]


def test_thousands_of_classes_against_both(freely):
    rng = np.random.default_rng(0)
    targets = rng.integers(0, 1500, 4000)
    predicted = np.where(rng.random(4000) < 0.5, targets, rng.integers(0, 1500, 4000))
    logits = torch.nn.functional.one_hot(torch.from_numpy(predicted), 1500).float()
    numbers = classification_metrics(logits, torch.from_numpy(targets))
    assert numbers["acc"] == pytest.approx((targets == predicted).mean())
    used = targets[np.isin(targets, targets)], predicted
    recalls = recall_score(*used, labels=np.unique(targets), average=None, zero_division=0)
    assert numbers["acc_macro"] == pytest.approx(recalls.mean())
    matrix = multiclass_confusion_matrix(torch.from_numpy(predicted), torch.from_numpy(targets), 1500).numpy()
    np.testing.assert_array_equal(PairCounts.of(targets, predicted, 1500).to_matrix(np.arange(1500)), matrix)


def test_balanced_accuracy_is_sklearns():
    rng = np.random.default_rng(1)
    targets, logits = rng.integers(0, 4, 90), torch.from_numpy(rng.normal(size=(90, 4)))
    expected = balanced_accuracy_score(targets, logits.argmax(dim=1))
    assert classification_metrics(logits, torch.from_numpy(targets))["acc_macro"] == pytest.approx(expected)


def test_votes_in_parts_are_the_votes_at_once(monkeypatch):
    generator = torch.Generator().manual_seed(0)
    similarities = torch.rand(50, 9, generator=generator) * 2 - 1
    labels = torch.randint(0, 30, (50, 9), generator=generator)
    at_once = vote_weighted(similarities, labels, 30)
    monkeypatch.setattr(metrics, "_AT_ONCE", 7 * 30)
    assert torch.equal(vote_weighted(similarities, labels, 30), at_once)


def test_each_k_asks_its_own_number_of_neighbors():
    """Against a loop over queries: votes of exp(cosine / 0.07) by class."""
    generator = torch.Generator().manual_seed(4)
    bank, queries = torch.randn(60, 3, generator=generator), torch.randn(40, 3, generator=generator)
    bank_labels, labels = torch.arange(60) % 4, torch.arange(40) % 4
    cosines = torch.nn.functional.cosine_similarity(queries[:, None], bank[None], dim=2)
    expected = {}
    for k in (1, 5, 60):
        right = 0
        for row, label in zip(cosines, labels, strict=True):
            near = row.argsort(descending=True)[:k]
            votes = [float((row[near][bank_labels[near] == c] / 0.07).double().exp().sum()) for c in range(4)]
            right += votes.index(max(votes)) == label
        expected[f"knn{k}"] = right / 40
    assert len(set(expected.values())) == 3
    assert knn_accuracy(bank, bank_labels, queries, labels, ks=(1, 5, 60, 61)) == expected
