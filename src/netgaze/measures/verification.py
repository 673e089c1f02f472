"""Same person or not: the numbers of face verification, from embeddings and without a matrix of all distances."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from torch import Tensor

from netgaze.measures.pairs import Pairs, Resampled, choose_bins, keep_least, step_up, sum_bars
from netgaze.measures.rates import FARS, Verification, halve_between

__all__ = ["FARS", "Verification", "verify", "verify_folds"]

NUM_BARS = 200  # of the histogram
MOST_STEPS = 2000  # thresholds that a replicate is counted at, beside the cuts


def verify(
    gallery: Tensor,
    people: Tensor,
    probe: Tensor | None = None,
    probe_people: Tensor | None = None,
    *,
    cuts: Sequence[float] = (),
    replicates: int = 0,
    seed: int = 0,
    num_hardest: int = 0,
    block: int = 512,
) -> Verification:
    """Count all pairs by Euclidean distance, block by block of probes; only the same pairs are held.

    Distances are float64, by matrix product: they are good to about 1e-8 of the embeddings' lengths.

    The bootstrap draws people with replacement: a same pair of a person drawn w times weighs w, a different pair of
    people drawn v and w times weighs v * w. It holds for the uncertainty from people, not from images of a person.

    Args:
        gallery: embeddings, [G,D].
        people: of the gallery, int64 [G].
        probe: embeddings to compare with all of the gallery, [Q,D]; without, all unordered pairs of the gallery count.
        probe_people: of the probes, int64 [Q].
        cuts: thresholds that numbers are wanted at.
        replicates: of the bootstrap over people, R.
        seed: of the bootstrap.
        num_hardest: how many same and different pairs to keep.
        block: probes at a time.

    Raises:
        ValueError: shapes that do not fit, embeddings that are not finite, no same pair or no different pair.
    """
    pairs = Pairs.of(gallery, people, probe, probe_people)
    index, distances = pairs.same_pairs(block)
    num_different = pairs.totals().sum() - len(distances)
    if not len(distances) or not num_different:
        raise ValueError(
            "expected pairs of the same person and of different people between gallery and probes, "
            f"got {len(distances)} and {num_different}"
        )
    thresholds = np.union1d(distances, cuts)
    steps = np.linspace(0, len(thresholds) - 1, min(len(thresholds), MOST_STEPS)).round().astype(np.int64)
    resampled = Resampled(np.union1d(thresholds[steps], cuts), replicates, seed, pairs)
    resampled.count_same(distances, pairs.people[index[:, 0]])
    edges = np.linspace(0, pairs.bound() or 1.0, NUM_BARS + 1)
    hardest_same = keep_least(index, -distances, num_hardest)
    distances.sort()
    different = np.zeros(2 * len(thresholds) + 1, dtype=np.int64)
    above = step_up(distances, thresholds)
    histogram = np.zeros(NUM_BARS, dtype=np.int64)
    nearest, near = np.empty((0, 2), dtype=np.int64), np.empty(0)
    hits = []
    for start, distance, _, unlike in pairs.blocks(block):
        hits.append(pairs.people[distance.argmin(axis=1)] == pairs.probe_people[start : start + block])
        some = np.sort(distance[unlike])
        different += choose_bins(some, thresholds)
        above = np.minimum(above, step_up(some, thresholds))
        histogram += sum_bars(some, edges)
        if num_hardest and len(some):
            row, column = np.nonzero(unlike & (distance <= some[:num_hardest][-1]))
            nearest = np.concatenate([nearest, np.stack([column, start + row], axis=1)])
            near = np.concatenate([near, distance[row, column]])
            nearest, near = keep_least(nearest, near, num_hardest)
        resampled.count_different(start, distance, unlike)
    hit, asked = np.concatenate(hits), pairs.in_gallery()
    return Verification(
        thresholds=thresholds,
        same=choose_bins(distances, thresholds),
        different=different,
        above=above,
        rank1=float(hit[asked].mean()),
        num_people=pairs.num_people,
        **resampled.arrays(hit[asked], pairs.probe_people[asked]),
        edges=edges,
        same_histogram=sum_bars(distances, edges),
        different_histogram=histogram,
        hardest_same=hardest_same[0],
        hardest_same_distances=-hardest_same[1],
        hardest_different=nearest,
        hardest_different_distances=near,
    )


def verify_folds(
    gallery: Tensor,
    people: Tensor,
    probe: Tensor | None = None,
    probe_people: Tensor | None = None,
    *,
    seed: int = 0,
    most: int = 3000,
    num_folds: int = 10,
) -> dict[str, Any]:
    """Accuracy in the manner of LFW (Huang et al. 2007), on as many same as different pairs.

    The pairs are drawn and dealt into folds; the threshold with the best accuracy on all folds but one is applied to
    that one. We deviate: folds divide the pairs, while in LFW people are disjoint across folds too, and LFW's pairs
    are a published list.

    Args:
        gallery: see `verify`, as the next three.
        people: int64 [G].
        probe: [Q,D].
        probe_people: int64 [Q].
        seed: of the draw.
        most: same pairs to draw, and different pairs, if there are so many of both.
        num_folds: how many.

    Returns:
        `mean` accuracy over the folds, 0..1, its standard `error`, and how many `pairs` were drawn of both kinds
        together.

    Raises:
        ValueError: see `verify`, or fewer pairs of a kind than folds.
    """
    pairs = Pairs.of(gallery, people, probe, probe_people)
    same_counts = np.array([np.count_nonzero(pairs.partners(row, True)) for row in range(len(pairs.probe))])
    different_counts = pairs.totals() - same_counts
    num = min(most, same_counts.sum(), different_counts.sum())
    if num < num_folds:
        raise ValueError(
            f"expected at least {num_folds} pairs of the same person and of different people, "
            f"got {same_counts.sum()} and {different_counts.sum()} (most={most})"
        )
    generator = np.random.default_rng(seed)
    distances = np.concatenate(
        [pairs.drawn(True, same_counts, num, generator), pairs.drawn(False, different_counts, num, generator)]
    )
    same, fold = np.arange(2 * num) < num, np.arange(2 * num) % num % num_folds
    accuracies = []
    for number in range(num_folds):
        threshold = _most_accurate(distances[fold != number], same[fold != number])
        accuracies.append(np.mean((distances <= threshold)[fold == number] == same[fold == number]))
    error = np.std(accuracies, ddof=1) / np.sqrt(num_folds)
    return {"mean": float(np.mean(accuracies)), "error": float(error), "pairs": int(2 * num)}


def _most_accurate(distances: np.ndarray, same: np.ndarray) -> float:
    """The threshold that classifies most pairs [N] correctly, midway to the next distance; the smallest of equals."""
    order = distances.argsort()
    ascending = np.append(distances[order], np.inf)
    gain = np.where(same[order], 1, -1).cumsum()
    best = int(np.where(ascending[:-1] < ascending[1:], gain, -len(gain) - 1).argmax())
    return halve_between(ascending[best], ascending[best + 1])
