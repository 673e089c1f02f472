"""Which training examples were easy, which were hard, and which were learned and then forgotten?"""

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
    "Probabilities, margins and predictions are those of training itself, on augmented images. The images are chosen "
    "for each network."
)
_DRAW = 2020  # so that the seed does not draw exactly the labels that `data.label_noise` replaces
_AUROC = "Probability that a wrong label ranks above a correct one {}; 0.5 is chance."


class Dynamics(Figure):
    """The training of single examples, as `callback.examples` recorded it, without extra passes.

    The map is that of Swayamdipta et al. 2020 (arXiv 2009.10795), forgetting is counted as in Toneva et al. 2019, and
    the mean margin is the AUM of Pleiss et al. 2020. They evaluate training examples again after each epoch; here the
    values are those of training itself: augmented images, batch by batch.

    If wrong labels are known (`data.label_noise`, pseudo-labels), an AUROC says how well each number finds them.
    Networks are compared on the images that both were trained on, without those whose labels differ.

    Args:
        num_each: images of each kind.
        most_points: examples on the map, drawn by the seed.
        seed: of this draw.

    Raises:
        NetgazeError: a number below 1.
    """

    title = "Training dynamics"
    question = "Which training examples were easy, which were hard, and which were learned and then forgotten?"
    look_for = (
        "Examples at the top left of the map are easy, those at the bottom left are hard, and those at the right are "
        "ambiguous. Look through the hardest images for wrong labels; where wrong labels are known, the AUROC says how "
        "well each number finds them."
    )
    pitfall = (
        "A hard example need not be mislabeled: rare and ambiguous images are hard too. All numbers depend on the "
        "augmentation, the learning rate and the number of epochs, so compare runs only if these are the same."
    )
    needs = ("examples",)
    controls = "none"
    glossary = Glossary(
        {
            "num_examples": Meaning("training examples", "Number of examples seen in at least one epoch."),
            "epochs": Meaning("epochs recorded"),
            "confidence": Meaning(
                "confidence", "Probability of the label, mean over epochs and examples.", "%", "higher"
            ),
            "variability": Meaning(
                "variability",
                "Standard deviation of the label's probability over epochs, 0..0.5, mean over examples.",
            ),
            "never_learned": Meaning(
                "never correct", "Share of examples classified incorrectly in every epoch.", "%", "lower"
            ),
            "forgotten": Meaning(
                "forgotten",
                "Share of examples that were correct in one epoch and incorrect in the next, at least once.",
                "%",
            ),
            "unforgettable": Meaning(
                "never forgotten",
                "Share of examples that were correct from some epoch on until the last.",
                "%",
                "higher",
            ),
            "wrong_labels": Meaning("wrong labels", "Number of training labels known to differ from the true ones."),
            "auroc_aum": Meaning("AUROC by mean margin", _AUROC.format("by low mean margin (AUM)"), "", "higher"),
            "auroc_confidence": Meaning("AUROC by confidence", _AUROC.format("by low confidence"), "", "higher"),
            "auroc_forgetting": Meaning(
                "AUROC by forgetting",
                _AUROC.format("by how often it was forgotten, never correct first"),
                "",
                "higher",
            ),
            "auroc_variability": Meaning("AUROC by variability", _AUROC.format("by high variability"), "", "higher"),
            "auroc_last": Meaning("AUROC by last loss", _AUROC.format("by the loss in the last epoch"), "", "higher"),
            "found": Meaning(
                "wrong labels found",
                "Share of wrong labels among the N examples of lowest mean margin, N being the number of wrong labels. "
                "By chance it equals the share of wrong labels.",
                "%",
                "higher",
            ),
            "common: <one> and <other>": Meaning(
                "common examples, <one> and <other>", "Images that both were trained on with the same label."
            ),
            "confidence: <one> and <other>": Meaning(
                "rank correlation of confidence, <one> and <other>",
                "Spearman correlation over common examples: 1 if both networks have the same order of difficulty, 0 by "
                "chance.",
                "",
            ),
            "aum: <one> and <other>": Meaning(
                "rank correlation of mean margin, <one> and <other>", "The same for the mean margin."
            ),
        }
    )

    def __init__(self, *, num_each: int = 8, most_points: int = 3000, seed: int = 0):
        for name, value in (("num_each", num_each), ("most_points", most_points)):
            if value < 1:
                raise NetgazeError(f"figure.dynamics.{name}={value} must be 1 or more.")
        self.num_each, self.most_points, self.seed = num_each, most_points, seed

    def compute(self, subject: Subject) -> Finding:
        """Of each example [N] its measures, its label, and whether that is wrong; points [P] on the map, tiles [T]."""
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
        """For each pair with common examples: their number, and the rank correlations of the measures."""
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
        """The correlations of networks; a block per network: map and histograms, and the images of each kind."""
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
