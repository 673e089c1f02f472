"""Losses between views: naive loops from the papers, closed forms, symmetries, other people's programs."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from lightly.loss import NegativeCosineSimilarity, NTXentLoss, SIGReg, VICRegLoss
from lightly.loss.lejepa_loss import lejepa_invariance_loss
from pytorch_metric_learning.losses import SupConLoss
from torch.nn import functional as F

from netgaze.measures.losses import (
    byol_regression,
    center_distance,
    draw_directions,
    nt_xent,
    sigreg,
    sup_con,
    vicreg_terms,
)

SEED = st.integers(0, 2**32 - 1)


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def cosine(one, other):
    return float(one @ other / one.norm() / other.norm())


def naive_sup_con(projections, labels, temperature):
    """Khosla et al. 2020, equation 2, as the loops it is."""
    total = 0.0
    for i in range(len(projections)):
        others = [a for a in range(len(projections)) if a != i]
        positives = [p for p in others if labels[p] == labels[i]]
        below = sum(math.exp(cosine(projections[i], projections[a]) / temperature) for a in others)
        terms = [math.log(math.exp(cosine(projections[i], projections[p]) / temperature) / below) for p in positives]
        total -= sum(terms) / len(positives) if positives else 0.0
    return total / len(projections)


def naive_nt_xent(first, second, temperature):
    """Chen et al. 2020, equation 1 and algorithm 1: views 2k-1 and 2k are of one image."""
    z = [view for pair in zip(first, second, strict=True) for view in pair]

    def loss(i, j):
        below = sum(math.exp(cosine(z[i], z[k]) / temperature) for k in range(len(z)) if k != i)
        return -math.log(math.exp(cosine(z[i], z[j]) / temperature) / below)

    return sum(loss(k, k + 1) + loss(k + 1, k) for k in range(0, len(z), 2)) / len(z)


class TestContrast:
    @pytest.mark.parametrize("temperature", [0.1, 0.5, 2.0])
    def test_nt_xent_is_the_papers(self, temperature):
        first, second = draw(7, 5), draw(7, 5, seed=1)
        assert float(nt_xent(first, second, temperature)) == pytest.approx(naive_nt_xent(first, second, temperature))

    def test_nt_xent_is_lightlys(self):
        first, second = draw(16, 8).float(), draw(16, 8, seed=1).float()
        expected = NTXentLoss(temperature=0.3)(first, second)
        torch.testing.assert_close(nt_xent(first, second, 0.3), expected)

    @given(st.integers(2, 20), st.floats(0.1, 2))
    def test_of_equal_projections_it_is_the_log_of_the_others(self, num, temperature):
        same = torch.ones(num, 3, dtype=torch.float64)
        assert float(nt_xent(same, same, temperature)) == pytest.approx(math.log(2 * num - 1))

    def test_of_opposite_corners(self):
        """Two images, views equal, images at right angles: -log(e^(1/T) / (e^(1/T) + 2))."""
        views = torch.eye(2, dtype=torch.float64)
        expected = -math.log(math.exp(2) / (math.exp(2) + 2))
        assert float(nt_xent(views, views, 0.5)) == pytest.approx(expected)

    @pytest.mark.parametrize("labels", [[0, 0, 1, 1, 2, 2, 0, 1], [0, 1, 2, 3, 0, 1, 2, 9]])
    def test_sup_con_is_the_papers(self, labels):
        projections = draw(8, 4)
        expected = naive_sup_con(projections, labels, 0.2)
        assert float(sup_con(projections, torch.tensor(labels), 0.2)) == pytest.approx(expected)

    def test_sup_con_is_that_of_pytorch_metric_learning(self):
        projections, labels = draw(24, 6).float(), torch.arange(24) % 4
        torch.testing.assert_close(sup_con(projections, labels, 0.1), SupConLoss(0.1)(projections, labels))

    def test_with_a_label_for_each_image_sup_con_is_simclr(self):
        first, second, own = draw(9, 4), draw(9, 4, seed=2), torch.arange(9)
        torch.testing.assert_close(sup_con(torch.cat([first, second]), own.repeat(2), 0.5), nt_xent(first, second, 0.5))

    @settings(deadline=None, max_examples=30)
    @given(SEED, st.floats(0.01, 100))
    def test_neither_order_nor_length_nor_rotation_counts(self, seed, scale):
        first, second = draw(6, 4, seed=seed), draw(6, 4, seed=seed + 1)
        order, turn = torch.randperm(6), torch.linalg.qr(draw(4, 4, seed=seed + 2)).Q
        expected = nt_xent(first, second, 0.5)
        torch.testing.assert_close(nt_xent(scale * first[order] @ turn, second[order] @ turn, 0.5), expected)
        torch.testing.assert_close(nt_xent(second, first, 0.5), expected)

    def test_gradients(self):
        first, second = draw(4, 3).requires_grad_(), draw(4, 3, seed=1).requires_grad_()
        assert torch.autograd.gradcheck(lambda a, b: nt_xent(a, b, 0.5), (first, second))
        labels = torch.tensor([0, 1, 1, 2])
        assert torch.autograd.gradcheck(lambda a: sup_con(a, labels, 0.5), (first,))


def naive_vicreg(first, second):
    num, dims = first.shape
    invariance = sum(float((a - b) @ (a - b)) for a, b in zip(first, second, strict=True)) / num / dims
    variance = covariance = 0.0
    for view in (first, second):
        mean = [float(view[:, d].sum()) / num for d in range(dims)]
        for i in range(dims):
            for j in range(dims):
                c = sum((float(row[i]) - mean[i]) * (float(row[j]) - mean[j]) for row in view) / (num - 1)
                if i == j:
                    variance += max(0.0, 1 - math.sqrt(c + 1e-4)) / dims / 2
                else:
                    covariance += c**2 / dims
    return invariance, variance, covariance


class TestVicreg:
    @pytest.mark.parametrize("scale", [0.3, 2.0])
    def test_terms_are_the_papers(self, scale):
        first, second = scale * draw(8, 4), scale * draw(8, 4, seed=1)
        assert tuple(map(float, vicreg_terms(first, second))) == pytest.approx(naive_vicreg(first, second))

    def test_the_sum_is_lightlys(self):
        first, second = draw(32, 6).float(), 0.5 * draw(32, 6, seed=3).float()
        invariance, variance, covariance = vicreg_terms(first, second)
        torch.testing.assert_close(25 * invariance + 25 * variance + covariance, VICRegLoss()(first, second))

    def test_of_a_collapsed_network(self):
        same = torch.full((10, 5), 3.0, dtype=torch.float64)
        invariance, variance, covariance = map(float, vicreg_terms(same, same))
        assert (invariance, covariance) == (0, pytest.approx(0))
        assert variance == pytest.approx(1 - math.sqrt(1e-4))

    def test_of_a_cloud_that_is_as_wanted_nothing_is_left_but_the_views(self):
        cloud = 2 * torch.linalg.qr(draw(40, 40)).Q[:, :5]
        cloud = cloud - cloud.mean(dim=0)
        cloud = torch.linalg.qr(cloud).Q * math.sqrt(39)  # variances of 1, covariances of 0
        invariance, variance, covariance = map(float, vicreg_terms(cloud, cloud + 1))
        assert invariance == pytest.approx(1)
        assert variance == pytest.approx(0, abs=1e-4)
        assert covariance == pytest.approx(0, abs=1e-10)

    def test_gradients(self):
        views = draw(5, 3).requires_grad_(), draw(5, 3, seed=1).requires_grad_()
        assert torch.autograd.gradcheck(lambda a, b: sum(vicreg_terms(a, b)), views)


class TestByol:
    def test_it_is_the_squared_distance_of_unit_vectors(self):
        prediction, target = draw(6, 4), draw(6, 4, seed=1)
        expected = (F.normalize(prediction) - F.normalize(target)).square().sum(dim=1).mean()
        torch.testing.assert_close(byol_regression(prediction, target), expected)
        theirs = 2 + 2 * NegativeCosineSimilarity()(prediction, target)
        torch.testing.assert_close(byol_regression(prediction, target), theirs)

    def test_nothing_flows_to_the_target(self):
        prediction, target = draw(6, 4).requires_grad_(), draw(6, 4, seed=1).requires_grad_()
        byol_regression(prediction, target).backward()
        assert prediction.grad.abs().sum() > 0
        assert target.grad is None


class TestLejepa:
    def test_sigreg_is_the_integral(self):
        """N int |phi_N(t) - exp(-t^2/2)|^2 exp(-t^2/2) dt over -3..3, by a rule a hundred times finer."""
        rows, directions = draw(30, 4), draw_directions(4, 5).double()
        total = 0.0
        for direction in directions.T:
            knots = torch.linspace(-3, 3, 3001, dtype=torch.float64)
            phi = torch.exp(1j * knots[:, None] * (rows @ direction)).mean(dim=1)
            window = torch.exp(-knots.square() / 2)
            total += float(torch.trapezoid((phi - window).abs().square() * window, knots)) * len(rows)
        assert float(sigreg(rows, directions)) == pytest.approx(total / 5, rel=0.02)

    def test_both_terms_are_lightlys(self, monkeypatch):
        views, directions = draw(2, 40, 6).float(), draw_directions(6, 64)
        theirs = SIGReg(knots=17, t_max=3.0, num_vectors=64)
        noise = 3 * directions
        monkeypatch.setattr(torch, "randn", lambda *sizes, **options: noise.clone())
        expected = theirs(views)
        torch.testing.assert_close(torch.stack([sigreg(view, directions) for view in views]).mean(), expected)
        torch.testing.assert_close(center_distance(views), lejepa_invariance_loss(all_proj=views, global_proj=views))

    @pytest.mark.parametrize("num", [50, 800])
    def test_a_normal_cloud_scores_about_one_whatever_its_size(self, num):
        """E = int (1 - exp(-t^2)) exp(-t^2 / 2) dt = 1.053 over -3..3."""
        directions = draw_directions(8, 200).double()
        scores = [float(sigreg(draw(num, 8, seed=seed), directions)) for seed in range(30)]
        assert sum(scores) / len(scores) == pytest.approx(1.053, abs=0.1)

    def test_a_collapsed_cloud_grows_with_its_size(self):
        directions = draw_directions(8, 50).double()
        small, large = (float(sigreg(torch.zeros(num, 8, dtype=torch.float64), directions)) for num in (100, 400))
        assert small > 20
        assert large == pytest.approx(4 * small)

    def test_the_distance_to_the_center_of_two_views_is_a_quarter_of_their_squared_difference(self):
        views = draw(2, 9, 4)
        torch.testing.assert_close(center_distance(views), F.mse_loss(views[0], views[1]) / 4)

    def test_directions_have_length_one_and_point_everywhere(self):
        directions = draw_directions(3, 4000)
        torch.testing.assert_close(directions.norm(dim=0), torch.ones(4000))
        assert directions.mean(dim=1).abs().max() < 0.05
        torch.testing.assert_close(directions @ directions.T / 4000, torch.eye(3) / 3, atol=0.02, rtol=0)

    def test_gradients(self):
        rows, directions = draw(6, 3).requires_grad_(), draw_directions(3, 4).double()
        assert torch.autograd.gradcheck(lambda a: sigreg(a, directions), (rows,))
