"""Similarity of features: against the formulas written out, closed forms, invariances, and what chance gives."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from netgaze.measures.similarity import (
    LayerProducts,
    calibrate,
    list_neighbors,
    measure_cka,
    permute_within,
    share_neighbors,
)


def make_features(num, width, seed=0):
    return torch.randn(num, width, generator=torch.Generator().manual_seed(seed)) + 3.0


def sum_plainly(first, second):
    """HSIC_1 as Song et al. write it, with matrices of all pairs."""
    num = len(first)
    k, other = (rows.double() @ rows.double().T for rows in (first, second))
    k, other = (matrix - matrix.diag().diag() for matrix in (k, other))
    ones = torch.ones(num, dtype=torch.float64)
    total = (k @ other).trace() + (ones @ k @ ones) * (ones @ other @ ones) / ((num - 1) * (num - 2))
    total -= 2 / (num - 2) * (ones @ k @ other @ ones)
    return total / (num * (num - 3))


def compare_plainly(first, second):
    scale = (sum_plainly(first, first) * sum_plainly(second, second)).sqrt()
    return float(sum_plainly(first, second) / scale)


def compare_biased(first, second):
    """Linear CKA of Kornblith et al., which is high for any two matrices with more features than images."""
    first, second = (rows.double() - rows.double().mean(dim=0) for rows in (first, second))
    scale = (first.T @ first).norm() * (second.T @ second).norm()
    return float((first.T @ second).square().sum() / scale)


@settings(max_examples=30, deadline=None)
@given(st.integers(5, 40), st.integers(1, 12), st.integers(1, 12), st.integers(0, 2**31))
def test_cka_is_the_formula_of_all_pairs(num, width, other, seed):
    first = make_features(num, width, seed)
    second = first[:, :1] * make_features(num, other, seed + 1)
    expected = compare_plainly(first, second)
    if np.isfinite(expected) and abs(expected) < 5:
        assert measure_cka(first, second) == pytest.approx(expected, abs=1e-4)


def test_layers_are_compared_each_with_each():
    first = [make_features(30, width, width) for width in (3, 8)]
    second = [make_features(30, width, width) for width in (8, 2, 5)]
    found = LayerProducts(first).compare(LayerProducts(second))
    for row, one in enumerate(first):
        for column, other in enumerate(second):
            assert float(found[row, column]) == pytest.approx(compare_plainly(one, other), abs=1e-5)


def test_features_are_like_themselves_rotated_scaled_and_shifted():
    features = make_features(200, 16)
    rotation = torch.linalg.qr(make_features(16, 16, 5))[0]
    assert measure_cka(features, features) == pytest.approx(1)
    assert measure_cka(features, 7 * features @ rotation + 11) == pytest.approx(1, abs=1e-5)
    assert measure_cka(features, features @ make_features(16, 16, 6)) < 0.9  # not any linear map


def test_the_order_of_images_does_not_matter_but_must_be_the_same():
    first, second = make_features(200, 16), make_features(200, 16)[:, :4]
    order = torch.randperm(200, generator=torch.Generator().manual_seed(0))
    assert measure_cka(first[order], second[order]) == pytest.approx(measure_cka(first, second), abs=1e-5)
    one, other = LayerProducts([first]), LayerProducts([second])
    assert float(one.compare(other, order)) == pytest.approx(measure_cka(first, second[order]), abs=1e-5)


def test_what_has_nothing_in_common_has_no_cka_where_the_biased_one_does():
    first, second = make_features(10_000, 512, 1), make_features(10_000, 512, 2)
    one, other = LayerProducts([first]), LayerProducts([second])
    found = one.compare(other).numpy()
    rng = torch.Generator().manual_seed(0)
    chance = np.stack([one.compare(other, torch.randperm(10_000, generator=rng)).numpy() for _ in range(20)])
    assert abs(found.item()) < 0.005
    assert abs(calibrate(found, chance).item()) < 0.02
    assert compare_biased(first, second) > 0.04
    assert compare_biased(first[:512], second[:512]) > 0.4
    assert abs(measure_cka(first[:512], second[:512])) < 0.02


def test_a_constant_layer_is_compared_to_nothing():
    features = make_features(50, 8)
    assert np.isnan(measure_cka(features, torch.ones(50, 3)))
    layers = LayerProducts([features, torch.ones(50, 3)])
    assert layers.compare(LayerProducts([features])).isfinite().flatten().tolist() == [True, False]


def test_pixels_are_shares():
    pixels = torch.randint(0, 256, (50, 12), dtype=torch.uint8)
    assert measure_cka(pixels, pixels.float()) == pytest.approx(1, abs=1e-5)


def share_plainly(first, second):
    return float(np.mean([len({*one} & {*other}) / len(one) for one, other in zip(first, second, strict=True)]))


def test_mutual_neighbors_are_those_that_both_have():
    first, second = (list_neighbors(make_features(60, 5, seed), 7) for seed in (0, 1))
    assert share_neighbors(first, first) == 1
    assert share_neighbors(first, second) == pytest.approx(share_plainly(first, second))


def test_neighbors_under_an_order_are_those_of_features_in_that_order():
    first, features = list_neighbors(make_features(60, 5), 7), make_features(60, 5, 1)
    order = np.random.default_rng(0).permutation(60)
    expected = share_plainly(first, list_neighbors(features[torch.from_numpy(order)], 7))
    assert share_neighbors(first, list_neighbors(features, 7), order) == pytest.approx(expected)


def test_neighbors_by_chance_are_k_of_all_others():
    first, second = (list_neighbors(make_features(400, 5, seed), 10) for seed in (0, 1))
    rng = np.random.default_rng(0)
    found = [share_neighbors(first, second, rng.permutation(400)) for _ in range(50)]
    assert np.mean(found) == pytest.approx(10 / 399, rel=0.1)


def test_an_order_within_classes_keeps_classes():
    labels = np.random.default_rng(0).integers(0, 4, 200)
    order = permute_within(labels, np.random.default_rng(1))
    assert np.array_equal(labels[order], labels)
    assert sorted(order) == list(range(200))
    assert (order != np.arange(200)).mean() > 0.9


def test_classes_alone_give_neighbors_that_the_order_within_them_takes_off():
    """Two networks that know the classes and nothing else share what chance within classes gives."""
    labels = np.repeat(np.arange(4), 100)
    centers = 50 * make_features(4, 8, 9)
    first, second = (
        list_neighbors(centers[torch.from_numpy(labels)] + make_features(400, 8, seed), 10) for seed in (0, 1)
    )
    found = share_neighbors(first, second)
    assert found > 3 * 10 / 399
    rng = np.random.default_rng(0)
    chance = np.array([share_neighbors(first, second, permute_within(labels, rng)) for _ in range(100)])
    assert abs(calibrate(np.array(found), chance)) < 0.05


def test_calibration_is_0_at_the_quantile_and_1_at_1():
    chance = np.linspace(0, 1, 101)[:, None] * np.array([0.1, 0.2])
    assert calibrate(np.array([0.095, 1.0]), chance) == pytest.approx([0, 1])
    assert (calibrate(np.array([0.0, 0.0]), chance) < 0).all()


def test_where_chance_gives_all_nothing_is_above_it():
    assert np.isnan(calibrate(np.array(1.0), np.ones(20)))
