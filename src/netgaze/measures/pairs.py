"""Which pairs of images there are: their distances block by block, counts of them, and a bootstrap over people."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Pairs:
    """Embeddings float64 [G,D] and [Q,D] with people 0..P-1; `alone`: the probes are the gallery."""

    gallery: Tensor
    people: np.ndarray
    probe: Tensor
    probe_people: np.ndarray
    num_people: int
    alone: bool

    @classmethod
    def of(cls, gallery: Tensor, people: Tensor, probe: Tensor | None, probe_people: Tensor | None) -> "Pairs":
        """Pairs of embeddings [G,D] with [Q,D], of people int64 [G] and [Q] of any numbers; see `verification.verify`.

        Raises:
            ValueError: shapes that do not fit, or embeddings that are not finite.
        """
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


class Resampled:
    """Counts the pairs of people drawn with replacement: R replicates, by bins of a grid of S thresholds.

    Args:
        grid: thresholds, ascending, [S].
        replicates: R.
        seed: of the draws.
        pairs: whose people are drawn.
    """

    def __init__(self, grid: np.ndarray, replicates: int, seed: int, pairs: Pairs):
        num, self.grid = pairs.num_people, grid
        draws = np.random.default_rng(seed).multinomial(num, np.full(num, 1 / num), size=replicates)
        self.weights = draws.astype(np.float64)  # [R,P]
        self.columns, self.rows = pairs.people, pairs.probe_people
        self.same = np.zeros((replicates, 2 * len(grid) + 1))
        self.different = np.zeros_like(self.same)

    def _bins_of(self, distance: np.ndarray) -> np.ndarray:
        """Numbers of bins, int64 of the same shape."""
        grid, values = torch.from_numpy(self.grid), torch.from_numpy(distance)  # torch's search is the faster one
        return (torch.searchsorted(grid, values) + torch.searchsorted(grid, values, right=True)).numpy()

    def count_same(self, distances: np.ndarray, people: np.ndarray) -> None:
        """Add same pairs, by distance [N] and person [N]."""
        places = self._bins_of(distances)
        for counts, weights in zip(self.same, self.weights, strict=True):
            counts += np.bincount(places, weights[people], minlength=len(counts))

    def count_different(self, start: int, distance: np.ndarray, unlike: np.ndarray) -> None:
        """Add the different pairs of a block, as `Pairs.blocks` gives them."""
        if not len(self.weights):
            return
        places = np.where(unlike, self._bins_of(distance), self.different.shape[1]).ravel()  # one more bin for no pairs
        rows = self.rows[start : start + len(distance)]
        for counts, weights in zip(self.different, self.weights, strict=True):
            pair_weights = np.outer(weights[rows], weights[self.columns]).ravel()
            counts += np.bincount(places, pair_weights, minlength=len(counts) + 1)[:-1]

    def arrays(self, hit: np.ndarray, people: np.ndarray) -> dict[str, np.ndarray]:
        """What `Verification` holds of the replicates: those with pairs of both kinds.

        Args:
            hit: which probes' nearest image is of their person, bool [M].
            people: whom these probes show, [M].
        """
        kept = (self.same.sum(axis=1) > 0) & (self.different.sum(axis=1) > 0)
        asked = self.weights[kept][:, people]
        return {
            "grid": self.grid,
            "same_replicates": self.same[kept],
            "different_replicates": self.different[kept],
            "rank1_replicates": asked @ hit / asked.sum(axis=1),
        }


def choose_bins(values: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    """How many of the ascending values [N] fall into each of 2T+1 bins."""
    below, upto = (np.searchsorted(values, thresholds, side) for side in ("left", "right"))
    return np.diff(np.stack([below, upto], axis=1).ravel(), prepend=0, append=len(values))


def sum_bars(values: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """A histogram of ascending values; the last bar takes what rounding has put above it."""
    return np.diff(np.append(np.searchsorted(values, edges[:-1]), len(values)))


def step_up(values: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    """The first of the ascending values [N] above -inf and above each threshold, else inf, [T+1]."""
    places = np.searchsorted(values, np.append(-np.inf, thresholds), side="right")
    return np.append(values, np.inf)[places]


def keep_least(index: np.ndarray, values: np.ndarray, num: int) -> tuple[np.ndarray, np.ndarray]:
    """The pairs [N,2] with the smallest values [N], ascending; of equal ones those with the lower indices."""
    order = np.lexsort((index[:, 1], index[:, 0], values))[:num]
    return index[order], values[order]
