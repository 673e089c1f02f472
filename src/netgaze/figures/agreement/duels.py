"""Two networks on the same images: which predictions count, which images are shown, and the sentences on them."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch

from netgaze.drawing.examples import to_rgb
from netgaze.drawing.heat import compute_maps, enlarge
from netgaze.figure import Finding
from netgaze.measures.agreement import Agreement, sort_cells
from netgaze.subject import Subject, evaluating
from netgaze.text import format_percent

CELLS = ("both correct", "only A correct", "only B correct", "both incorrect")
_LEAST_P = 0.001


@dataclass(frozen=True)
class Duel:
    """Two networks on the same N images.

    Attributes:
        first: label of the one.
        second: label of the other.
        answers: predictions of both, [2,N].
        confidence: of these predictions, 0..1, [2,N].
        labels: true classes, [N].
        names: of the classes.
        is_voted: whether the predictions are votes of the nearest training images.
    """

    first: str
    second: str
    answers: np.ndarray
    confidence: np.ndarray
    labels: np.ndarray
    names: np.ndarray
    is_voted: bool

    @cached_property
    def agreement(self) -> Agreement:
        """How far they agree."""
        return Agreement.of(self.answers[0], self.answers[1], self.labels)


def list_duels(findings: Mapping[str, Finding]) -> dict[tuple[str, str], Duel]:
    """Each network with those after it that saw the same images."""
    duels, labels = {}, list(findings)
    for place, first in enumerate(labels):
        for second in labels[place + 1 :]:
            one, other = findings[first].arrays, findings[second].arrays
            if all(np.array_equal(one[name], other[name]) for name in ("images", "labels", "names")):
                kind = "own" if "own_answers" in one and "own_answers" in other else "knn"
                answers, sure = (
                    np.stack([it[f"{kind}_{what}"] for it in (one, other)]) for what in ("answers", "confidence")
                )
                duels[first, second] = Duel(first, second, answers, sure, one["labels"], one["names"], kind == "knn")
    return duels


def choose_rows(duel: Duel, num: int) -> tuple[np.ndarray, np.ndarray]:
    """At most `num` images of each of `CELLS`, those of highest confidence in both: rows [n] and their cells [n]."""
    cells = np.minimum(sort_cells(duel.answers[0], duel.answers[1], duel.labels), 3)
    order = np.argsort(-duel.confidence.min(axis=0), kind="stable")
    rows = np.concatenate([order[cells[order] == cell][:num] for cell in range(4)])
    return rows, cells[rows]


def show_rows(
    duel: Duel, rows: np.ndarray, cells: np.ndarray, first: Subject, second: Subject
) -> dict[str, np.ndarray]:
    """What is drawn of some images, by the second network's label: pictures, and the map of each prediction."""
    shown = {
        "rows": rows,
        "cells": cells,
        "pictures": to_rgb(first.data.images(first.split, rows)),
    }
    if not duel.is_voted:
        for place, subject in enumerate((first, second)):
            shown[f"maps {place}"] = _map_answers(subject, rows, duel.answers[place][rows])
            shown[f"unit {place}"] = np.array(subject.task.model.map_unit)
    return {f"{name} with {duel.second}": values for name, values in shown.items()}


def _map_answers(subject: Subject, rows: np.ndarray, answers: np.ndarray) -> np.ndarray:
    """The class map of each image's predicted class, as large as the image, [n,H,W]."""
    maps: list[np.ndarray] = []
    with evaluating(subject.task), torch.no_grad():
        for _, examples, _, every in compute_maps(subject, rows):
            own = torch.from_numpy(answers[len(maps) : len(maps) + len(every)])
            maps += list(enlarge(every[torch.arange(len(every)), own], examples.shape[-2:]).numpy())
    return np.stack(maps)


def read_duels(findings: Mapping[str, Finding]) -> dict[tuple[str, str], dict[str, np.ndarray]]:
    """What `show_rows` added to findings, by the labels of both networks."""
    found: dict[tuple[str, str], dict[str, np.ndarray]] = {}
    for label, finding in findings.items():
        for name, values in finding.arrays.items():
            what, _, other = name.partition(" with ")
            if other:
                found.setdefault((label, other), {})[what] = values
    return found


def describe_duels(duels: Mapping[tuple[str, str], Duel]) -> list[str]:
    """Sentences on pairs: how often they agree, if beyond chance; which is correct more often, if significantly."""
    sentences = []
    for (first, second), duel in duels.items():
        found, kappa = duel.agreement, duel.agreement.kappa
        by = ", by votes of the nearest training images" if duel.is_voted else ""
        if kappa.low > 0 or kappa.high < 0:
            half = (kappa.high - kappa.low) / 2
            sentences.append(
                f"{first} and {second} predict the same class for {format_percent(found.same_answer.value)} of the "
                f"images{by}; error consistency \u03ba {kappa.value:.2f} \u00b1 {half:.2f}."
            )
        if found.p < 0.05:
            winner, place = (first, 1) if found.counts[1] > found.counts[2] else (second, 2)
            p = f"< {_LEAST_P}" if found.p < _LEAST_P else f"= {found.p:.3f}"
            sentences.append(
                f"Of the {found.counts[1] + found.counts[2]:,} images that only one of {first} and {second} classifies "
                f"correctly, {winner} has {found.counts[place]:,} (p {p})."
            )
    return sentences
