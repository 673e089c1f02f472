"""Which training labels may be wrong?"""

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
    """The training labels of lowest mean margin (AUM, Pleiss et al. 2020), with what was answered instead.

    It is a sheet for a person to go through: hard images and rare views are among them, not wrong labels alone. The
    table names each image's file where the data has files (`data=folder`), and its place in the training split.

    Args:
        num: labels.

    Raises:
        NetgazeError: fewer than one.
    """

    title = "Suspicious labels"
    question = "Which training labels may be wrong, and what does the network say instead?"
    needs = ("examples",)
    controls = "none"
    glossary = Glossary(
        {
            "num": Meaning("labels on the sheet"),
            "num_examples": Meaning("training labels"),
            "contradicted": Meaning(
                "contradicted", "Share of all training examples of which most epochs answered another class.", "%"
            ),
            "wrong": Meaning(
                "wrong on the sheet", "Where the true labels are known: share of the sheet.", "%", "higher"
            ),
            "rank": Meaning("rank", "From the most suspicious on."),
            "file": Meaning("file", "Below the folder of the data."),
            "index": Meaning("place", "In the training split, from 0."),
            "label": Meaning("label", "As it was trained on."),
            "says": Meaning("the network says", "The most frequent answer besides the label."),
            "epochs_saying": Meaning("epochs that said so"),
            "margin": Meaning("mean margin", "Logit of the label less the largest other, the mean over epochs (AUM)."),
            "confidence": Meaning("confidence", "Mean probability of the label.", "%"),
            "true": Meaning("true label", "Where it is known to be another than was trained on."),
        }
    )

    def __init__(self, *, num: int = 50):
        if num < 1:
            raise NetgazeError(f"figure.suspicious.num={num} must be 1 or more.")
        self.num = num

    def compute(self, subject: Subject) -> Finding:
        """The labels [n] in order, images [n,H,W,3], answers and margins; files where the data has some.

        Raises:
            NetgazeError: the network learned no labels of the data.
        """
        record, data = subject.examples, subject.train_data
        if record.names != data.class_names:
            raise NetgazeError(f"{subject.label} learned no labels of its data: there are none to suspect.")
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
    words += f"; {numbers['wrong']:.0%} of them are known to be wrong" if "wrong" in numbers else ""
    tiles = [_make_tile(finding, place) for place in range(numbers["num"])]
    return stack([make_head(label, words, 0.3), make_tiles(tiles, 0.1, _TILE, gap=0.08, across=_ACROSS), Row(0.1)])


def _make_tile(finding: Finding, place: int) -> Tile:
    """An image with its rank, its label, what was answered instead, and how often."""
    arrays = finding.arrays
    label, says = str(arrays["labels"][place]), str(arrays["says"][place])
    lines = [f"{place + 1}: {label}", f"says {says}" if says else "says so too"]
    right = None
    if "true" in arrays:
        right = bool(arrays["true"][place] == arrays["labels"][place])
        lines += [] if right else [f"was {arrays['true'][place]}"]
    words = [clip_words(line, _TILE - 0.08, SMALL, 2) for line in lines]
    return Tile(arrays["images"][place], "\n".join(words), right)


def _write_caption(num_epochs: int, is_known: bool) -> str:
    known = " Crossed: the label is known to be wrong; blue: it is the true one." if is_known else ""
    return (
        f"By the lowest mean margin over {num_epochs} epochs of training. Above: rank and label; below it the most "
        "frequent other answer. Not every one is wrong: hard images are suspicious too." + known
    )
