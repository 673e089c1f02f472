"""What does the network take for what, and does it know when it is wrong?"""

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
import torch
from matplotlib import colormaps
from matplotlib.figure import Figure as Picture

from netgaze.drawing.panels import (
    GRAY,
    MOST_NAMES,
    NAMES,
    RIGHT,
    SEQUENTIAL,
    SMALL,
    TEXT,
    WRONG,
    Sheet,
    fill_rows,
    measure_names,
)
from netgaze.drawing.rows import Columns, Row, align, lay_out, stack
from netgaze.drawing.words import measure_cell, shorten
from netgaze.figure import Figure, Finding
from netgaze.glossary import Glossary, Meaning
from netgaze.measures.confusion import PairCounts
from netgaze.measures.metrics import calibration_error, classification_metrics
from netgaze.measures.uncertainty import count_effective
from netgaze.subject import Subject

_BINS = 15
_MOST_COUNTS = 12
_MATRIX = 2.4  # inches
_MOST_CLASSES = 288  # that are drawn: each then has a pixel of the matrix's own
_NUM_NAMED = 3  # the best and the worst of many classes


class Confusion(Figure):
    """The confusion matrix, the accuracy per class, and how far the network's confidence can be trusted.

    Of more than 288 classes the picture shows 28, those of the most frequent confusions; numbers and table are of all.

    """

    title = "Confusion"
    question = "Which classes does the network take for which, and is its confidence justified?"
    needs = ("classes", "data")
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
            "num_images_macro": Meaning(
                "images, as the class mean counts them", "The class mean is as sure as the accuracy on so many."
            ),
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
            "worst": _find_most_confused(found),
        }
        arrays |= bin_reliability(outputs.probabilities, outputs.targets)
        each = {str(name): _read_share(share) for name, share in zip(names, found.recalls, strict=True)}
        numbers |= _name_most_confused(arrays) | _count_images(outputs.index, found.examples)
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
        across = fill_rows(len(findings), 2)[1]
        labels = list(findings)
        return lay_out(
            _make_block({label: findings[label] for label in labels[start : start + across]}, across)
            for start in range(0, len(labels), across)
        )


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
    if found.num_classes <= _MOST_CLASSES:
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


def _read_share(share: float) -> float | None:
    return None if np.isnan(share) else float(share)


def _find_most_confused(found: PairCounts) -> np.ndarray:
    """The places of the five wrong pairs with the largest shares."""
    wrong = np.flatnonzero(found.true != found.answer)
    return wrong[np.argsort(-found.shares[wrong], kind="stable")[:5]]


def _list_most_confused(arrays: Mapping[str, np.ndarray]) -> list[tuple[str, str, float]]:
    """Class, answer, and the share of the class's examples, the largest first."""
    pairs, shares = arrays["pairs"], arrays["pair_counts"] / arrays["examples"][arrays["pairs"][:, 0]]
    names = arrays["names"][pairs]
    return [(str(names[place, 0]), str(names[place, 1]), float(shares[place])) for place in arrays["worst"]]


def _name_most_confused(arrays: Mapping[str, np.ndarray]) -> dict[str, float]:
    return {f"{name} as {answer}": share for name, answer, share in _list_most_confused(arrays)}


def _describe(finding: Finding, width: float) -> str:
    numbers = finding.numbers
    top5 = f"top-5 {numbers['top5']:.3f}, " if "top5" in numbers else ""
    lines = [f"accuracy {numbers['acc']:.3f}, macro {numbers['acc_macro']:.3f}, {top5}ECE {numbers['ece']:.3f}"]
    lines += [_describe_pair(*pair, width) for pair in _list_most_confused(finding.arrays)[:_NUM_NAMED]]
    lines += _name_best_and_worst(numbers["per_class_acc"])
    num_shown, num = len(finding.arrays["shown"]), len(finding.arrays["names"])
    lines += [f"drawn: {num_shown} of {num:,} classes, those confused most"] if num_shown < num else []
    return "\n".join(shorten(line, width, TEXT) for line in lines)


def _describe_pair(name: str, answer: str, share: float, width: float) -> str:
    """A confusion on one line; where there is no room for all of it both names are shortened."""
    line, room = f"{share:.0%} of {name} as {answer}", (width - 12 * measure_cell(TEXT)) / 2
    if shorten(line, width, TEXT) == line:
        return line
    return f"{share:.0%} of {shorten(name, room, TEXT)} as {shorten(answer, room, TEXT)}"


