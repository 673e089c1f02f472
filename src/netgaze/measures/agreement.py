"""Whether two classifiers are correct on the same images, with intervals."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from netgaze.measures.uncertainty import compare_paired

_RESAMPLES, _LEVEL = 2000, 0.95


class Interval(NamedTuple):
    """A value and its 95% interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Agreement:
    """Two classifiers on the same N images, by the outcome for each image.

    Attributes:
        counts: images that both classify correctly; only the first; only the second; both incorrectly as the same
            class; both incorrectly as different classes, int64 [5].
    """

    counts: np.ndarray

    @classmethod
    def of(cls, first: np.ndarray, second: np.ndarray, targets: np.ndarray) -> "Agreement":
        """From two networks' predictions and the true classes, int [N] each."""
        return cls(np.bincount(sort_cells(first, second, targets), minlength=5))

    @property
    def num(self) -> int:
        """The number of images."""
        return int(self.counts.sum())

    @property
    def same_answer(self) -> Interval:
        """The share of images that both predict as the same class, correct or not, 0..1."""
        return self._resample(lambda shares: shares[..., 0] + shares[..., 3])

    @property
    def kappa(self) -> Interval:
        """Error consistency (Geirhos et al. 2020), see `measure_kappa`."""
        return self._resample(measure_kappa)

    @property
    def same_error(self) -> Interval:
        """Of the images that both misclassify, the share predicted as the same class, 0..1; NaN without any."""
        return self._resample(lambda shares: _divide(shares[..., 3], shares[..., 3] + shares[..., 4]))

    @property
    def p(self) -> float:
        """Of McNemar's test: the probability of a result at least this unequal if both are equally accurate."""
        return compare_paired(int(self.counts[1]), int(self.counts[2]))

    def _resample(self, measure: Callable[[np.ndarray], np.ndarray]) -> Interval:
        """A number of the shares [...,5], and its percentile interval over bootstrap samples of the images.

        A sample of images with replacement is a draw of the five counts from their multinomial distribution.
        """
        shares = self.counts / self.num
        drawn = np.random.default_rng(0).multinomial(self.num, shares, _RESAMPLES) / self.num
        ends = ((1 - _LEVEL) / 2, (1 + _LEVEL) / 2)
        found = measure(drawn)
        low, high = np.quantile(found[np.isfinite(found)], ends) if np.isfinite(found).any() else (np.nan, np.nan)
        return Interval(float(measure(shares)), float(low), float(high))


def sort_cells(first: np.ndarray, second: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """The outcome for each image, as numbered in `Agreement.counts`, int64 [N]."""
    right, other = first == targets, second == targets
    return np.select([right & other, right, other, first == second], [0, 1, 2, 3], 4)


def measure_kappa(shares: np.ndarray) -> np.ndarray:
    """Cohen's kappa of being correct (Geirhos et al. 2020): (observed - expected) / (1 - expected), -1..1.

    Observed is how often both are correct or both incorrect, expected its value for independent networks of these
    accuracies: 0 if both are equal, 1 if both are correct on the same images. NaN if both are always or never correct.

    Args:
        shares: as the counts of an `Agreement`, of all images, [...,5].
    """
    first, second = shares[..., 0] + shares[..., 1], shares[..., 0] + shares[..., 2]
    observed = 1 - shares[..., 1] - shares[..., 2]
    expected = first * second + (1 - first) * (1 - second)
    return _divide(observed - expected, 1 - expected)


def _divide(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    return np.where(below > 1e-12, above / np.where(below > 1e-12, below, 1), np.nan)
