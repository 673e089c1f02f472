"""Suspicious labels: training labels that may be wrong."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure as Picture

from netgaze.drawing.examples import to_rgb
from netgaze.drawing.panels import SMALL, WIDTH
from netgaze.drawing.rows import Row, lay_out, make_head, stack
from netgaze.drawing.tiles import Tile, make_tiles
from netgaze.drawing.words import clip_words
from netgaze.errors import NetgazeError
from netgaze.figure import Figure, Finding
from netgaze.glossary import Glossary, Meaning
from netgaze.measures.dynamics import average_epochs, find_other_answers
from netgaze.subject import Subject

_ACROSS = 10
_TILE = (WIDTH - 0.2) / _ACROSS  # inches


class Suspicious(Figure):
    """The training labels with the lowest mean margin (AUM, Pleiss et al. 2020), and the predictions against them.

    A sheet to review by eye: it contains hard images and rare views, not only wrong labels. The table names each
    image's file, if the data has files (`data=folder`), and its index in the training split.

    Args:
        num: labels on the sheet.

    Raises:
        NetgazeError: fewer than one.
    """

    title = "Suspicious labels"
    question = "Which training labels may be wrong, and what does the network predict instead?"
    look_for = (
        "Images that plainly show the predicted class, and duplicates or boundary cases that were labeled two ways. "
        "The table says which files to check."
    )
    pitfall = (
        "Hard is not mislabeled: rare views and small objects have low margins, too. A network that trains long learns "
        "wrong labels by heart and raises their margins, so the sheet does not list them all."
    )
    needs = ("examples",)
    controls = "none"
    glossary = Glossary(
        {
            "num": Meaning("labels on the sheet"),
            "num_examples": Meaning("training labels"),
            "contradicted": Meaning(
                "contradicted", "Share of all training examples predicted as another class in most epochs.", "%"
            ),
            "wrong": Meaning(
                "incorrect labels on the sheet", "Share of the sheet, if the true labels are known.", "%", "higher"
            ),
            "rank": Meaning("rank", "1 is the most suspicious."),
            "file": Meaning("file", "Relative to the folder of the data."),
            "index": Meaning("index", "In the training split, from 0."),
            "label": Meaning("label", "The one that was trained on."),
            "says": Meaning("prediction", "The most frequent one other than the label."),
            "epochs_saying": Meaning("epochs with this prediction"),
            "margin": Meaning("mean margin", "Logit of the label minus the largest other, averaged over epochs (AUM)."),
            "confidence": Meaning("confidence", "Mean probability of the label.", "%"),
            "true": Meaning("true label", "If it is known to differ from the one trained on."),
        }
    )

    def __init__(self, *, num: int = 50):
        if num < 1:
            raise NetgazeError(f"figure.suspicious.num={num} must be 1 or more.")
        self.num = num

    def compute(self, subject: Subject) -> Finding:
        """The labels [n] in order, images [n,H,W,3], predictions and margins; files if the data has any.

        Raises:
            NetgazeError: the network was not trained on the labels of the data.
        """
        record, data = subject.examples, subject.train_data
        if record.names != data.class_names:
            raise NetgazeError(f"{subject.label} was not trained on the labels of its data. Choose a run that was.")
        labels, true = (values("train").numpy() for values in (data.labels, data.true_labels))
        margins = average_epochs(record.margin)
        seen, names = int(np.isfinite(margins).sum()), np.array(data.class_names)
        rows = np.argsort(margins, kind="stable")[: min(self.num, seen)]  # NaN comes last
        others, times = find_other_answers(record.answers[:, rows], labels[rows])
        files, is_known = data.name_images("train", rows.tolist()), bool((labels != true).any())
        arrays = {
            "rows": rows,
            "images": to_rgb(data.images("train", rows)),
            "labels": names[labels[rows]],
            "says": np.where(others < 0, "", names[others]),
            "times": times,
            "margins": margins[rows],
            "confidence": average_epochs(record.probability[:, rows]),
        }
        arrays |= {"files": np.array(files)} if files is not None else {}
        arrays |= {"true": names[true[rows]]} if is_known else {}
        numbers: dict[str, Any] = {
            "num": len(rows),
            "num_examples": seen,
            "contradicted": float((average_epochs(record.right) < 0.5).sum() / seen),
        }
        numbers |= {"wrong": float((labels != true)[rows].mean())} if is_known else {}
        return Finding(numbers, arrays, _write_caption(record.num_epochs, is_known))

    def table(self, finding: Finding) -> list[dict[str, Any]]:
        """A row per label, the most suspicious first."""
        arrays, rows = finding.arrays, list[dict[str, Any]]()
        for place, index in enumerate(arrays["rows"]):
            row: dict[str, Any] = {"rank": place + 1} | (
                {"file": str(arrays["files"][place])} if "files" in arrays else {}
            )
            row |= {"index": int(index), "label": str(arrays["labels"][place]), "says": str(arrays["says"][place])}
            row |= {"epochs_saying": int(arrays["times"][place])}
            row |= {"margin": float(arrays["margins"][place]), "confidence": float(arrays["confidence"][place])}
            rows.append(row | ({"true": str(arrays["true"][place])} if "true" in arrays else {}))
        return rows

    def draw(self, findings: Mapping[str, Finding]) -> Picture:
        """A sheet per network, in the order of suspicion."""
        return lay_out([Row(0.1), *(_make_sheet(label, finding) for label, finding in findings.items())])


def _make_sheet(label: str, finding: Finding) -> Row:
    numbers = finding.numbers
    words = f"the {numbers['num']} most suspicious of {numbers['num_examples']:,} labels"
    words += f"; {numbers['wrong']:.0%} of them are known to be incorrect" if "wrong" in numbers else ""
    tiles = [_make_tile(finding, place) for place in range(numbers["num"])]
    return stack([make_head(label, words, 0.3), make_tiles(tiles, 0.1, _TILE, gap=0.08, across=_ACROSS), Row(0.1)])


def _make_tile(finding: Finding, place: int) -> Tile:
    """An image with its rank, its label, the prediction against it, and the true label if known to differ."""
    arrays = finding.arrays
    label, says = str(arrays["labels"][place]), str(arrays["says"][place])
    lines = [f"{place + 1}: {label}", f"predicted {says}" if says else "undisputed"]
    right = None
    if "true" in arrays:
        right = bool(arrays["true"][place] == arrays["labels"][place])
        lines += [] if right else [f"is {arrays['true'][place]}"]
    words = [clip_words(line, _TILE - 0.08, SMALL, 2) for line in lines]
    return Tile(arrays["images"][place], "\n".join(words), right)


def _write_caption(num_epochs: int, is_known: bool) -> str:
    known = " Cross: the label is known to be incorrect; blue frame: it is correct." if is_known else ""
    return (
        f"Labels with the lowest mean margin over {num_epochs} epochs of training: rank and label, then the most "
        "frequent other prediction. Not all of them are wrong: hard images have low margins, too." + known
    )
