"""The similarity of two networks' features of the same images, and its value by chance.

Letters: N images, L and M layers of two networks, k neighbors, P permutations.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from netgaze.measures.neighbors import find_nearest
from netgaze.measures.pixels import to_floats

_CERTAINTY = 0.95  # quantile of what chance gives that a score is held against


class LayerProducts:
    """Features of several layers of a network on the same images, ready for debiased CKA with another's.

    Args:
        layers: features of each layer, [N,D], N of at least 4; uint8 is taken for pixels, shares of 255.
    """

    def __init__(self, layers: Sequence[Tensor]):
        # Debiased HSIC does not change when features are centered: what digits there are go to what differs.
        centered = [(rows := to_floats(layer).float()) - rows.mean(dim=0) for layer in layers]
        lengths = [float(rows.square().sum(dim=1).mean().clamp(min=1e-20)) for rows in centered]
        scaled = [rows / length**0.5 for rows, length in zip(centered, lengths, strict=True)]  # CKA knows no scale
        self.rows = torch.cat(scaled, dim=1)
        self.widths = [rows.shape[1] for rows in scaled]
        self.norms = torch.stack([rows.double().square().sum(dim=1) for rows in scaled])
        self.own = torch.stack([_debias(rows, rows) for rows in scaled])

    def compare(self, other: "LayerProducts", order: Tensor | None = None) -> Tensor:
        """Debiased linear CKA of every layer with every one of another network, float64 [L,M]; NaN of a constant layer.

        HSIC_1(K,L) / sqrt(HSIC_1(K,K) HSIC_1(L,L)), K = XX' (Kornblith et al. 2019 with the estimator of Song et al.
        2012): 1 for layers that are alike but for a rotation and a scale, 0 on average where they have nothing in
        common, so that it may be below 0. With centered features every sum over pairs is one over images:
        no matrix [N,N] is made.

        Args:
            other: of the same images.
            order: of the other's images, int64 [N]: what chance gives.
        """
        rows, norms = (other.rows, other.norms) if order is None else (other.rows[order], other.norms[:, order])
        squares = (self.rows.T @ rows).square_()
        columns = [part.sum(dim=1, dtype=torch.float64) for part in squares.split(other.widths, dim=1)]
        products = torch.stack([part.sum(dim=0) for part in torch.stack(columns, dim=1).split(self.widths)])
        found = _sum_pairs(products, self.norms, norms)
        scale = (self.own[:, None] * other.own[None]).clamp(min=0).sqrt()
        return torch.where(scale > 1e-12 * self.own.max() * other.own.max(), found / scale, torch.nan)


def measure_cka(first: Tensor, second: Tensor) -> float:
    """Debiased linear CKA of features [N,D] and [N,E] of the same images, see `LayerProducts.compare`."""
    return float(LayerProducts([first]).compare(LayerProducts([second])))


def _debias(first: Tensor, second: Tensor) -> Tensor:
    """HSIC_1 of two centered layers."""
    products = (first.T @ second).double().square().sum()[None, None]
    norms = (part.double().square().sum(dim=1)[None] for part in (first, second))
    return _sum_pairs(products, *norms)[0, 0]


def _sum_pairs(products: Tensor, first: Tensor, second: Tensor) -> Tensor:
    """HSIC_1 (Song et al. 2012) from |X'Y|^2 [L,M] and the squared lengths of centered rows, [L,N] and [M,N].

    With K~ the products of rows without their diagonal, and rows that sum to 0: K~1 = -lengths, and tr(K~L~) is
    |X'Y|^2 less the diagonal.
    """
    num = first.shape[1]
    diagonal = first @ second.T
    sums = first.sum(dim=1)[:, None] * second.sum(dim=1)[None]
    total = products - diagonal + sums / ((num - 1) * (num - 2)) - 2 / (num - 2) * diagonal
    return total / (num * (num - 3))


def list_neighbors(features: Tensor, k: int) -> np.ndarray:
    """The k nearest other images of each by the cosine of features [N,D], int64 [N,k]."""
    return find_nearest(features, features, k, leave_out_self=True)[1].numpy()


def share_neighbors(first: np.ndarray, second: np.ndarray, order: np.ndarray | None = None) -> float:
    """Mutual kNN (Huh et al. 2024): the mean share of an image's k neighbors that two networks have in common, 0..1.

    Args:
        first: each image's neighbors among the N, see `list_neighbors`, [N,k].
        second: the same by another network.
        order: images of the second network that stand in for these, a permutation [N]: what chance gives.
    """
    num, k = first.shape
    if order is not None:
        place = np.empty_like(order)
        place[order] = np.arange(num)
        second = place[second[order]]
    own = np.arange(num)[:, None] * num
    return float(np.isin((own + first).ravel(), (own + second).ravel(), kind="sort").sum() / (num * k))


def permute_within(labels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A random order of images in which each stands for one of its own class, int64 [N]."""
    order = np.arange(len(labels))
    for label in np.unique(labels):
        own = np.flatnonzero(labels == label)
        order[own] = rng.permutation(own)
    return order


def find_chance(by_chance: np.ndarray) -> np.ndarray:
    """The chance level: the 95% quantile of scores by chance [P,...] over the permutations, [...]."""
    return np.quantile(by_chance, _CERTAINTY, axis=0)


def calibrate(scores: np.ndarray, by_chance: np.ndarray) -> np.ndarray:
    """Scores above chance (Gröger et al. 2026, arXiv 2602.14486): (s - t) / (1 - t), 0 at what chance seldom exceeds.

    t is the 95 % quantile of the scores by chance [P,...] of scores [...]; below it they are negative, where the paper
    has 0. NaN where chance alone gives 1.
    """
    threshold = find_chance(by_chance)
    room = np.where(threshold < 1, 1 - threshold, np.nan)
    return (scores - threshold) / room
