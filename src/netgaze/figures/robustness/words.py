"""Sentences on two networks under corruption: which loses less, and under which kind they differ most."""

from collections.abc import Mapping
from itertools import combinations

import numpy as np

from netgaze.corruptions.kinds import KINDS
from netgaze.figure import Finding, leave_out_repeats
from netgaze.measures.uncertainty import find_mean_interval
from netgaze.text import format_percent

_RISK = 0.05  # how often a sentence may be due to chance, for the kinds: all fifteen together


def describe_losses(findings: Mapping[str, Finding]) -> list[str]:
    """Sentences on pairs of networks that saw the same images, if their difference is beyond chance.

    A loss is the accuracy without corruption minus that under corruption, in points. The images are paired: intervals
    are of the mean over images of the difference between the losses.
    """
    pairs = [pair for pair in combinations(findings, 2) if _saw_the_same(*(findings[label] for label in pair))]
    sentences = []
    for first, second in leave_out_repeats(findings, pairs):
        pair = {label: findings[label] for label in (first, second)}
        losses = np.stack([_measure_losses(it) for it in pair.values()])
        sentences += [*_describe_mean(pair, losses.mean(axis=1)), *_describe_kind(pair, losses)]
    return sentences


def _saw_the_same(one: Finding, other: Finding) -> bool:
    return all(np.array_equal(one.arrays[name], other.arrays[name]) for name in ("images", "labels", "severities"))


def _measure_losses(finding: Finding) -> np.ndarray:
    """The loss on each image under each kind, averaged over the severities: -1..1, [K,N]."""
    return finding.arrays["right_clean"].astype(float) - finding.arrays["right"].mean(axis=1)


def _describe_mean(pair: Mapping[str, Finding], losses: np.ndarray) -> list[str]:
    """Which network loses less over all kinds, from both losses [2,N]."""
    low, high = find_mean_interval(losses[0] - losses[1], 1 - _RISK)
    if not (low > 0 or high < 0):
        return []
    less, more = (0, 1) if high < 0 else (1, 0)
    labels, clean = list(pair), [format_percent(it.numbers["clean_acc"]) for it in pair.values()]
    lost = [_format_points(mean) for mean in losses.mean(axis=1)]
    return [
        f"Under corruption, {labels[less]} loses less accuracy than {labels[more]}: {lost[less]} points from "
        f"{clean[less]}, {labels[more]} {lost[more]} from {clean[more]} ({_format_gap(low, high)}"
        f"{_name_answers(pair)})."
    ]


def _describe_kind(pair: Mapping[str, Finding], losses: np.ndarray) -> list[str]:
    """Under which kind losses [2,K,N] differ most; the interval is corrected for choosing among all kinds."""
    apart = losses[0] - losses[1]
    kind = int(np.abs(apart.mean(axis=1)).argmax())
    low, high = find_mean_interval(apart[kind], 1 - _RISK / len(KINDS))
    if not (low > 0 or high < 0):
        return []
    (first, second), lost = pair, [_format_points(mean) for mean in losses[:, kind].mean(axis=1)]
    words = list(KINDS.values())[kind].words
    return [
        f"{first} and {second} differ most under {words}: {first} loses {lost[0]} points, {second} {lost[1]} "
        f"({_format_gap(low, high)}{_name_answers(pair)})."
    ]


def _name_answers(pair: Mapping[str, Finding]) -> str:
    """How each network classifies, if they do so in two ways."""
    one, other = (it.numbers["answers"] for it in pair.values())
    labels = list(pair)
    return "" if one == other else f"; {labels[0]} by {one}, {labels[1]} by {other}"


def _format_points(share: float) -> str:
    return f"{100 * share:.1f}"


def _format_gap(low: float, high: float) -> str:
    return f"difference {_format_points(abs(low + high) / 2)} \u00b1 {_format_points((high - low) / 2)} points"
