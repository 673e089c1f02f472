"""Same person or not: the numbers of face verification, from embeddings and without a matrix of all distances."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

NUM_BARS = 200  # of the histogram
MOST_STEPS = 2000  # thresholds that a replicate is counted at, beside the cuts
FARS = ("0.1", "0.01", "0.001", "0.0001")


@dataclass(frozen=True, eq=False)
class Verification:
    """Counts of pairs by distance, and the numbers that follow from them.

    A pair is accepted as the same person when its distance is at most the threshold. T thresholds part the distances
    into 2T+1 bins: bin 2k+1 holds the pairs at thresholds[k] itself, bin 2k those between thresholds[k-1] and it. As
    every distance of a same pair is a threshold, the ROC curve is complete and exact, ties included. The replicates of
    a bootstrap over people are counted at no more than about 2,000 of the thresholds, so where there are more,
    intervals are near but not exact: a replicate's rate at a FAR can come out low by 1/2000.

    Attributes:
        thresholds: the distinct distances of same pairs and the cuts, ascending, [T].
        same: same pairs by bin, int64 [2T+1].
        different: different pairs by bin, int64 [2T+1].
        above: the smallest distance of any pair above -inf and above each threshold, inf where there is none, [T+1].
        rank1: share of probes whose nearest image of the gallery is of their person, of those who have one in it.
        num_people: in the gallery, among the probes, or in both.
        grid: thresholds of the replicates, [S], all cuts among them.
        same_replicates: weights of same pairs by replicate and bin of the grid, [R,2S+1]. R counts the replicates
            with pairs of both kinds; the others are left out.
        different_replicates: likewise, [R,2S+1].
        rank1_replicates: [R].
        edges: of the histograms' bars, from 0 to twice the largest distance to the mean embedding, [201].
        same_histogram: int64 [200].
        different_histogram: int64 [200].
        hardest_same: (gallery index, probe index) of the farthest same pairs, farthest first, [n,2].
        hardest_same_distances: [n].
        hardest_different: (gallery index, probe index) of the nearest different pairs, nearest first, [n,2].
        hardest_different_distances: [n].
    """

    thresholds: np.ndarray
    same: np.ndarray
    different: np.ndarray
    above: np.ndarray
    rank1: float
    num_people: int
    grid: np.ndarray
    same_replicates: np.ndarray
    different_replicates: np.ndarray
    rank1_replicates: np.ndarray
    edges: np.ndarray
    same_histogram: np.ndarray
    different_histogram: np.ndarray
    hardest_same: np.ndarray
    hardest_same_distances: np.ndarray
    hardest_different: np.ndarray
    hardest_different_distances: np.ndarray

    @property
    def num_same(self) -> int:
        """Pairs of one person."""
        return int(self.same.sum())

    @property
    def num_different(self) -> int:
        """Pairs of two people."""
        return int(self.different.sum())

    @property
    def eer(self) -> float:
        """Equal error rate: where the ROC polyline meets FAR = 1 - TAR."""
        return float(_eer(*_rates(self.same, self.different)))

    @property
    def auc(self) -> float:
        """Chance that a same pair is nearer than a different pair; a tie counts half."""
        return float(_auc(*_rates(self.same, self.different)))

    def curve(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The ROC polyline from (0,0) to (1,1), slanted where same and different pairs tie.

        Returns:
            (FAR [V], TAR [V], threshold [V]): accepting at the threshold gives the point; -inf accepts nothing.
        """
        far, tar = _rates(self.same, self.different)
        below = np.append(np.nextafter(self.thresholds, -np.inf), np.inf)
        threshold = np.concatenate([[-np.inf], np.stack([below, np.append(self.thresholds, np.inf)], axis=1).ravel()])
        kept = np.append(True, self.same + self.different > 0)
        return far[kept], tar[kept], threshold[:-1][kept]

    def tar_at(self, far: float) -> dict[str, Any]:
        """The highest TAR at any threshold whose FAR is at most `far`.

        Returns:
            `value`, its 95 % `interval` or None, `accepted` (different pairs that stand behind the rate) and
            `supported`: whether these are at least 30, the rule of 30 errors (Doddington et al. 2000).
        """
        accepted = far * self.num_different
        return {
            "value": float(_tar_at(*_rates(self.same, self.different), far)),
            "interval": _interval(_tar_at(*_rates(self.same_replicates, self.different_replicates), far)),
            "accepted": accepted,
            "supported": accepted >= 30,
        }

    def at(self, threshold: float) -> dict[str, float]:
        """`acc` (share of all pairs), `acc_macro` (mean of TAR and 1 - FAR), `far` and `frr` at one of `thresholds`.

        Raises:
            ValueError: the threshold is neither a cut nor the distance of a same pair.
        """
        place = _place(self.thresholds, threshold, "a cut or a distance of a same pair")
        return {name: float(value) for name, value in _at(self.same, self.different, place).items()}

    def threshold(self, rule: str, far: float | None = None) -> float:
        """A threshold chosen on these pairs, midway between the last same distance it accepts and the next of any pair.

        Where several same distances are as good, the smallest is accepted.

        Args:
            rule: "accuracy" (largest `acc_macro`: same and different pairs weigh alike), "eer" (FAR and FRR as near as
                they come at the distance of a same pair) or "far" (largest TAR with a FAR of at most `far`; just below
                every distance where no same pair can be accepted).
            far: for the rule "far", 0..1.

        Raises:
            ValueError: an unknown rule, or no `far` for the rule that needs it.
        """
        fars, tars = (rate[2::2] for rate in _rates(self.same, self.different))
        if rule == "accuracy":
            merit = tars - fars
        elif rule == "eer":
            merit = -np.abs(fars - (1 - tars))
        elif rule == "far" and far is not None:
            merit = np.where(fars <= far, tars, -np.inf)
        else:
            raise ValueError(f"expected accuracy, eer, or far with a rate, got {rule} with {far}")
        merit = np.where(self.same[1::2] > 0, merit, -np.inf)
        best = int(merit.argmax())
        if np.isneginf(merit[best]):
            return float(np.nextafter(self.above[0], -np.inf))
        return _midway(self.thresholds[best], self.above[best + 1])

    def numbers(self, threshold: float) -> dict[str, Any]:
        """All numbers, as JSON can hold them.

        Args:
            threshold: one of the cuts.

        Returns:
            `eer`, `auc`, `rank1`, `acc`, `acc_macro`, `far` and `frr`, 0..1, each with `<name>_interval` (95 %, from
            the replicates) where there are replicates; `tar`: `tar_at` by FAR; `num_same`, `num_different`,
            `num_people`.

        Raises:
            ValueError: see `at`.
        """
        values: dict[str, Any] = {"eer": self.eer, "auc": self.auc, "rank1": self.rank1} | self.at(threshold)
        if len(self.rank1_replicates):
            rates = _rates(self.same_replicates, self.different_replicates)
            place = _place(self.grid, threshold, "a cut, for an interval")
            replicates = {"eer": _eer(*rates), "auc": _auc(*rates), "rank1": self.rank1_replicates}
            replicates |= _at(self.same_replicates, self.different_replicates, place)
            values |= {f"{name}_interval": _interval(replicates[name]) for name in tuple(values)}
        counts = {name: getattr(self, name) for name in ("num_same", "num_different", "num_people")}
        return values | {"tar": {far: self.tar_at(float(far)) for far in FARS}} | counts


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
    pairs = _Pairs.of(gallery, people, probe, probe_people)
    index, distances = pairs.same_pairs(block)
    num_different = pairs.totals().sum() - len(distances)
    if not len(distances) or not num_different:
        raise ValueError(
            "expected pairs of the same person and of different people between gallery and probes, "
            f"got {len(distances)} and {num_different}"
        )
    thresholds = np.unique(np.concatenate([distances, np.asarray(cuts, dtype=np.float64)]))
    resampled = _Resampled(thresholds, np.asarray(cuts, dtype=np.float64), replicates, seed, pairs)
    resampled.count_same(distances, pairs.people[index[:, 0]])
    edges = np.linspace(0, pairs.bound() or 1.0, NUM_BARS + 1)
    hardest_same = _least(index, -distances, num_hardest)
    distances.sort()
    different = np.zeros(2 * len(thresholds) + 1, dtype=np.int64)
    above = _next(distances, thresholds)
    histogram = np.zeros(NUM_BARS, dtype=np.int64)
    nearest, near = np.empty((0, 2), dtype=np.int64), np.empty(0)
    hits = []
    for start, distance, _, unlike in pairs.blocks(block):
        hits.append(pairs.people[distance.argmin(axis=1)] == pairs.probe_people[start : start + block])
        some = np.sort(distance[unlike])
        different += _bins(some, thresholds)
        above = np.minimum(above, _next(some, thresholds))
        histogram += _bars(some, edges)
        if num_hardest and len(some):
            row, column = np.nonzero(unlike & (distance <= some[:num_hardest][-1]))
            nearest = np.concatenate([nearest, np.stack([column, start + row], axis=1)])
            near = np.concatenate([near, distance[row, column]])
            nearest, near = _least(nearest, near, num_hardest)
        resampled.count_different(start, distance, unlike)
    hit, asked = np.concatenate(hits), pairs.in_gallery()
    return Verification(
        thresholds=thresholds,
        same=_bins(distances, thresholds),
        different=different,
        above=above,
        rank1=float(hit[asked].mean()),
        num_people=pairs.num_people,
        **resampled.arrays(hit[asked], pairs.probe_people[asked]),
        edges=edges,
        same_histogram=_bars(distances, edges),
        different_histogram=histogram,
        hardest_same=hardest_same[0],
        hardest_same_distances=-hardest_same[1],
        hardest_different=nearest,
        hardest_different_distances=near,
    )


