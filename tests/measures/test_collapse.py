"""Whether features say anything: closed forms, naive loops, invariances, and what a collapsed network shows."""

import math
from itertools import combinations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from netgaze.measures.collapse import (
    alignment,
    covariance_eigenvalues,
    effective_rank,
    fit_decay,
    singular_values,
    uniformity,
)


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("shape", [(40, 7), (7, 40), (9, 9)])
def test_singular_values_are_torchs(shape):
    rows = draw(*shape)
    torch.testing.assert_close(singular_values(rows), torch.linalg.svdvals(rows))
    torch.testing.assert_close(covariance_eigenvalues(rows)[:6], torch.linalg.eigvalsh(rows.T.cov()).flip(0)[:6])


def test_the_rank_is_that_of_the_paper():
    rows = draw(30, 6)
    values = torch.linalg.svdvals(rows)
    shares = [float(value / values.sum()) + 1e-7 for value in values]
    assert effective_rank(rows) == pytest.approx(math.exp(-sum(p * math.log(p) for p in shares)))


@given(st.integers(1, 12))
def test_of_equal_directions_it_is_their_number(num):
    rows = torch.linalg.qr(draw(30, 12)).Q[:, :num]
    assert effective_rank(rows) == pytest.approx(num, rel=1e-4)


def test_of_a_collapsed_network_it_is_one_and_of_half_a_collapse_half():
    assert effective_rank(torch.ones(50, 8)) == pytest.approx(1, rel=1e-4)
    basis = torch.linalg.qr(draw(50, 8)).Q
    assert effective_rank(torch.cat([basis[:, :4], torch.zeros(50, 4)], dim=1)) == pytest.approx(4, rel=1e-4)


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 1000), st.floats(0.01, 100))
def test_neither_scale_nor_rotation_nor_order_changes_it(seed, scale):
    rows, turn = draw(20, 5, seed=seed), torch.linalg.qr(draw(5, 5, seed=seed + 1)).Q
    changed = scale * rows[torch.randperm(20)] @ turn
    assert effective_rank(changed) == pytest.approx(effective_rank(rows), rel=1e-6)
    assert uniformity(changed) == pytest.approx(uniformity(rows), rel=1e-6)


@pytest.mark.parametrize("power", [0.5, 1.0, 2.3])
def test_the_decay_of_a_power_law_is_its_power(power):
    assert fit_decay(3.0 * torch.arange(1, 300, dtype=torch.float64) ** -power) == pytest.approx(power)


def test_there_is_no_decay_of_too_few():
    assert math.isnan(fit_decay(torch.tensor([3.0, 2.0, 1.0])))
    assert math.isnan(fit_decay(torch.tensor([1.0] + 50 * [0.0], dtype=torch.float64)))


def test_alignment_and_uniformity_are_the_papers():
    first, second = draw(9, 4), draw(9, 4, seed=1)
    unit = [view / view.norm(dim=1, keepdim=True) for view in (first, second)]
    distances = [float((a - b) @ (a - b)) for a, b in zip(*unit, strict=True)]
    assert alignment(first, second) == pytest.approx(sum(distances) / 9)
    pairs = [math.exp(-2 * float((a - b) @ (a - b))) for a, b in combinations(unit[0], 2)]
    assert uniformity(first) == pytest.approx(math.log(sum(pairs) / len(pairs)))


def test_of_a_collapsed_network_both_are_zero():
    same = torch.full((20, 5), 2.0)
    assert alignment(same, same) == pytest.approx(0, abs=1e-6)
    assert uniformity(same) == pytest.approx(0, abs=1e-6)


def test_on_a_sphere_of_many_dimensions_uniformity_is_minus_four_and_views_without_likeness_are_two_apart():
    first, second = draw(500, 400), draw(500, 400, seed=1)
    assert uniformity(first) == pytest.approx(-4, abs=0.05)
    assert alignment(first, second) == pytest.approx(2, abs=0.02)
