"""Which unlabeled images did a network choose for each class, and how many of them are right?"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure

from netgaze.drawing.examples import to_rgb
from netgaze.drawing.line_key import draw_key, measure_key
from netgaze.drawing.panels import WIDTH, Sheet
from netgaze.errors import NetgazeError
from netgaze.figure import Finding
from netgaze.figures.pseudo_labels.blocks import TENTHS, draw_block, list_key, measure_block, plot
from netgaze.pseudo_labels import Labeler
from netgaze.subject import Subject

_MOST_EACH = 8
_LEFT, _PLOT, _PLOT_WIDTH = 0.65, 2.0, 4.8  # inches: the plot's left edge, its height and width
_THREE = ("first", "middle", "last")


class PseudoLabels:
    """The pseudo-labels that a network gives (Yalniz et al. 2019, arXiv 1905.00546), against the labels taken away.

    Each network chooses its own images: of a class those of which it is surest. The task does it, by its `choose`.

    Numbers (of none the shares are null):
        `images`: pseudo-labels in all; an image counts once for each class that took it.
        `distinct`, `in_several`: different images, and those among them that several classes took.
        `share_right`: share of the pseudo-labels that are the true ones, 0..1.
        `share_right_first_tenth`, `share_right_last_tenth`: the same of each class's tenth with the highest and the
            lowest scores, at least one image of it.
        `coverage`: share of the unlabeled images that were chosen at least once.
        `chance`: the `share_right` to expect where each class takes as many images as it did, but at random.

    Args:
        num_classes: at most so many rows; of more classes, as many by the seed.
        num_each: images of the highest, of the middle and of the lowest scores of a class.
        seed: of the choice of classes.

    Raises:
        NetgazeError: a number below 1, or more images than fit into a row.
    """

    title = "Pseudo-labels"
    question = "Which unlabeled images did the network choose for each class, and how many of them are right?"
    needs = ("classes", "data", "config")
    metrics = ()

    def __init__(self, *, num_classes: int = 10, num_each: int = 3, seed: int = 0):
        if num_classes < 1:
            raise NetgazeError(f"figure.pseudo_labels.num_classes={num_classes} must be 1 or more.")
        if not 1 <= num_each <= _MOST_EACH:
            raise NetgazeError(f"figure.pseudo_labels.num_each={num_each} must be 1 to {_MOST_EACH}.")
        self.num_classes, self.num_each, self.seed = num_classes, num_each, seed

    def compute(self, subject: Subject) -> Finding:
        """Of each class [C]: count, share right, by tenths [C,10], and three scores [C,3]; tiles [T] of the rows [R].

        Raises:
            NetgazeError: the task chooses no pseudo-labels, or the data has no unlabeled images.
        """
        task, data = subject.task, subject.data
        if not isinstance(subject.task, Labeler):
            raise NetgazeError("This network's task chooses no pseudo-labels; task=pseudo_labels does.")
        names, truth = np.array(task.class_names), data.true_labels("unlabeled").numpy()
        found = _by_rank(task.choose(data), truth, len(names))
        rows = _rows(len(names), self.num_classes, self.seed)
        tiles, part = _tiles(found, rows, self.num_each)
        arrays = {
            "names": names,
            "counts": found.counts,
            "right": _shares(found, np.zeros_like(found.place), 1)[:, 0],
            "tenths": _shares(found, found.place * TENTHS // found.total, TENTHS),
            "scores": _three_scores(found),
            "rows": rows,
            "tile_class": found.label[tiles],
            "tile_part": part,
            "tile_score": found.score[tiles],
            "tile_true": found.truth[tiles],
        }
        if len(tiles):
            arrays["images"] = to_rgb(data.images("unlabeled", torch.from_numpy(found.index[tiles])))
        return Finding(_numbers(found, truth), arrays, _caption(subject))

    def table(self, finding: Finding) -> list[dict[str, Any]]:
        """A row a class."""
        arrays = finding.arrays
        return [
            {"class": str(name), "images": int(count), "share right": _number(right)}
            | {f"score of the {which}": _number(score) for which, score in zip(_THREE, scores, strict=True)}
            for name, count, right, scores in zip(
                *(arrays[key] for key in ("names", "counts", "right", "scores")), strict=True
            )
        ]

    def draw(self, findings: dict[str, Finding]) -> Figure:
        """Shares of right ones by rank, a line a network; below them a block a network, a row a class."""
        heights = [measure_block(finding, self.num_each) for finding in findings.values()]
        entries, x = list_key(findings), _LEFT + _PLOT_WIDTH + 0.25
        width = WIDTH - x - 0.1
        top = max(_PLOT + 0.4, measure_key(entries, width)) + 0.35
        sheet = Sheet(top + sum(heights) + 0.1)
        plot(sheet.axes(_LEFT, 0.15, _PLOT_WIDTH, _PLOT), findings)
        draw_key(sheet, x, 0.15, width, entries)
        for (label, finding), height in zip(findings.items(), heights, strict=True):
            draw_block(sheet, label, finding, top, self.num_each)
            top += height
        return sheet.figure


@dataclass(frozen=True)
class _Ranked:
    """Pseudo-labels class by class and from the highest score to the lowest, each [M]; `counts` of the classes [C]."""

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
        """How many its class has, [M]."""
        return self.counts[self.label]


def _by_rank(chosen: Any, truth: np.ndarray, num_classes: int) -> _Ranked:
    index, label, score, rank = (getattr(chosen, name).numpy() for name in ("index", "label", "score", "rank"))
    order = np.lexsort((rank, label))
    index, label, score = index[order], label[order], score[order]
    counts = np.bincount(label, minlength=num_classes)
    place = np.arange(len(label)) - (counts.cumsum() - counts)[label]
    return _Ranked(index, label, score, truth[index], place, counts)


def _numbers(found: _Ranked, truth: np.ndarray) -> dict[str, Any]:
    times = np.bincount(found.index, minlength=len(truth))
    from_last = found.total - 1 - found.place
    expected = found.counts * np.bincount(truth, minlength=len(found.counts)) / max(len(truth), 1)
    return {
        "images": len(found.index),
        "distinct": int((times > 0).sum()),
        "in_several": int((times > 1).sum()),
        "share_right": _mean(found.right),
        "share_right_first_tenth": _mean(found.right[found.place * TENTHS < found.total]),
        "share_right_last_tenth": _mean(found.right[from_last * TENTHS < found.total]),
        "coverage": _mean(times > 0),
        "chance": float(expected.sum() / len(found.index)) if len(found.index) else None,
    }


def _mean(values: np.ndarray) -> float | None:
    return float(values.mean()) if len(values) else None


def _number(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def _shares(found: _Ranked, bins: np.ndarray, num_bins: int) -> np.ndarray:
    """Share of right ones of each class in each of its bins [M], [C,num_bins]; NaN where a bin has none."""
    sums, counts = (np.zeros((len(found.counts), num_bins)) for _ in range(2))
    np.add.at(sums, (found.label, bins), found.right)
    np.add.at(counts, (found.label, bins), 1)
    return np.divide(sums, counts, out=np.full_like(sums, np.nan), where=counts > 0)


def _three_scores(found: _Ranked) -> np.ndarray:
    """Scores of each class's first, middle and last image, [C,3]; NaN for a class without."""
    scores = np.full((len(found.counts), 3), np.nan)
    for which, place in enumerate((np.zeros_like(found.total), (found.total - 1) // 2, found.total - 1)):
        there = found.place == place
        scores[found.label[there], which] = found.score[there]
    return scores


def _rows(num_classes: int, most: int, seed: int) -> np.ndarray:
    """The classes that are shown, in order: drawn by the seed alone, so that all networks show the same."""
    return np.sort(np.random.default_rng(seed).permutation(num_classes)[:most])


def _tiles(found: _Ranked, rows: np.ndarray, num_each: int) -> tuple[np.ndarray, np.ndarray]:
    """The pseudo-labels shown [T], and the part of its row in which each one stands [T]."""
    tiles, parts = list[int](), list[int]()
    for label in rows:
        start = int(found.counts[:label].sum())
        for part, places in enumerate(_thirds(int(found.counts[label]), num_each)):
            tiles += [start + place for place in places]
            parts += [part] * len(places)
    return np.array(tiles, dtype=np.int64), np.array(parts, dtype=np.int64)


def _thirds(num: int, num_each: int) -> tuple[range, range, range]:
    """The first, the middle and the last places of `num`, none of them twice."""
    first = range(min(num, num_each))
    last = range(max(len(first), num - num_each), num)
    between = last.start - first.stop
    start = first.stop + max(0, between - num_each) // 2
    return first, range(start, start + min(between, num_each)), last


def _caption(subject: Subject) -> str:
    settings = (subject.config or {}).get("task", {})
    known = {name: settings[name.lower()] for name in ("K", "P") if settings.get(name.lower()) is not None}
    said = {
        "K": "up to K = {} images a class, those with the highest scores",
        "P": "each image for its P = {} best classes at most",
    }
    how = "; ".join(said[name].format(f"{number:,}") for name, number in known.items())
    how = f" ({how})" if how else ""
    return (
        f"Each network chooses its own images from the unlabeled ones{how}. Below an image: the network's probability "
        "for the class of its row. Blue: the image is of this class; crossed: of another, which is named. The true "
        "labels, which were taken away, judge here alone: neither the choice nor the training knows them."
    )
