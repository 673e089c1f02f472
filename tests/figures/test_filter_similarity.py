"""Similarity of filters against scikit-learn, scipy and naive loops; the permutation test on planted structure."""

import itertools

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr
from sklearn.metrics import confusion_matrix
from sklearn.metrics.pairwise import cosine_similarity
from tests.figures.test_figures import assert_readable, texts_of
from tests.figures.test_response_maps import filters_a_class

from netgaze.figures.filter_similarity import FilterSimilarity, compare_filters, correlate_mantel, order_clusters
from netgaze.gallery import look


def symmetric(rng, num):
    half = rng.normal(size=(num, num))
    return half + half.T


def test_cosines_are_sklearns_and_a_loops():
    filters = np.random.default_rng(0).normal(size=(7, 5)).astype(np.float32)
    ours = compare_filters(filters)
    np.testing.assert_allclose(ours, cosine_similarity(filters.astype(np.float64)), atol=1e-8)
    for row, column in itertools.product(range(7), repeat=2):
        a, b = filters[row].astype(float), filters[column].astype(float)
        assert ours[row, column] == pytest.approx(a @ b / np.sqrt((a @ a) * (b @ b)), abs=1e-8)
    assert np.array_equal(ours, ours.T)


def test_filters_of_zeros_and_equal_filters():
    filters = np.zeros((3, 4), dtype=np.float32)
    filters[1] = 1
    assert compare_filters(filters).tolist() == [[0, 0, 0], [0, 1, 0], [0, 0, 0]]
    one = np.random.default_rng(0).normal(size=64).astype(np.float32)
    assert (compare_filters(np.tile(one, (100, 1))) == 1).all()


def test_order_puts_groups_together_and_neighbors_by_likeness():
    angles = np.array([0.0, 3.0, 0.1, 3.3, 0.3, 3.1])
    order = order_clusters(compare_filters(np.stack([np.cos(angles), np.sin(angles)], axis=1)))
    assert list(order) in ([0, 2, 4, 1, 5, 3], [3, 5, 1, 4, 2, 0])


def test_matrices_names_and_numbers_belong_together(supervised, rotation, data):
    for subject in (supervised, rotation, filters_a_class(data)):
        finding = FilterSimilarity().compute(subject)
        names, outputs = subject.task.class_names, subject.outputs("test")
        order = [names.index(name) for name in finding.arrays["names"]]
        assert sorted(order) == list(range(len(names)))
        with torch.no_grad():
            plain = cosine_similarity(subject.task.model.class_filters())
        np.testing.assert_allclose(finding.arrays["similarity"], plain[np.ix_(order, order)], atol=1e-5)
        answers = outputs.logits.argmax(axis=1)
        shares = confusion_matrix(outputs.targets, answers, labels=range(len(names)), normalize="true")
        np.testing.assert_allclose(finding.arrays["confusion"], shares[np.ix_(order, order)], atol=1e-12)
        pairs = list(itertools.combinations(range(len(names)), 2))
        cosines = [plain[pair] for pair in pairs]
        best = pairs[int(np.argmax(cosines))]
        assert finding.numbers["similarity_mean"] == pytest.approx(np.mean(cosines), abs=1e-5)
        assert finding.numbers["similarity_max"] == pytest.approx(max(cosines), abs=1e-5)
        assert finding.numbers["most_similar"] == f"{names[best[0]]} and {names[best[1]]}"


def test_a_class_without_examples_has_an_empty_row(make_data, make_subjects):
    subject = make_subjects(make_data(num_classes=5, sizes=(("train", 20), ("val", 20), ("test", 4))))[0]
    arrays = FilterSimilarity().compute(subject).arrays
    empty = list(arrays["names"]).index(subject.task.class_names[4])
    np.testing.assert_array_equal(arrays["confusion"].sum(axis=1), np.arange(5) != empty)


