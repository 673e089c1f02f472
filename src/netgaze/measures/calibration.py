"""Is a network's confidence justified? Calibration, proper scores, temperature scaling, risk over coverage.

Everything is computed from a probability per class; the prediction is the most likely class, and its probability is
the confidence.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

_AT_ONCE = 2**21  # logits that are held in float64 at a time
_TEMPERATURES = 0.01, 100.0


@dataclass(frozen=True)
class Answers:
    """A network's predictions for M examples, and how good they are.

    Attributes:
        confidence: the largest probability, float64 [M].
        right: whether its class is correct, bool [M]; of several largest the first counts.
        nll: the negative log-likelihood of the true class, float64 [M], in nats.
        brier: the squared distance of the probabilities from the truth, summed over the classes (Brier 1950),
            float64 [M], 0..2. Of two classes it is twice what scikit-learn says by default.
    """

    confidence: np.ndarray
    right: np.ndarray
    nll: np.ndarray
    brier: np.ndarray

    @classmethod
    def of(cls, logits: np.ndarray, targets: np.ndarray, temperature: float = 1.0) -> "Answers":
        """Of logits [M,K], which are divided by the temperature before the softmax, and true classes [M]."""
        parts = []
        for some, own in _split(logits, targets):
            shares = np.exp(some / temperature)
            total = shares.sum(axis=1)
            true = shares[np.arange(len(own)), own] / total
            nll = np.log(total) - some[np.arange(len(own)), own] / temperature
            brier = np.square(shares).sum(axis=1) / total**2 - 2 * true + 1
            parts.append((shares.max(axis=1) / total, some.argmax(axis=1) == own, nll, brier))
        return cls(*map(np.concatenate, zip(*parts, strict=True)))


@dataclass(frozen=True)
class Bins:
    """Examples in bins of confidence, from lowest to highest.

    Attributes:
        counts: examples of each bin, int64 [b].
        accuracy: of these examples, [b]; NaN for an empty bin.
        confidence: their mean, [b]; NaN for an empty bin.
    """

    counts: np.ndarray
    accuracy: np.ndarray
    confidence: np.ndarray

    @classmethod
    def _of(cls, answers: Answers, place: np.ndarray, num_bins: int) -> "Bins":
        counts = np.bincount(place, minlength=num_bins)
        filled = np.where(counts > 0, counts, np.nan)
        sums = (np.bincount(place, weights=each, minlength=num_bins) for each in (answers.right, answers.confidence))
        return cls(counts, *(each / filled for each in sums))

    @classmethod
    def of_equal_width(cls, answers: Answers, num_bins: int = 15) -> "Bins":
        """Bins of the same width in 0..1; each holds its upper end."""
        place = np.ceil(answers.confidence * num_bins).astype(np.int64) - 1
        return cls._of(answers, np.clip(place, 0, num_bins - 1), num_bins)

    @classmethod
    def of_equal_mass(cls, answers: Answers, num_bins: int = 15) -> "Bins":
        """Bins of equal numbers of examples, give or take one; of fewer examples than bins each is a bin.

        Examples of one confidence may lie in two bins, in the order in which they come.
        """
        num_bins = min(num_bins, len(answers.right))
        place = np.empty(len(answers.right), dtype=np.int64)
        place[np.argsort(answers.confidence, kind="stable")] = np.arange(len(place)) * num_bins // len(place)
        return cls._of(answers, place, num_bins)

    @property
    def error(self) -> float:
        """Expected calibration error, L1, 0..1: the mean over examples of their bin's |accuracy - confidence|.

        Of bins of equal width it is Guo et al. 2017's ECE; of bins of equal mass the adaptive one (Nguyen and O'Connor
        2015), which does not hang on a few full bins, as that of a network that is sure of nearly all does.
        """
        gaps = np.abs(self.accuracy - self.confidence)
        return float(np.nansum(gaps * self.counts) / self.counts.sum())


def fit_temperature(logits: np.ndarray, targets: np.ndarray) -> float:
    """The temperature of least mean negative log-likelihood (Guo et al. 2017), 0.01..100.

    In 1/T that is convex, so that the zero of its slope is looked for, in float64. Where there is none within the
    range the nearer end: 0.01 where every example is right, 100 where the logits say nothing.

    Args:
        logits: [M,K], of examples that nothing else is measured on.
        targets: int64 [M].
    """
    from scipy.optimize import brentq  # half a second to import, and training asks for none

    def slope(log_temperature: float) -> float:
        return _measure_slope(logits, targets, np.exp(log_temperature))

    low, high = np.log(_TEMPERATURES)
    if slope(high) >= 0:
        return _TEMPERATURES[1]
    if slope(low) <= 0:
        return _TEMPERATURES[0]
    return float(np.exp(brentq(slope, low, high, xtol=1e-9)))


def _measure_slope(logits: np.ndarray, targets: np.ndarray, temperature: float) -> float:
    """The slope of the mean negative log-likelihood over 1/T: the mean logit that is expected less the true one's."""
    total = 0.0
    for some, own in _split(logits, targets):
        shares = np.exp(some / temperature)
        expected = (shares * some).sum(axis=1) / shares.sum(axis=1)
        total += float((expected - some[np.arange(len(own)), own]).sum())
    return total / len(targets)


def _split(logits: np.ndarray, targets: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Some rows at a time, in float64, their largest logit 0: of thousands of classes a copy of all is too much."""
    step = max(1, _AT_ONCE // logits.shape[1])
    for start in range(0, len(targets), step):
        some = logits[start : start + step].astype(np.float64)
        yield some - some.max(axis=1, keepdims=True), targets[start : start + step]


def trace_risk(confidence: np.ndarray, right: np.ndarray) -> np.ndarray:
    """The error rate of the k most confident predictions, for k = 1..M (El-Yaniv and Wiener 2010): float64 [M].

    Examples of equal confidence share their errors evenly, as a random order of them does on average: a network that
    is equally confident for all has its error rate at every coverage.

    Args:
        confidence: [M]; any number that is larger where the network is surer.
        right: bool [M].
    """
    _, place, counts = np.unique(-confidence, return_inverse=True, return_counts=True)
    errors = np.bincount(place, weights=~right) / counts
    return np.cumsum(errors[np.sort(place)]) / np.arange(1, len(right) + 1)


def trace_least_risk(right: np.ndarray) -> np.ndarray:
    """The same if all errors come last: the least possible risk, [M]."""
    return trace_risk(right.astype(np.float64), right)
