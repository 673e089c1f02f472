"""What does the network take for what, and does it know when it is wrong?"""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from matplotlib import colormaps
from matplotlib.figure import Figure as Picture

from netgaze.drawing import panels
from netgaze.drawing.panels import MOST_NAMES, NAMES, SEQUENTIAL, SMALL, TEXT, WRONG, Sheet
from netgaze.drawing.rows import Columns, Row, align, lay_out, make_bands
from netgaze.drawing.words import measure_cell, shorten
from netgaze.figure import Figure, Finding
from netgaze.glossary import Glossary, Meaning, format_named
from netgaze.measures.confusion import PairCounts
from netgaze.measures.metrics import calibration_error, classification_metrics
from netgaze.measures.uncertainty import count_effective
from netgaze.subject import Subject
from netgaze.text import format_percent

_BINS = 15
_MOST_COUNTS = 12
_MATRIX = 2.4  # inches
_NUM_PAIRS, _NUM_ENDS = 3, 2  # above the matrix: pairs, and the best and the worst of many classes


class Confusion(Figure):
    """The confusion matrix, the accuracy per class, and how far the network's confidence can be trusted.

    Of more than 28 classes the picture shows those of the most frequent confusions; numbers and table are of all.
    """

    title = "Confusion"
    question = "Which classes does the network take for which, and is its confidence justified?"
    needs = ("classes", "data")
    controls = "numbers"  # an untrained network gives nearly all images one answer: a stripe
    glossary = Glossary(
        {
            "acc": Meaning("accuracy", "Share of all examples classified correctly.", "%", "higher", "num_images"),
            "acc_macro": Meaning(
                "accuracy, class mean", "Mean over the classes of their accuracies.", "%", "higher", "num_images_macro"
            ),
            "top5": Meaning(
                "top-5", "Share of all examples whose class is among the five likeliest.", "%", "higher", "num_images"
            ),
            "ece": Meaning(
                "calibration error",
                "Mean distance between confidence and accuracy over 15 bins (Guo et al. 2017): 0 where the network "
                "is right as often as it is sure.",
                "%",
                "lower",
            ),
            "<class> as <other>": Meaning(
                "<class> as <other>",
                "Share of the first class's examples taken for the second: the five largest.",
                "%",
                "lower",
            ),
            "num_images": Meaning("images", "Of how many the accuracies are."),
            "num_images_macro": Meaning("images (class mean)", "The class mean is as sure as the accuracy on so many."),
            "per_class_acc": Meaning("accuracy of each class", "", "%", "higher"),
            "class": Meaning("class"),
            "examples": Meaning("examples"),
            "accuracy": Meaning(
                "accuracy", "Share of the class's examples classified correctly.", "%", "higher", "examples"
            ),
        }
    )

    def compute(self, subject: Subject) -> Finding:
        """Pairs of truth and answer [P,2] and how often each occurs [P]; accuracy and confidence [15] by confidence.

        Of the classes shown [k] also the counts [k,k] (row: the truth, column: the answer).
        """
        outputs, names = subject.outputs(subject.split), np.array(subject.task.class_names)
        logits, targets = torch.from_numpy(outputs.logits), torch.from_numpy(outputs.targets)
        probabilities = torch.from_numpy(outputs.probabilities)
        numbers = classification_metrics(logits, targets) | {"ece": calibration_error(probabilities, targets, _BINS)}
        found = PairCounts.of(outputs.targets, outputs.logits.argmax(axis=1), len(names))
        shown = _choose_classes(found)
        arrays = {
            "names": names,
            "examples": found.examples,
            "pairs": np.stack([found.true, found.answer], axis=1),
            "pair_counts": found.counts,
            "shown": shown,
            "counts": found.to_matrix(shown),
            "worst": found.rank_errors(),
        }
        arrays |= bin_reliability(outputs.probabilities, outputs.targets)
        each = {
            str(name): float(share) if share >= 0 else None for name, share in zip(names, found.recalls, strict=True)
        }
        numbers |= {f"{name} as {answer}": share for name, answer, share in _list_most_confused(arrays, 5)}
        numbers |= _count_images(outputs.index, found.examples)
        return Finding(numbers | {"per_class_acc": each}, arrays, _write_caption(subject.split, len(shown), len(names)))

    def table(self, finding: Finding) -> list[dict[str, Any]]:
        """A row per class: how many examples it has, and the share of these that are right, 0..1."""
        arrays, each = finding.arrays, finding.numbers["per_class_acc"]
        return [
            {"class": str(name), "examples": int(num), "accuracy": each[str(name)]}
            for name, num in zip(arrays["names"], arrays["examples"], strict=True)
        ]

    def draw(self, findings: Mapping[str, Finding]) -> Picture:
        """A block per network, two in a row: matrix, accuracy per class, and reliability below."""
        return lay_out([make_bands(findings, _make_rows, least=2, most=2)])