def _name_best_and_worst(accuracies: dict[str, float | None]) -> list[str]:
    """The three best and the three worst classes, where there are too many for the matrix to name them."""
    known = [(share, name) for name, share in accuracies.items() if share is not None]
    if len(accuracies) <= MOST_NAMES or len(known) < 2 * _NUM_NAMED:
        return []
    best = sorted([pair for pair in known if pair[0] > 0], key=lambda pair: -pair[0])
    worst = sorted([pair for pair in known if pair[0] < 1], key=lambda pair: pair[0])
    parts = {kind: part[:_NUM_NAMED] for kind, part in (("best", best), ("worst", worst)) if part}
    return [f"{kind}: " + ", ".join(f"{name} {share:.0%}" for share, name in part) for kind, part in parts.items()]


def _make_block(findings: Mapping[str, Finding], across: int) -> Row:
    """Networks beside one another, of a page that has so many in a row."""
    columns = Columns(across, least=2)
    matrices = []
    for x, finding in zip(columns.lefts, findings.values(), strict=False):
        right, height = x + NAMES + _MATRIX + 0.1, _MATRIX + measure_names(_name_shown(finding))
        matrices += [
            Row(height, partial(_draw_matrix, finding=finding, x=x + NAMES)),
            Row(_MATRIX, partial(_draw_bars, finding=finding, x=right, width=columns.width - NAMES - _MATRIX - 0.15)),
        ]
    reliability = [
        Row(1.5, partial(_draw_reliability, finding=finding, x=x + NAMES))
        for x, finding in zip(columns.lefts, findings.values(), strict=False)
    ]
    captions = columns.captions((_describe(finding, columns.width) for finding in findings.values()), below=0.35)
    return stack([columns.titles(findings), captions, align(matrices), Row(0.25), align(reliability)])


def _name_shown(finding: Finding) -> np.ndarray:
    return finding.arrays["names"][finding.arrays["shown"]]


def _draw_matrix(sheet: Sheet, y: float, finding: Finding, x: float) -> None:
    counts, shares = finding.arrays["counts"], _normalize(finding)
    num = len(counts)
    axes = sheet.matrix(x, y, _MATRIX, shares, _name_shown(finding), SEQUENTIAL, 0.0)
    if num <= _MOST_COUNTS:
        for (row, col), count in np.ndenumerate(counts):
            color = "black" if shares[row, col] > 0.6 else "white"
            room = min(SMALL, 72 * _MATRIX / num / (0.7 * len(str(counts.max()))))
            axes.text(col, row, str(count), ha="center", va="center", fontsize=room, color=color)


def _draw_bars(sheet: Sheet, y: float, finding: Finding, x: float, width: float) -> None:
    accuracy = _normalize(finding).diagonal()
    axes = sheet.axes(x, y, width, _MATRIX)
    axes.barh(np.arange(len(accuracy)), accuracy, height=0.8, color=colormaps[SEQUENTIAL](accuracy))
    axes.axvline(finding.numbers["acc_macro"], color=WRONG, linestyle="--", linewidth=1)
    axes.set(ylim=(len(accuracy) - 0.5, -0.5), xlim=(0, 1), yticks=[], xticks=[0, 0.5, 1])
    axes.set_title("class accuracy", fontsize=SMALL, pad=3)
    axes.set_xlabel("dashed: mean", fontsize=SMALL, labelpad=1)


def _draw_reliability(sheet: Sheet, y: float, finding: Finding, x: float) -> None:
    axes = sheet.axes(x, y, 1.3, 1.0)
    centers = (np.arange(_BINS) + 0.5) / _BINS
    axes.bar(centers, np.nan_to_num(finding.arrays["bin_accuracy"]), width=1 / _BINS, color=RIGHT, edgecolor="white")
    axes.plot([0, 1], [0, 1], color=WRONG, linestyle="--", linewidth=1)
    axes.set(xlim=(0, 1), ylim=(0, 1), xticks=[0, 0.5, 1], yticks=[0, 0.5, 1])
    axes.set_xlabel("confidence", fontsize=SMALL, labelpad=1)
    axes.set_ylabel("accuracy", fontsize=SMALL, labelpad=1)
    shares = sheet.axes(x + 1.9, y, 1.3, 1.0)
    shares.bar(centers, finding.arrays["bin_share"], width=1 / _BINS, color=GRAY, edgecolor="white")
    shares.set(xlim=(0, 1), xticks=[0, 0.5, 1])
    shares.set_xlabel("confidence", fontsize=SMALL, labelpad=1)
    shares.set_ylabel("share of examples", fontsize=SMALL, labelpad=1)
