"""Linear probes in closed form: the accuracy of a linear classifier on features, without training one.

Ridge regression of one-hot labels on centered features, w = (X'X + l I)^-1 X'Y. One eigendecomposition serves every l.
Letters: N images, D features, K classes.
"""

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from netgaze.measures.pixels import to_floats

STRENGTHS = tuple(10.0**power for power in range(-3, 6))  # of l, in mean eigenvalues of X'X
_AT_ONCE = 4096  # images
_EXACT = 1024  # features up to which float64 is quick enough


class Labeled(NamedTuple):
    """Features [N,D], float32 or raw pixels as bytes, and labels int64 [N]."""

    features: Tensor
    labels: Tensor


class Probed(NamedTuple):
    """The accuracy of a probe, 0..1, and its l in mean eigenvalues."""

    accuracy: float
    strength: float


def probe_linearly(train: Labeled, chosen_on: Labeled, measured_on: Labeled, num_classes: int) -> Probed:
    """Fit a ridge classifier, choose its strength by accuracy on other images, and measure it on a third set.

    Of equally accurate strengths the lowest is taken.
    """
    ridge = Ridge(train, num_classes)
    best = int(ridge.measure(chosen_on).argmax())
    return Probed(float(ridge.measure(measured_on)[best]), STRENGTHS[best])


class Ridge:
    """A ridge classifier for every strength: fitted once.

    Where features outnumber images, by the images' products with each other.
    """

    def __init__(self, train: Labeled, num_classes: int):
        num, width = train.features.shape
        self.dtype = torch.float64 if width <= _EXACT else torch.float32
        self.mean = sum(part.sum(dim=0) for part in self._read(train.features)) / num
        self.shares = train.labels.bincount(minlength=num_classes).to(self.dtype) / num
        targets = torch.nn.functional.one_hot(train.labels, num_classes).to(self.dtype) - self.shares
        if width <= num:
            product, moments = self._sum_products(train.features, targets)
            values, basis = torch.linalg.eigh(product)
            self.basis, solved = basis, basis.T @ moments
        else:
            rows = torch.cat(list(self._read(train.features))) - self.mean
            values, basis = torch.linalg.eigh(rows @ rows.T)
            self.basis, solved = rows.T @ basis, basis.T @ targets
        values = values.clamp(min=0)
        mean_value = (values.sum() / width).clamp(min=1e-12)  # of features that are all alike it is 0
        self.weights = [solved / (values + strength * mean_value).unsqueeze(1) for strength in STRENGTHS]

    def measure(self, some: Labeled) -> Tensor:
        """The accuracy, 0..1, for each strength, [9]."""
        right = torch.zeros(len(STRENGTHS), dtype=torch.float64)
        labels = iter(some.labels.split(_AT_ONCE))
        for rows in self._read(some.features):
            seen, true = (rows - self.mean) @ self.basis, next(labels)
            for place, weights in enumerate(self.weights):
                right[place] += ((seen @ weights + self.shares).argmax(dim=1) == true).sum()
        return right / len(some.labels)

    def _sum_products(self, features: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """X'X [D,D] and X'Y [D,K] of centered features."""
        width = features.shape[1]
        product, moments = (torch.zeros(width, num, dtype=self.dtype) for num in (width, targets.shape[1]))
        for rows, wanted in zip(self._read(features), targets.split(_AT_ONCE), strict=True):
            centered = rows - self.mean
            product.addmm_(centered.T, centered)
            moments.addmm_(centered.T, wanted)
        return product, moments

    def _read(self, features: Tensor) -> Iterator[Tensor]:
        for rows in features.split(_AT_ONCE):
            yield to_floats(rows).to(self.dtype)