def bin_reliability(probabilities: np.ndarray, targets: np.ndarray) -> dict[str, np.ndarray]:
    """Examples in 15 equal bins of confidence: `bin_share`, `bin_accuracy`, `bin_confidence`, [15]; NaN if empty."""
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == targets
    place = np.clip(np.ceil(confidence * _BINS).astype(int) - 1, 0, _BINS - 1)
    num = np.bincount(place, minlength=_BINS)
    filled = np.where(num > 0, num, np.nan)
    return {
        "bin_share": num / len(targets),
        "bin_accuracy": np.bincount(place, weights=right, minlength=_BINS) / filled,
        "bin_confidence": np.bincount(place, weights=confidence, minlength=_BINS) / filled,
    }


def _count_images(index: np.ndarray, examples: np.ndarray) -> dict[str, float]:
    """Of how many images accuracies are, and on how many the mean over classes is as sure; turns are not counted."""
    num = len(np.unique(index))
    return {"num_images": num, "num_images_macro": round(count_effective(examples.tolist()) * num / len(index), 1)}


def _choose_classes(found: PairCounts) -> np.ndarray:
    """The classes that are shown, in order: all, or of too many those of the most frequent confusions."""
    if found.num_classes <= MOST_NAMES:
        return np.arange(found.num_classes)
    worst = found.rank_errors()[:MOST_NAMES]  # each brings one class or two
    both = np.stack([found.true[worst], found.answer[worst]], axis=1).ravel()
    named = dict.fromkeys([*both.tolist(), *range(MOST_NAMES)])  # the first ones, where there are few errors
    return np.sort(list(named)[:MOST_NAMES])


def _write_caption(split: str, num_shown: int, num_classes: int) -> str:
    caption = (
        f"Rows are normalized: of the {split} examples of a class, the share given each answer. "
        "The bars are the diagonal, in the matrix's colors."
    )
    if num_shown < num_classes:
        caption += f" Of {num_classes:,} classes each network shows the {num_shown} that it confuses most."
    return caption


def _normalize(finding: Finding) -> np.ndarray:
    """The counts of the classes shown as shares of each one's examples, [k,k]."""
    arrays = finding.arrays
    return arrays["counts"] / np.maximum(arrays["examples"][arrays["shown"], None], 1)


def _list_most_confused(arrays: Mapping[str, np.ndarray], num: int) -> list[tuple[str, str, float]]:
    """Class, answer, and the share of the class's examples, the largest first."""
    worst = arrays["worst"][:num]
    names, shares = arrays["names"][arrays["pairs"][worst]], _share_pairs(arrays)[worst]
    return [(str(name), str(answer), float(share)) for (name, answer), share in zip(names, shares, strict=True)]


def _share_pairs(arrays: Mapping[str, np.ndarray]) -> np.ndarray:
    """The share of its class's examples that each pair makes up, [P]."""
    return arrays["pair_counts"] / arrays["examples"][arrays["pairs"][:, 0]]


def _describe(finding: Finding, width: float) -> str:
    numbers, arrays = finding.numbers, finding.arrays
    shown = {name: format_named(numbers, name, Confusion.glossary) for name in ("acc", "acc_macro", "top5", "ece")}
    top5 = f"top-5 {shown['top5']}, " if "top5" in numbers else ""
    lines = [f"accuracy {shown['acc']}, macro {shown['acc_macro']}", f"{top5}calibration error {shown['ece']}"]
    shares = _share_pairs(arrays)[arrays["worst"]]
    lines += [_describe_pair(*pair, width) for pair in _list_most_confused(arrays, _NUM_PAIRS)]
    lines += _count_alike(shares.tolist(), _NUM_PAIRS)
    known = [(share, name) for name, share in numbers["per_class_acc"].items() if share is not None]
    if len(arrays["names"]) > MOST_NAMES:
        lines += [_describe_ends("best", sorted(known, key=lambda pair: -pair[0]), width)]
        lines += [_describe_ends("worst", sorted(known, key=lambda pair: pair[0]), width)]
        lines += [f"drawn: {len(arrays['shown'])} of {len(arrays['names']):,} classes, those confused most"]
    return "\n".join(lines)


