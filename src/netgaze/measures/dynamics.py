"""Training dynamics of single examples: rows are epochs, columns examples, NaN an epoch without the example."""

import numpy as np
import torch
from torch import Tensor


def score_examples(logits: Tensor, targets: Tensor) -> Tensor:
    """Of logits [M,K] and targets [M] each example's probability, whether it is correct, and its margin, float32 [3,M].

    The margin is the target's logit minus the largest of the others (Pleiss et al. 2020, arXiv 2001.10528).
    """
    logits, own = logits.float(), targets.unsqueeze(1)
    true = logits.gather(1, own).squeeze(1)
    others = logits.scatter(1, own, -torch.inf).amax(dim=1)
    right = (logits.argmax(dim=1) == targets).float()
    return torch.stack([(true - logits.logsumexp(dim=1)).exp(), right, true - others])


def average_epochs(values: np.ndarray) -> np.ndarray:
    """The mean over the epochs that saw an example, float64 [N] of [E,N]; NaN where none did.

    Of probabilities it is Swayamdipta et al.'s confidence (2020, arXiv 2009.10795), of right or wrong their
    correctness, of margins Pleiss et al.'s area under the margin (AUM).
    """
    seen = ~np.isnan(values)
    sums = np.where(seen, values, 0).sum(axis=0, dtype=np.float64)
    return _divide(sums, seen.sum(axis=0))


def deviate_epochs(values: np.ndarray) -> np.ndarray:
    """The standard deviation over the same epochs, float64 [N]: of probabilities Swayamdipta et al.'s variability.

    Of the epochs themselves, not of a population that they were drawn from: 0 of a single one.
    """
    means, seen = average_epochs(values), ~np.isnan(values)
    squares = np.where(seen, np.square(values - means, dtype=np.float64), 0)
    return np.sqrt(_divide(squares.sum(axis=0), seen.sum(axis=0)))


def find_last(values: np.ndarray) -> np.ndarray:
    """The value [N] of the last epoch that saw an example; NaN where none did."""
    last = len(values) - 1 - (~np.isnan(values))[::-1].argmax(axis=0)
    return values[last, np.arange(values.shape[1])]


def count_forgotten(right: np.ndarray) -> np.ndarray:
    """How often each example was correct in one epoch and incorrect in the next, int64 [N] of [E,N].

    Forgetting events of Toneva et al. 2019 (arXiv 1812.05159). Epochs without the example are skipped. If an epoch saw
    it several times, it counts as correct only if every prediction was.
    """
    before, times = np.zeros(right.shape[1], dtype=bool), np.zeros(right.shape[1], dtype=np.int64)
    for row in right:
        seen, now = ~np.isnan(row), row == 1
        times += seen & before & ~now
        before = np.where(seen, now, before)
    return times


def find_never_learned(right: np.ndarray) -> np.ndarray:
    """Which examples were seen and never correct, bool [N] of [E,N]: they have no forgetting events to count."""
    return (~np.isnan(right)).any(axis=0) & ~(right == 1).any(axis=0)


def rank_forgotten(right: np.ndarray) -> np.ndarray:
    """Forgetting events with those never learned above all others, as Toneva et al. sort, float64 [N]; NaN unseen."""
    times = np.where(find_never_learned(right), len(right), count_forgotten(right)).astype(np.float64)
    return np.where((~np.isnan(right)).any(axis=0), times, np.nan)


def find_other_answers(answers: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The most frequent prediction besides the label, and its number of epochs: [E,N], -1 unseen, and [N] -> two [N].

    Of equally frequent predictions the first class counts; -1 in 0 epochs if every prediction was the label.
    """
    classes, counts = np.full(len(labels), -1), np.zeros(len(labels), dtype=np.int64)
    for place, label in enumerate(labels):
        others = answers[:, place][(answers[:, place] >= 0) & (answers[:, place] != label)]
        if len(others):
            found = np.bincount(others)
            classes[place], counts[place] = found.argmax(), found.max()
    return classes, counts


def rank_values(values: np.ndarray) -> np.ndarray:
    """The place of each value in ascending order, from 1, of equal ones their mean: float64 [N], no NaN among them."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (counts.cumsum() - (counts - 1) / 2)[inverse]


def measure_auroc(scores: np.ndarray, positive: np.ndarray) -> float | None:
    """The probability that a positive example has a higher score than another, ties half: the area under the ROC curve.

    Args:
        scores: [N]; examples with NaN are left out.
        positive: bool [N].

    Returns:
        0..1, 0.5 by chance; None where all are of one kind.
    """
    seen = ~np.isnan(scores)
    ranks, positive = rank_values(scores[seen]), positive[seen]
    num, others = int(positive.sum()), int((~positive).sum())
    if not num or not others:
        return None
    return float((ranks[positive].sum() - num * (num + 1) / 2) / (num * others))


def correlate_ranks(first: np.ndarray, second: np.ndarray) -> float | None:
    """Spearman's rank correlation of two [N], -1..1, over the examples that both saw; None where one is constant."""
    seen = ~np.isnan(first) & ~np.isnan(second)
    ranks = [rank_values(values[seen]) for values in (first, second)]
    if any(len(np.unique(each)) < 2 for each in ranks):
        return None
    return float(np.corrcoef(ranks)[0, 1])


def _divide(sums: np.ndarray, counts: np.ndarray) -> np.ndarray:
    return np.divide(sums, counts, out=np.full(sums.shape, np.nan), where=counts > 0)
