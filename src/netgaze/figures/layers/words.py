"""Sentences on networks stage by stage: where one is best, where two part, and which settles earlier."""

from collections.abc import Mapping
from itertools import combinations

import numpy as np

from netgaze.figure import Finding, leave_out_repeats
from netgaze.measures.uncertainty import find_mean_interval, find_wilson_interval


def describe_ends(findings: Mapping[str, Finding]) -> list[str]:
    """Sentences on networks whose last stage separates the classes worse than an earlier one, beyond chance."""
    said = []
    for label, finding in findings.items():
        stages, knn = finding.arrays["stages"], _list_knn(finding)
        best = int(np.argmax(knn))
        if best < len(knn) - 1 and _hold_against(finding, finding, best, -1) > 0:
            said.append(
                f"{label} separates the classes best at {stages[best]}, not at its last stage (20-neighbor accuracy "
                f"{knn[best]:.1%} and {knn[-1]:.1%})."
            )
    return said


def describe_pairs(findings: Mapping[str, Finding]) -> list[str]:
    """Sentences on pairs with the same stages and images: from where on they part, and which settles earlier."""
    pairs = [pair for pair in combinations(findings, 2) if _are_comparable(*(findings[label] for label in pair))]
    sentences = []
    for first, second in leave_out_repeats(findings, pairs):
        pair = {label: findings[label] for label in (first, second)}
        sentences += [*_describe_parting(pair), *_describe_depths(pair)]
    return sentences


def _are_comparable(one: Finding, other: Finding) -> bool:
    return all(np.array_equal(one.arrays[name], other.arrays[name]) for name in ("images", "stages"))


def _list_knn(finding: Finding) -> list[float]:
    return [finding.numbers[f"knn20 {stage}"] for stage in finding.arrays["stages"]]


def _hold_against(one: Finding, other: Finding, place: int, other_place: int) -> int:
    """1 if the one's stage separates the classes better than the other's, -1 if worse; 0 if intervals overlap."""
    pairs = ((one, place), (other, other_place))
    own, its = (find_wilson_interval(_list_knn(it)[at], it.numbers["num_images"]) for it, at in pairs)
    return int(own[0] > its[1]) - int(own[1] < its[0])


def _describe_parting(pair: Mapping[str, Finding]) -> list[str]:
    """The first stage at which one of two networks separates the classes better, and whether it stays ahead."""
    labels, (one, other) = list(pair), pair.values()
    stages = [str(stage) for stage in one.arrays["stages"]]
    sides = [_hold_against(one, other, place, place) for place in range(len(stages))]
    if not any(sides):
        return []
    start = next(place for place, side in enumerate(sides) if side)
    better, worse = labels if sides[start] > 0 else labels[::-1]
    stays = len(sides) > start + 1 and all(side == sides[start] for side in sides[start:])
    where = f"from {stages[start]} on" if stays else f"at {stages[start]}"
    numbers = [f"{_list_knn(one)[place]:.1%} and {_list_knn(other)[place]:.1%}" for place in (start - 1, start)]
    if start:
        return [
            f"Up to {stages[start - 1]}, {labels[0]} and {labels[1]} separate the classes equally well, within chance "
            f"(20-neighbor accuracy {numbers[0]}); {where}, {better} separates them better ({numbers[1]})."
        ]
    return [
        f"{where[0].upper()}{where[1:]}, {better} separates the classes better than {worse} (20-neighbor accuracy of "
        f"{labels[0]} and {labels[1]}: {numbers[1]})."
    ]


def _describe_depths(pair: Mapping[str, Finding]) -> list[str]:
    """Which network settles earlier, by the mean over images of the difference of their depths.

    If votes of the last stage are the predictions, a network is never unsettled: it is not compared with one that
    predicts classes itself.
    """
    labels, (one, other) = list(pair), pair.values()
    if "depths" not in one.arrays or one.arrays["is_voted"] != other.arrays["is_voted"]:
        return []
    low, high = find_mean_interval(one.arrays["depths"].astype(float) - other.arrays["depths"])
    if not (low > 0 or high < 0):
        return []
    early, late = labels if high < 0 else labels[::-1]
    depths = [pair[label].numbers["depth"] for label in (early, late)]
    apart = f"difference {abs(low + high) / 2:.2f} \u00b1 {(high - low) / 2:.2f}"
    return [
        f"{early} settles its predictions at earlier stages than {late}: mean prediction depth {depths[0]:.2f} and "
        f"{depths[1]:.2f} of {len(one.arrays['stages'])} ({apart})."
    ]