def _count_alike(shares: list[float], num: int) -> list[str]:
    """How many more are as the last one of the first `num`: these alone would look like a rank."""
    alike = shares[num:].count(shares[num - 1]) if len(shares) > num else 0
    return [f"and {alike:,} more at {format_percent(shares[num - 1])}"] if alike else []


def _describe_pair(name: str, answer: str, share: float, width: float) -> str:
    """A confusion on one line; where there is no room for all of it both names are shortened."""
    line, room = f"{format_percent(share)} of {name} as {answer}", (width - 13 * measure_cell(TEXT)) / 2
    if shorten(line, width, TEXT) == line:
        return line
    return f"{format_percent(share)} of {shorten(name, room, TEXT)} as {shorten(answer, room, TEXT)}"


def _describe_ends(kind: str, classes: Sequence[tuple[float, str]], width: float) -> str:
    """The first of classes in order, each with its accuracy, on one line."""
    alike = _count_alike([share for share, _ in classes], _NUM_ENDS)
    room = (width - 40 * measure_cell(TEXT)) / _NUM_ENDS
    named = [f"{shorten(name, room, TEXT)} {format_percent(share)}" for share, name in classes[:_NUM_ENDS]]
    return f"{kind}: " + ", ".join([*named, *alike])


def _make_rows(findings: Mapping[str, Finding], columns: Columns) -> list[Row]:
    each = list(zip(columns.lefts, findings.values(), strict=True))
    matrices = [
        Row(_MATRIX + panels.measure_names(_name_shown(finding)), partial(_draw_matrix, finding=finding, x=x + NAMES))
        for x, finding in each
    ]
    reliability = [Row(1.5, partial(_draw_reliability, finding=finding, x=x + NAMES)) for x, finding in each]
    captions = columns.captions((_describe(finding, columns.width) for finding in findings.values()), below=0.35)
    return [columns.titles(findings), captions, align(matrices), Row(0.25), align(reliability)]


def _name_shown(finding: Finding) -> np.ndarray:
    return finding.arrays["names"][finding.arrays["shown"]]


def _draw_matrix(sheet: Sheet, y: float, finding: Finding, x: float) -> None:
    """The matrix, a class per row, and right of it each one's accuracy."""
    counts, shares, names = finding.arrays["counts"], _normalize(finding), _name_shown(finding)
    title = "class (row) taken for (column)"
    matrix = sheet.matrix(x, y, _MATRIX, shares, names, SEQUENTIAL, 0.0, title)
    if len(counts) <= _MOST_COUNTS:
        size = min(SMALL, 72 * _MATRIX / len(counts) / (0.7 * len(str(counts.max()))))
        for (row, col), count in np.ndenumerate(counts):
            color = "black" if shares[row, col] > 0.6 else "white"
            matrix.text(col, row, str(count), ha="center", va="center", fontsize=size, color=color)
    accuracy, mean = shares.diagonal(), finding.numbers["acc_macro"]
    words: Any = {"title": "class accuracy", "xlabel": f"dashed: mean {mean:.3f}"}
    limits: Any = {"xlim": (0, 1), "ylim": matrix.get_ylim(), "xticks": [0, 0.5, 1], "yticks": []}
    bars = sheet.axes(x + _MATRIX + 0.1, y, 0.9, _MATRIX, **words, **limits)
    bars.barh(np.arange(len(accuracy)), accuracy, height=0.8, color=colormaps[SEQUENTIAL](accuracy))
    bars.axvline(mean, color=WRONG, linestyle="--", linewidth=1)


def _draw_reliability(sheet: Sheet, y: float, finding: Finding, x: float) -> None:
    """The accuracy of the answers of each confidence, and how many these are."""
    limits: Any = {"xlabel": "confidence", "xlim": (0, 1), "xticks": [0, 0.5, 1]}
    axes = sheet.axes(x, y, 1.3, 1.0, ylabel="accuracy", ylim=(0, 1), yticks=[0, 0.5, 1], **limits)
    shares = sheet.axes(x + 1.9, y, 1.3, 1.0, ylabel="share of examples", **limits)
    centers = (np.arange(_BINS) + 0.5) / _BINS
    style: Any = {"width": 1 / _BINS, "edgecolor": "white"}
    axes.bar(centers, np.nan_to_num(finding.arrays["bin_accuracy"]), color=panels.RIGHT, **style)
    axes.plot([0, 1], [0, 1], color=WRONG, linestyle="--", linewidth=1)
    shares.bar(centers, finding.arrays["bin_share"], color=panels.GRAY, **style)
