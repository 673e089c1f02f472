"""Which training examples were easy, which hard, which learned and forgotten again?"""

from collections.abc import Mapping
from itertools import combinations
from typing import Any

import numpy as np
from matplotlib.figure import Figure as Picture

from netgaze.drawing.examples import to_rgb
from netgaze.drawing.rows import Row, lay_out
from netgaze.errors import NetgazeError
from netgaze.figure import Figure, Finding
from netgaze.figures.dynamics.examples import find_common, list_numbers, measure
from netgaze.figures.dynamics.page import KINDS, make_block, make_comparison
from netgaze.glossary import Glossary, Meaning
from netgaze.measures.dynamics import correlate_ranks, find_last
from netgaze.subject import Subject

_CAPTION = (
    "Probability, margin and answer are those from which the network learned: of images as they were augmented. "
    "Each network chooses its own images."
)
_DRAW = 2020  # a draw of its own: by the seed alone the very labels would come first that `data.label_noise` redraws
_AUROC = "Chance that a wrong label is more suspicious than a right one {}; 0.5 is chance."


class Dynamics(Figure):
    """The course of training of single examples, as `callback.examples` recorded it, at no pass of its own.

    The map is that of Swayamdipta et al. 2020 (arXiv 2009.10795), forgetting is counted as in Toneva et al. 2019, and
    the mean margin is the AUM of Pleiss et al. 2020; there training examples are looked at again after each epoch, here
    they are seen as they were trained on: augmented, one batch after the other.

    Where labels are known to be wrong (`data.label_noise`, pseudo-labels) it is told how well each number finds them.
    Networks are compared on the images that both were trained on, but for those that had another label in each.

    Args:
        num_each: images of each kind.
        most_points: examples on the map, drawn by the seed.
        seed: of them.

    Raises:
        NetgazeError: a number below 1.
    """

    title = "Training dynamics"
    question = "Which training examples were easy, which hard, and which were learned and forgotten again?"
    needs = ("examples",)
    controls = "none"
    glossary = Glossary(
        {
            "num_examples": Meaning("training examples", "Those that at least one epoch saw."),
            "epochs": Meaning("epochs recorded"),
            "confidence": Meaning(
                "confidence", "Probability of the label, the mean over epochs and examples.", "%", "higher"
            ),
            "variability": Meaning(
                "variability", "Standard deviation of that probability over epochs, 0..0.5, the mean over examples."
            ),
            "never_learned": Meaning("never right", "Share of examples that no epoch had right.", "%", "lower"),
            "forgotten": Meaning(
                "forgotten", "Share of examples that were right in one epoch and wrong in the next, at least once.", "%"
            ),
            "unforgettable": Meaning(
                "never forgotten", "Share of examples that were right from some epoch on, to the last.", "%", "higher"
            ),
            "wrong_labels": Meaning("wrong labels", "Training labels that are known to be others than the true ones."),
            "auroc_aum": Meaning("AUROC by mean margin", _AUROC.format("by the mean margin (AUM)"), "", "higher"),
            "auroc_confidence": Meaning("AUROC by confidence", _AUROC.format("by low confidence"), "", "higher"),
            "auroc_forgetting": Meaning(
                "AUROC by forgetting",
                _AUROC.format("by the times it was forgotten, those never right above all"),
                "",
                "higher",
            ),
            "auroc_variability": Meaning("AUROC by variability", _AUROC.format("by high variability"), "", "higher"),
            "auroc_last": Meaning("AUROC by the last loss", _AUROC.format("by the last epoch's loss"), "", "higher"),
            "found": Meaning(
                "wrong among the most suspicious",
                "Of as many labels as are wrong, those of lowest mean margin: the share that is wrong. By chance it is "
                "the share of wrong labels.",
                "%",
                "higher",
            ),
            "common: <one> and <other>": Meaning(
                "common examples, <one> and <other>", "Images that both were trained on, but for those with two labels."
            ),
            "confidence: <one> and <other>": Meaning(
                "same examples hard, <one> and <other>",
                "Spearman's rank correlation of confidence over common examples: 1 where both have one order, 0 by "
                "chance.",
                "",
            ),
            "aum: <one> and <other>": Meaning(
                "same by mean margin, <one> and <other>", "The same of the mean margin.", ""
            ),
        }
    )

    def __init__(self, *, num_each: int = 8, most_points: int = 3000, seed: int = 0):
        for name, value in (("num_each", num_each), ("most_points", most_points)):
            if value < 1:
                raise NetgazeError(f"figure.dynamics.{name}={value} must be 1 or more.")
        self.num_each, self.most_points, self.seed = num_each, most_points, seed

    def compute(self, subject: Subject) -> Finding:
        """Of each example [N] its measures, label, and whether that is wrong; points [P] of the map, and tiles [T]."""
        record, data = subject.examples, subject.train_data
        is_named = record.names == data.class_names  # a rotation's classes are turns
        none = np.full(record.num_examples, -1)
        given, true = (data.labels("train").numpy(), data.true_labels("train").numpy()) if is_named else (none, none)
        arrays = measure(record) | {"labels": given, "wrong": given != true, "pixels": data.number_images("train")}
        seen = np.flatnonzero(np.isfinite(arrays["confidence"]))
        tiles, kind = _choose_tiles(arrays, seen, self.num_each)
        arrays |= {
            "points": np.random.default_rng([_DRAW, self.seed]).permutation(seen)[: self.most_points],
            "tiles": tiles,
            "kind": kind,
            "images": to_rgb(data.images("train", tiles)),
        }
        if is_named:
            answers, names = record.answers[:, tiles], np.array(data.class_names)
            last = find_last(np.where(answers < 0, np.nan, answers)).astype(np.int64)
            arrays |= {"tile_label": names[given[tiles]], "tile_true": names[true[tiles]], "tile_answer": names[last]}
        return Finding(list_numbers(arrays, record.num_epochs), arrays, _CAPTION)

    def compare(self, findings: Mapping[str, Finding]) -> dict[str, Any]:
        """Of each two networks with common examples: how many, and the rank correlations of their measures."""
        numbers: dict[str, Any] = {}
        for (one, first), (other, second) in combinations(findings.items(), 2):
            rows, others = find_common(first.arrays, second.arrays)
            if len(rows):
                numbers[f"common: {one} and {other}"] = len(rows)
                for name in ("confidence", "aum"):
                    both = first.arrays[name][rows], second.arrays[name][others]
                    numbers[f"{name}: {one} and {other}"] = correlate_ranks(*both)
        return numbers

    def draw(self, findings: Mapping[str, Finding]) -> Picture:
        """How alike networks are; a block per network: map and histograms, and the images of each kind."""
        blocks = (make_block(label, finding) for label, finding in findings.items())
        return lay_out([Row(0.1), make_comparison(self.compare(findings)), *blocks])


def _choose_tiles(arrays: Mapping[str, np.ndarray], seen: np.ndarray, num: int) -> tuple[np.ndarray, np.ndarray]:
    """The examples that are shown [T], and their kind [T], its place in `KINDS`."""
    confidence, times = arrays["confidence"][seen], arrays["times"][seen]
    by_times = seen[np.lexsort((confidence, -times))]
    order = seen[np.argsort(confidence, kind="stable")]
    chosen = [order[:num], by_times[: min(num, int((times > 0).sum()))], order[::-1][:num]]
    assert len(chosen) == len(KINDS)
    return np.concatenate(chosen), np.repeat(np.arange(len(chosen)), [len(some) for some in chosen])
