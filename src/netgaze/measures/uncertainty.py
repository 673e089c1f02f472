"""Intervals of shares and means of examples, and whether two networks differ significantly on the same ones."""

import math
from collections.abc import Sequence
from statistics import NormalDist

import numpy as np


def find_wilson_interval(share: float, num: float, level: float = 0.95) -> tuple[float, float]:
    """Wilson's score interval (1927) of a share of `num` independent examples, 0..1: it covers well near 0 and 1 too.

    Args:
        share: 0..1, of any number of them: scipy's `proportion_ci` takes whole ones alone.
        num: examples, above zero.
        level: how often such intervals shall hold the true share.

    Returns:
        The lower and the upper end.

    Raises:
        ValueError: no share, or no examples.
    """
    if not (0 <= share <= 1 and num > 0):
        raise ValueError(f"expected a share of 0..1 and examples, got {share} of {num}")
    squared = NormalDist().inv_cdf((1 + level) / 2) ** 2 / num
    center = (share + squared / 2) / (1 + squared)
    half = math.sqrt(share * (1 - share) * squared + squared**2 / 4) / (1 + squared)
    return max(0.0, center - half), min(1.0, center + half)


def compare_paired(only_first: int, only_second: int) -> float:
    """The exact p of McNemar's test (1947), two-sided, 0..1: are two networks equally accurate?

    Only the examples count that one has right and the other wrong: were they equally good, either would win each of
    these by the toss of a coin (Dietterich 1998).

    Args:
        only_first: examples that the first alone has right.
        only_second: examples that the second alone has right.
    """
    from scipy.stats import binomtest  # half a second to import, and training asks for none

    num = only_first + only_second
    return float(binomtest(only_first, num, 0.5).pvalue) if num else 1.0


def count_effective(examples: Sequence[int]) -> float:
    """The number of examples at which a share is as certain as a mean over classes: K times their harmonic mean size.

    Of classes of one size all of them; of others less, as the small ones count as much as the large. It takes the
    classes for equally hard.

    Args:
        examples: of each class; classes without any are left out.
    """
    there = [num for num in examples if num]
    return len(there) ** 2 / sum(1 / num for num in there) if there else 0.0


def bootstrap_mean(
    values: np.ndarray, level: float = 0.95, num_draws: int = 2000, seed: int = 0
) -> tuple[float, float]:
    """The percentile interval of a mean by the bootstrap (Efron 1979): of draws of as many examples, with replacement.

    Args:
        values: one per independent example, [N]; of two things measured on the same examples their differences.
        level: how often such intervals shall hold the true mean; of few examples they hold it a little less often.
        num_draws: more make the ends steadier.
        seed: of the draws.

    Returns:
        The lower and the upper end.

    Raises:
        ValueError: no values.
    """
    if not len(values):
        raise ValueError("expected one value per example, got none")
    rng, num = np.random.default_rng(seed), len(values)
    times = rng.multinomial(num, np.full(num, 1 / num), size=num_draws)  # each example is in each draw
    low, high = np.quantile(times @ np.asarray(values, dtype=np.float64) / num, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def find_mean_interval(values: np.ndarray, level: float = 0.95) -> tuple[float, float]:
    """Student's interval of a mean (1908), which may ask for any level where a bootstrap's ends would be of few draws.

    Args:
        values: one per independent example, [N]; of two things measured on the same examples their differences.
        level: how often such intervals shall hold the true mean.

    Returns:
        The lower and the upper end; without bounds of a single value.

    Raises:
        ValueError: no values.
    """
    from scipy.special import stdtrit

    if not len(values):
        raise ValueError("expected one value per example, got none")
    if len(values) == 1:
        return -math.inf, math.inf
    mean, error = float(np.mean(values)), float(np.std(values, ddof=1)) / math.sqrt(len(values))
    half = float(stdtrit(len(values) - 1, (1 + level) / 2)) * error
    return mean - half, mean + half
