"""Ranks of pixels, areas and rank correlations against loops, known curves and scipy."""

import numpy as np
import pytest
import torch
from scipy.integrate import trapezoid
from scipy.stats import spearmanr

from netgaze.measures.faithfulness import correlate_ranks, measure_area, rank_pixels


def test_pixels_are_ranked_from_the_highest_of_their_own_map():
    maps = torch.tensor([[[3.0, 9.0], [-1.0, 4.0]], [[0.5, 0.1], [0.7, 0.2]]])
    assert rank_pixels(maps).tolist() == [[[2, 0], [3, 1]], [[1, 3], [0, 2]]]


def test_the_highest_share_is_that_of_a_sort():
    maps = torch.randperm(100).float().view(1, 10, 10)
    assert torch.equal(rank_pixels(maps) < 20, maps >= 80)


def test_equal_pixels_are_not_read_line_by_line():
    ranks = rank_pixels(torch.zeros(2, 16, 16))
    assert torch.equal(ranks[0].flatten().sort().values, torch.arange(256))
    assert torch.equal(ranks[0], ranks[1])
    rows = ranks[0].double().mean(dim=1)
    assert rows.max() - rows.min() < 128, "of a map of nothing no part goes first"
    mixed = torch.zeros(1, 8, 8)
    mixed[0, 5, 5], mixed[0, 1, 2] = 1.0, -1.0
    assert rank_pixels(mixed)[0, 5, 5] == 0
    assert rank_pixels(mixed)[0, 1, 2] == 63


def test_areas_of_known_curves():
    shares = np.array([0.0, 0.2, 0.25, 1.0])
    curves = np.stack([np.ones(4), shares, 1 - shares, (shares == 0).astype(float)])
    np.testing.assert_allclose(measure_area(curves, shares), [1, 0.5, 0.5, 0.1])
    many = np.random.default_rng(0).random((3, 2, 4))
    np.testing.assert_allclose(measure_area(many, shares), trapezoid(many, shares, axis=-1))


def test_an_area_of_even_steps_is_rises():
    """As in the authors' code: (sum - half of the first and of the last) / steps."""
    curve = np.random.default_rng(1).random(11)
    rise = (curve.sum() - curve[0] / 2 - curve[-1] / 2) / (len(curve) - 1)
    assert measure_area(curve, np.linspace(0, 1, 11)) == pytest.approx(rise)


def test_rank_correlations_are_scipys():
    rng = np.random.default_rng(0)
    one, other = rng.integers(0, 5, (6, 20)).astype(float), rng.normal(size=(6, 20))
    expected = [spearmanr(*pair).statistic for pair in zip(one, other, strict=True)]
    np.testing.assert_allclose(correlate_ranks(one, other), expected)


def test_ranks_do_not_see_scale_but_sign():
    rows = np.random.default_rng(0).normal(size=(3, 9))
    np.testing.assert_allclose(correlate_ranks(rows, 7 * rows + 2), 1)
    np.testing.assert_allclose(correlate_ranks(rows, np.exp(rows)), 1)
    np.testing.assert_allclose(correlate_ranks(rows, -rows), -1)


def test_a_map_of_nothing_correlates_with_nothing():
    rows = np.stack([np.zeros(4), np.arange(4.0)])
    assert correlate_ranks(rows, rows).tolist() == [0, pytest.approx(1)]
    assert correlate_ranks(np.ones((2, 1)), np.ones((2, 1))).tolist() == [0, 0]
