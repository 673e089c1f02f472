"""The numbers that follow from counts of pairs by distance: rates, curves, thresholds."""

from dataclasses import dataclass
from typing import Any

import numpy as np

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
        return halve_between(self.thresholds[best], self.above[best + 1])

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


def halve_between(distance: float, above: float) -> float:
    """Between a distance and the next; the distance itself where no number or no pair is between."""
    middle = float(distance + (above - distance) / 2)
    return middle if middle < above else float(distance)


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
    """The central 95% of the replicates [R], None if there are none."""
    return np.percentile(values, [2.5, 97.5]).tolist() if len(values) else None
