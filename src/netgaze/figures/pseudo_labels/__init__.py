"""Pseudo-labels: the unlabeled images that a network chose for each class, and how many are correct."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure as Picture

from netgaze.drawing.examples import to_rgb
from netgaze.drawing.rows import Row, lay_out
from netgaze.errors import NetgazeError
from netgaze.figure import Figure, Finding
from netgaze.figures.pseudo_labels.blocks import make_block
from netgaze.figures.pseudo_labels.tenths import TENTHS, make_plot
from netgaze.glossary import Glossary, Meaning
from netgaze.pseudo_labels import Labeler
from netgaze.subject import Subject

_MOST_EACH = 8
_THREE = ("first", "middle", "last")


class PseudoLabels(Figure):
    """A network's pseudo-labels (Yalniz et al. 2019, arXiv 1905.00546), compared with the hidden true labels.

    Each network chooses its own images: for each class those with the highest scores, by the task's `choose`.

    Args:
        num_classes: rows; of more classes, as many drawn by the seed.
        num_each: images of the highest, the middle and the lowest scores of a class.
        seed: of the classes.

    Raises:
        NetgazeError: a number below 1, or more images than fit into a row.
    """

    title = "Pseudo-labels"
    question = "Which unlabeled images did the network choose for each class, and how many are correct?"
    look_for = (
        "How far the share of correct pseudo-labels falls from the highest scores to the lowest: that is the price of "
        "choosing more images per class. Crossed images show with which classes a class is confused."
    )
    pitfall = (
        "The average hides classes whose pseudo-labels are mostly wrong: read the rows and the band. The true labels "
        "exist only because they were hidden for the experiment; with truly unlabeled images nobody can check."
    )
    needs = ("classes", "data", "config")
    controls = "numbers"
    glossary = Glossary(
        {
            "images": Meaning("pseudo-labels", "In all; an image counts once for each class that chose it."),
            "distinct": Meaning("distinct images"),
            "in_several": Meaning("in several classes", "Distinct images that more than one class chose."),
            "share_right": Meaning(
                "correct pseudo-labels", "Share that equals the true label.", "%", "higher", "images"
            ),
            "share_right_first_tenth": Meaning(
                "correct, highest scores", "The same for each class's tenth with the highest scores.", "%", "higher"
            ),
            "share_right_last_tenth": Meaning(
                "correct, lowest scores", "The same for each class's tenth with the lowest scores.", "%", "higher"
            ),
            "coverage": Meaning("coverage", "Share of the unlabeled images chosen at least once.", "%"),
            "chance": Meaning("chance", "Share correct if each class chose as many images at random.", "%"),
            "class": Meaning("class"),
            "score of the <which>": Meaning("score of the <which>", "The network's probability of the class."),
            "share right": Meaning(
                "correct", "Share of the class's pseudo-labels that equal the true label.", "%", "higher", "images"
            ),
        }
    )

    def __init__(self, *, num_classes: int = 10, num_each: int = 3, seed: int = 0):
        if num_classes < 1:
            raise NetgazeError(f"figure.pseudo_labels.num_classes={num_classes} must be 1 or more.")
        if not 1 <= num_each <= _MOST_EACH:
            raise NetgazeError(f"figure.pseudo_labels.num_each={num_each} must be 1 to {_MOST_EACH}.")
        self.num_classes, self.num_each, self.seed = num_classes, num_each, seed

    def compute(self, subject: Subject) -> Finding:
        """Per class [C]: count, share correct, by tenths [C,10], and three scores [C,3]; tiles [T] of the rows [R].

        Raises:
            NetgazeError: the task chooses no pseudo-labels, or the data has no unlabeled images.
        """
        task, data = subject.task, subject.data
        if not isinstance(subject.task, Labeler):
            raise NetgazeError("This network's task makes no pseudo-labels. Train one with task=pseudo_labels.")
        names, truth = np.array(task.class_names), data.true_labels("unlabeled").numpy()
        found = _rank(task.choose(data), truth, len(names))
        rows = _choose_rows(len(names), self.num_classes, self.seed)
        tiles, part = _choose_tiles(found, rows, self.num_each)
        arrays = {
            "names": names,
            "counts": found.counts,
            "right": _share_right(found, np.zeros_like(found.place), 1)[:, 0],
            "tenths": _share_right(found, found.place * TENTHS // found.total, TENTHS),
            "scores": _find_three_scores(found),
            "rows": rows,
            "tile_class": found.label[tiles],
            "tile_part": part,
            "tile_score": found.score[tiles],
            "tile_true": found.truth[tiles],
        }
        if len(tiles):
            arrays["images"] = to_rgb(data.images("unlabeled", torch.from_numpy(found.index[tiles])))
        return Finding(_list_numbers(found, truth), arrays, _write_caption(subject))

    def table(self, finding: Finding) -> list[dict[str, Any]]:
        """A row per class."""
        arrays = finding.arrays
        return [
            {"class": str(name), "images": int(count), "share right": _read_number(right)}
            | {f"score of the {which}": _read_number(score) for which, score in zip(_THREE, scores, strict=True)}
            for name, count, right, scores in zip(
                *(arrays[key] for key in ("names", "counts", "right", "scores")), strict=True
            )
        ]

    def draw(self, findings: Mapping[str, Finding]) -> Picture:
        """Share correct by rank, a line per network; below it a block per network, a row per class."""
        blocks = (make_block(label, finding, self.num_each) for label, finding in findings.items())
        return lay_out([make_plot(findings), *blocks, Row(0.1)])


@dataclass(frozen=True)
class _Ranked:
    """Pseudo-labels class by class, from the highest score to the lowest, each [M]; `counts` of the classes [C]."""

    index: np.ndarray
    label: np.ndarray
    score: np.ndarray
    truth: np.ndarray
    place: np.ndarray
    counts: np.ndarray

    @property
    def right(self) -> np.ndarray:
        return self.label == self.truth

    @property
    def total(self) -> np.ndarray:
        """The number of pseudo-labels of its class, [M]."""
        return self.counts[self.label]


def _rank(chosen: Any, truth: np.ndarray, num_classes: int) -> _Ranked:
    index, label, score, rank = (getattr(chosen, name).numpy() for name in ("index", "label", "score", "rank"))
    order = np.lexsort((rank, label))
    index, label, score = index[order], label[order], score[order]
    counts = np.bincount(label, minlength=num_classes)
    place = np.arange(len(label)) - (counts.cumsum() - counts)[label]
    return _Ranked(index, label, score, truth[index], place, counts)


def _list_numbers(found: _Ranked, truth: np.ndarray) -> dict[str, Any]:
    times = np.bincount(found.index, minlength=len(truth))
    from_last = found.total - 1 - found.place
    expected = found.counts * np.bincount(truth, minlength=len(found.counts)) / max(len(truth), 1)
    return {
        "images": len(found.index),
        "distinct": int((times > 0).sum()),
        "in_several": int((times > 1).sum()),
        "share_right": _average(found.right),
        "share_right_first_tenth": _average(found.right[found.place * TENTHS < found.total]),
        "share_right_last_tenth": _average(found.right[from_last * TENTHS < found.total]),
        "coverage": _average(times > 0),
        "chance": float(expected.sum() / len(found.index)) if len(found.index) else None,
    }


def _average(values: np.ndarray) -> float | None:
    return float(values.mean()) if len(values) else None


def _read_number(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def _share_right(found: _Ranked, bins: np.ndarray, num_bins: int) -> np.ndarray:
    """Share correct of each class in each of its bins [M], [C,num_bins]; NaN for empty bins."""
    sums, counts = (np.zeros((len(found.counts), num_bins)) for _ in range(2))
    np.add.at(sums, (found.label, bins), found.right)
    np.add.at(counts, (found.label, bins), 1)
    return np.divide(sums, counts, out=np.full_like(sums, np.nan), where=counts > 0)


def _find_three_scores(found: _Ranked) -> np.ndarray:
    """Scores of each class's first, middle and last image, [C,3]; NaN for a class without images."""
    scores = np.full((len(found.counts), 3), np.nan)
    for which, place in enumerate((np.zeros_like(found.total), (found.total - 1) // 2, found.total - 1)):
        there = found.place == place
        scores[found.label[there], which] = found.score[there]
    return scores


def _choose_rows(num_classes: int, most: int, seed: int) -> np.ndarray:
    """The classes shown, in order: drawn by the seed alone, so the same for all networks."""
    return np.sort(np.random.default_rng(seed).permutation(num_classes)[:most])


def _choose_tiles(found: _Ranked, rows: np.ndarray, num_each: int) -> tuple[np.ndarray, np.ndarray]:
    """The pseudo-labels shown [T], and the part of the row that each belongs to [T]."""
    tiles, parts = list[int](), list[int]()
    for label in rows:
        start = int(found.counts[:label].sum())
        for part, places in enumerate(_split_thirds(int(found.counts[label]), num_each)):
            tiles += [start + place for place in places]
            parts += [part] * len(places)
    return np.array(tiles, dtype=np.int64), np.array(parts, dtype=np.int64)


def _split_thirds(num: int, num_each: int) -> tuple[range, range, range]:
    """The first, the middle and the last positions of `num`, none of them twice."""
    first = range(min(num, num_each))
    last = range(max(len(first), num - num_each), num)
    between = last.start - first.stop
    start = first.stop + max(0, between - num_each) // 2
    return first, range(start, start + min(between, num_each)), last


def _write_caption(subject: Subject) -> str:
    settings = (subject.config or {}).get("task", {})
    known = {name: settings[name.lower()] for name in ("K", "P") if settings.get(name.lower()) is not None}
    said = {
        "K": "at most K = {} images per class, those with the highest scores",
        "P": "each image for at most its P = {} best classes",
    }
    how = "; ".join(said[name].format(f"{number:,}") for name, number in known.items())
    how = f" ({how})" if how else ""
    return (
        f"Each network chooses its own images among the unlabeled ones{how}. Below an image: the network's probability "
        "for the class of the row. Blue frame: the image is of this class; cross: of another class, which is named. "
        "The hidden true labels are used only here, not for the choice or the training."
    )