def test_rank_correlation_is_scipys_over_pairs():
    rng = np.random.default_rng(1)
    similarity, confusion = symmetric(rng, 6), rng.integers(0, 4, (6, 6)) / 4  # with ties
    pairs = list(itertools.combinations(range(6), 2))
    expected = spearmanr(
        [similarity[pair] for pair in pairs], [confusion[pair] + confusion[pair[::-1]] for pair in pairs]
    ).statistic
    assert correlate_mantel(similarity, confusion, 9, 0)["spearman"] == pytest.approx(expected)
    np.fill_diagonal(similarity, 99)
    np.fill_diagonal(confusion, -99)
    assert correlate_mantel(similarity, confusion, 9, 0)["spearman"] == pytest.approx(expected)


def test_permutation_p_against_a_loop_over_all_permutations():
    rng = np.random.default_rng(4)
    similarity, confusion = symmetric(rng, 5), symmetric(rng, 5).round(1)
    pairs = np.triu_indices(5, 1)
    observed = spearmanr(similarity[pairs], confusion[pairs]).statistic
    all_of_them = [
        spearmanr(similarity[pairs], confusion[np.ix_(order, order)][pairs]).statistic >= observed - 1e-9
        for order in itertools.permutations(range(5))
    ]
    assert 0.1 < np.mean(all_of_them) < 0.9
    assert correlate_mantel(similarity, confusion, 3000, 0)["p_permutation"] == pytest.approx(
        np.mean(all_of_them), abs=0.03
    )


def test_permutation_p_is_small_for_planted_structure_and_only_then():
    rng = np.random.default_rng(3)
    similarity = symmetric(rng, 12)
    planted = correlate_mantel(similarity, np.exp(similarity) + 0.1 * rng.random((12, 12)), 999, 0)
    assert planted["p_permutation"] == pytest.approx(1 / 1000)
    assert correlate_mantel(similarity, -similarity, 999, 0)["p_permutation"] == 1.0
    found = [correlate_mantel(similarity, rng.random((12, 12)), 99, seed)["p_permutation"] for seed in range(60)]
    assert 0.35 < np.mean(found) < 0.65
    assert np.mean(np.array(found) <= 0.1) < 0.25


def test_correlation_with_what_does_not_vary_is_none(data):
    rng = np.random.default_rng(0)
    nothing = {"spearman": None, "p_permutation": None}
    assert correlate_mantel(np.ones((4, 4)), rng.random((4, 4)), 99, 0) == nothing
    assert correlate_mantel(rng.random((4, 4)), np.eye(4), 99, 0) == nothing
    assert correlate_mantel(np.eye(2), np.eye(2), 99, 0) == nothing
    numbers = FilterSimilarity().compute(filters_a_class(data, "static")).numbers
    assert numbers == {"similarity_mean": 1.0, "similarity_max": 1.0, "most_similar": "all equal"} | nothing


@pytest.mark.parametrize("num_classes", [2, pytest.param(12, marks=pytest.mark.slow), 100])
def test_few_and_many_classes_are_readable_and_few_have_values(num_classes, make_data):
    data = make_data(num_classes=num_classes, sizes=(("train", 200), ("val", 200), ("test", 200)))
    figure = FilterSimilarity(num_permutations=9)
    finding = figure.compute(filters_a_class(data))
    assert all(np.isfinite(array).all() for name, array in finding.arrays.items() if name != "names")
    picture = figure.draw({"dynamic": finding, "static": figure.compute(filters_a_class(data, "static"))})
    assert_readable(picture)
    values = [words for words, _ in texts_of(picture) if words == "1.00"]
    assert (len(values) > 0) == (num_classes <= 12)


def test_what_is_written_is_json(data, tmp_path):
    look({"filter_similarity": FilterSimilarity()}, [filters_a_class(data, "static")], tmp_path)
    assert '"spearman": null' in (tmp_path / "filter_similarity.json").read_text()