def ten_folds(
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
    pairs = _Pairs.of(gallery, people, probe, probe_people)
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


@dataclass(frozen=True, eq=False)
class _Pairs:
    """Embeddings float64 [G,D] and [Q,D] with people 0..P-1; `alone`: the probes are the gallery."""

    gallery: Tensor
    people: np.ndarray
    probe: Tensor
    probe_people: np.ndarray
    num_people: int
    alone: bool

    @classmethod
    def of(cls, gallery: Tensor, people: Tensor, probe: Tensor | None, probe_people: Tensor | None) -> "_Pairs":
        alone = probe is None
        if alone != (probe_people is None):
            raise ValueError("expected probe and probe_people, both or neither, got one of them")
        probe, probe_people = (gallery, people) if probe is None or probe_people is None else (probe, probe_people)
        for name, some, who in (("gallery", gallery, people), ("probe", probe, probe_people)):
            if some.ndim != 2 or who.shape != some.shape[:1] or some.shape[1] != gallery.shape[1]:
                raise ValueError(
                    f"expected embeddings [N,D] and people [N] as {name}, of one D, "
                    f"got {list(some.shape)} and {list(who.shape)}"
                )
            if not some.isfinite().all():
                raise ValueError(f"expected finite embeddings, got NaN or infinity in the {name}")
        known, codes = np.unique(torch.cat([people.cpu(), probe_people.cpu()]).numpy(), return_inverse=True)
        gallery64 = gallery.detach().cpu().double()
        probe64 = gallery64 if alone else probe.detach().cpu().double()
        return cls(gallery64, codes[: len(people)], probe64, codes[len(people) :], len(known), alone)

    def totals(self) -> np.ndarray:
        """Pairs of each probe, [Q]: with the whole gallery, or with those that stand before it."""
        return np.arange(len(self.probe)) if self.alone else np.full(len(self.probe), len(self.gallery))

    def bound(self) -> float:
        """No two embeddings are farther apart: twice the largest distance to their mean."""
        both = [self.gallery] if self.alone else [self.gallery, self.probe]
        mean = sum((some.sum(dim=0) for some in both), torch.zeros(())) / sum(map(len, both))
        return 2 * max(float((some - mean).norm(dim=1).max()) for some in both if len(some))

    def in_gallery(self) -> np.ndarray:
        """Which probes' people have an image in the gallery, another one where the probes are the gallery, bool [Q]."""
        return np.bincount(self.people, minlength=self.num_people)[self.probe_people] > int(self.alone)

    def blocks(self, block: int) -> Iterator[tuple[int, np.ndarray, np.ndarray, np.ndarray]]:
        """(First probe, distances [B,G], which are same pairs [B,G], which are different pairs [B,G]).

        An image's distance to itself is inf, and no pair.
        """
        lengths = self.gallery.square().sum(dim=1)
        for start in range(0, len(self.probe), block):
            some = self.probe[start : start + block]
            squares = (some @ self.gallery.T).mul_(-2).add_(some.square().sum(dim=1, keepdim=True)).add_(lengths)
            distance = squares.clamp_(min=0).numpy()
            np.sqrt(distance, out=distance)  # rounded right, as torch's is not: a cut of math.sqrt(51) ties
            alike = self.probe_people[start : start + block, None] == self.people
            if not self.alone:
                yield start, distance, alike, ~alike
                continue
            rows = np.arange(len(some))
            distance[rows, start + rows] = np.inf
            once = np.tri(len(some), len(self.gallery), start - 1, dtype=bool)
            yield start, distance, alike & once, ~alike & once

    def same_pairs(self, block: int) -> tuple[np.ndarray, np.ndarray]:
        """(Gallery index, probe index) of all same pairs [N,2], and their distances [N]."""
        index, distances = [np.empty((0, 2), dtype=np.int64)], [np.empty(0)]
        for start, distance, alike, _ in self.blocks(block):
            row, column = np.nonzero(alike)
            index.append(np.stack([column, start + row], axis=1))
            distances.append(distance[row, column])
        return np.concatenate(index), np.concatenate(distances)

    def partners(self, row: int, same: bool) -> np.ndarray:
        """Which of the gallery form a pair of the kind with a probe, bool [G], or up to it where it is the gallery."""
        return (self.people[: self.totals()[row]] == self.probe_people[row]) == same

    def drawn(self, same: bool, counts: np.ndarray, num: int, generator: np.random.Generator) -> np.ndarray:
        """Distances of pairs of a kind, drawn without replacement, in random order, [num]."""
        ends = counts.cumsum()
        ranks = generator.choice(ends[-1], num, replace=False)
        rows = np.searchsorted(ends, ranks, side="right")
        places = ranks - (ends - counts)[rows]
        columns = [np.flatnonzero(self.partners(row, same))[place] for row, place in zip(rows, places, strict=True)]
        return (self.probe[rows] - self.gallery[columns]).norm(dim=1).numpy()


class _Resampled:
    """Counts the pairs of people drawn with replacement, at a thinned grid of thresholds."""

    def __init__(self, thresholds: np.ndarray, cuts: np.ndarray, replicates: int, seed: int, pairs: _Pairs):
        num = pairs.num_people
        steps = np.linspace(0, len(thresholds) - 1, min(len(thresholds), MOST_STEPS)).round().astype(np.int64)
        self.grid = np.union1d(thresholds[steps], cuts)
        draws = np.random.default_rng(seed).multinomial(num, np.full(num, 1 / num), size=replicates)
        self.weights = draws.astype(np.float64)  # [R,P]
        self.columns, self.rows = pairs.people, pairs.probe_people
        self.same = np.zeros((replicates, 2 * len(self.grid) + 1))
        self.different = np.zeros_like(self.same)

    def bins(self, distance: np.ndarray) -> np.ndarray:
        """Numbers of bins, int64 of the same shape."""
        grid, values = torch.from_numpy(self.grid), torch.from_numpy(distance)  # torch's search is the faster one
        return (torch.searchsorted(grid, values) + torch.searchsorted(grid, values, right=True)).numpy()

    def count_same(self, distances: np.ndarray, people: np.ndarray) -> None:
        bins = self.bins(distances)
        for counts, weights in zip(self.same, self.weights, strict=True):
            counts += np.bincount(bins, weights[people], minlength=len(counts))

    def count_different(self, start: int, distance: np.ndarray, unlike: np.ndarray) -> None:
        if not len(self.weights):
            return
        bins = np.where(unlike, self.bins(distance), self.different.shape[1]).ravel()  # one more bin for no pairs
        rows = self.rows[start : start + len(distance)]
        for counts, weights in zip(self.different, self.weights, strict=True):
            pair_weights = np.outer(weights[rows], weights[self.columns]).ravel()
            counts += np.bincount(bins, pair_weights, minlength=len(counts) + 1)[:-1]

    def arrays(self, hit: np.ndarray, people: np.ndarray) -> dict[str, np.ndarray]:
        """The replicates with pairs of both kinds; `hit` [M] says which probes of `people` [M] were found."""
        kept = (self.same.sum(axis=1) > 0) & (self.different.sum(axis=1) > 0)
        asked = self.weights[kept][:, people]
        return {
            "grid": self.grid,
            "same_replicates": self.same[kept],
            "different_replicates": self.different[kept],
            "rank1_replicates": asked @ hit / asked.sum(axis=1),
        }


def _bins(values: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    """How many of the ascending values [N] fall into each of 2T+1 bins."""
    below, upto = (np.searchsorted(values, thresholds, side) for side in ("left", "right"))
    return np.diff(np.stack([below, upto], axis=1).ravel(), prepend=0, append=len(values))


def _bars(values: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """A histogram of ascending values; the last bar takes what rounding has put above it."""
    return np.diff(np.append(np.searchsorted(values, edges[:-1]), len(values)))


def _next(values: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    """The first of the ascending values [N] above -inf and above each threshold, else inf, [T+1]."""
    places = np.searchsorted(values, np.append(-np.inf, thresholds), side="right")
    return np.append(values, np.inf)[places]


def _least(index: np.ndarray, values: np.ndarray, num: int) -> tuple[np.ndarray, np.ndarray]:
    """The pairs [N,2] with the smallest values [N], ascending; of equal ones those with the lower indices."""
    order = np.lexsort((index[:, 1], index[:, 0], values))[:num]
    return index[order], values[order]


def _rates(same: np.ndarray, different: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(FAR, TAR) at the ends of the bins, from nothing accepted to all, [...,2T+2] of counts [...,2T+1]."""
    starts = np.zeros((*same.shape[:-1], 1))
    far, tar = (np.concatenate([starts, some.cumsum(axis=-1)], axis=-1) for some in (different, same))
    return far / far[..., -1:], tar / tar[..., -1:]


def _eer(far: np.ndarray, tar: np.ndarray) -> np.ndarray:
    """Where the polylines [...,V] meet FAR = 1 - TAR, [...]."""
    excess = far + tar - 1
    after = (excess >= 0).argmax(axis=-1, keepdims=True)
    (far_0, far_1), (low, high) = (
        (np.take_along_axis(some, after - 1, axis=-1), np.take_along_axis(some, after, axis=-1))
        for some in (far, excess)
    )
    return (far_0 - low / (high - low) * (far_1 - far_0))[..., 0]


def _auc(far: np.ndarray, tar: np.ndarray) -> np.ndarray:
    """Area under the polylines [...,V], [...]."""
    return np.sum(np.diff(far) * (tar[..., 1:] + tar[..., :-1]), axis=-1) / 2


def _tar_at(far: np.ndarray, tar: np.ndarray, limit: float) -> np.ndarray:
    """The highest TAR where the FAR is within the limit, [...] of [...,V]."""
    return np.where(far <= limit, tar, 0).max(axis=-1)


def _at(same: np.ndarray, different: np.ndarray, place: int) -> dict[str, np.ndarray]:
    """Numbers [...] at the threshold with a number, of counts [...,2T+1]."""
    num_same, num_different = same.sum(axis=-1), different.sum(axis=-1)
    right, wrong = (some[..., : 2 * place + 2].sum(axis=-1) for some in (same, different))
    tar, far = right / num_same, wrong / num_different
    acc = (right + num_different - wrong) / (num_same + num_different)
    return {"acc": acc, "acc_macro": (tar + 1 - far) / 2, "far": far, "frr": (num_same - right) / num_same}


def _place(thresholds: np.ndarray, threshold: float, what: str) -> int:
    """The number of a threshold."""
    place = int(np.searchsorted(thresholds, threshold))
    if place == len(thresholds) or thresholds[place] != threshold:
        raise ValueError(f"expected {what} as the threshold, got {threshold}")
    return place


def _interval(values: np.ndarray) -> list[float] | None:
    """The middle 95 % of the replicates [R], None where there is none."""
    return np.percentile(values, [2.5, 97.5]).tolist() if len(values) else None


def _midway(distance: float, above: float) -> float:
    """Between a distance and the next; the distance itself where no number or no pair is between."""
    middle = float(distance + (above - distance) / 2)
    return middle if middle < above else float(distance)


def _most_accurate(distances: np.ndarray, same: np.ndarray) -> float:
    """The threshold that tells most of the pairs [N] apart, midway to the next distance; the smallest of equals."""
    order = distances.argsort()
    ascending = np.append(distances[order], np.inf)
    gain = np.where(same[order], 1, -1).cumsum()
    best = int(np.where(ascending[:-1] < ascending[1:], gain, -len(gain) - 1).argmax())
    return _midway(ascending[best], ascending[best + 1])
