"""Which classes does the network confuse, and is its confidence justified?"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure as Picture

from netgaze.drawing.panels import MOST_NAMES
from netgaze.figure import Figure, Finding
from netgaze.figures.confusion.page import draw_page
from netgaze.figures.confusion.trust import TRUST, looks_learned, measure_trust
from netgaze.figures.confusion.words import list_most_confused
from netgaze.glossary import Glossary, Meaning
from netgaze.measures.confusion import PairCounts
from netgaze.measures.metrics import classification_metrics
from netgaze.measures.uncertainty import count_effective
from netgaze.passes import Outputs
from netgaze.subject import Subject

_LEARNED = (
    " Validation accuracy is {:.1f}%, far above the accuracy here, as if the network had learned from validation "
    "images: then the temperature is too low."
)


class Confusion(Figure):
    """The confusion matrix, the accuracy per class, and how far the network's confidence can be trusted.

    Of more than 28 classes the picture shows those confused most; numbers and table are of all.
    """

    title = "Confusion matrix and calibration"
    question = "Which classes does the network confuse, and is its confidence justified?"
    look_for = (
        "Look for bright cells off the diagonal, and whether they are bright on its other side too. In the reliability "
        "diagram, bars below the dashed line mean that the network is too confident; in the risk curve, a line close "
        "to the dotted one means that confidence ranks the errors well."
    )
    pitfall = (
        "Rows are normalized, so a class of few examples looks as important as a large one, and a single error may "
        "color its row: read the counts. The calibration error depends on the bins and says nothing about accuracy; "
        "bins of few examples are noise. A temperature chosen on images from which the network learned is too low."
    )
    needs = ("classes", "data")
    controls = "numbers"  # an untrained network predicts one class for nearly all images: a stripe
    glossary = Glossary(
        TRUST
        | {
            "acc": Meaning("accuracy", "Share of all examples classified correctly.", "%", "higher", "num_images"),
            "acc_macro": Meaning(
                "accuracy, class mean", "Mean of the classes' accuracies.", "%", "higher", "num_images_macro"
            ),
            "top5": Meaning(
                "top-5 accuracy",
                "Share of all examples whose class is among the five most likely.",
                "%",
                "higher",
                "num_images",
            ),
            "<class> as <other>": Meaning(
                "<class> as <other>",
                "Share of the first class's examples mistaken for the second; the five largest.",
                "%",
                "lower",
            ),
            "num_images": Meaning("images", "Number of images behind the accuracies."),
            "num_images_macro": Meaning(
                "effective images, class mean", "The class mean is as certain as the accuracy on this number of images."
            ),
            "per_class_acc": Meaning("accuracy per class", "", "%", "higher"),
            "class": Meaning("class"),
            "examples": Meaning("examples"),
            "accuracy": Meaning(
                "accuracy", "Share of the class's examples classified correctly.", "%", "higher", "examples"
            ),
        }
    )

    def compute(self, subject: Subject) -> Finding:
        """Pairs of true and predicted class [P,2] and how often each occurs [P]; what `measure_trust` gives.

        Of the classes shown [k] also the counts [k,k] (row: true class, column: predicted class).
        """
        outputs, names = subject.outputs(subject.split), np.array(subject.task.class_names)
        numbers = classification_metrics(torch.from_numpy(outputs.logits), torch.from_numpy(outputs.targets))
        chosen_on = _find_others(subject)
        trust, curves = measure_trust(outputs, chosen_on)
        numbers |= trust
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
        each = {
            str(name): float(share) if share >= 0 else None for name, share in zip(names, found.recalls, strict=True)
        }
        numbers |= {f"{name} as {answer}": share for name, answer, share in list_most_confused(arrays, 5)}
        numbers |= _count_images(outputs.index, found.examples)
        caption = _write_caption(subject.split, len(shown), len(names)) + _explain_plots(chosen_on is not None)
        if chosen_on is not None and looks_learned(chosen_on, outputs):
            caption += _LEARNED.format(100 * numbers["acc_val"])
        return Finding(numbers | {"per_class_acc": each}, arrays | curves, caption)

    def table(self, finding: Finding) -> list[dict[str, Any]]:
        """One row per class: its number of examples, and its accuracy, 0..1."""
        arrays, each = finding.arrays, finding.numbers["per_class_acc"]
        return [
            {"class": str(name), "examples": int(num), "accuracy": each[str(name)]}
            for name, num in zip(arrays["names"], arrays["examples"], strict=True)
        ]

    def draw(self, findings: Mapping[str, Finding]) -> Picture:
        """A block per network, two in a row: matrix and accuracy per class; below, reliability and risk curve."""
        return draw_page(findings, self.glossary)


def _count_images(index: np.ndarray, examples: np.ndarray) -> dict[str, float]:
    """The number of images, and the effective number behind the class mean; turns are not counted."""
    num = len(np.unique(index))
    return {"num_images": num, "num_images_macro": round(count_effective(examples.tolist()) * num / len(index), 1)}


def _find_others(subject: Subject) -> Outputs | None:
    """Outputs on validation, on which a temperature is chosen; None if that is the split measured, or is empty."""
    if subject.split == "val" or not len(subject.data.labels("val")):
        return None
    return subject.outputs("val")


def _choose_classes(found: PairCounts) -> np.ndarray:
    """The classes that are shown, in order: all, or of too many those confused most."""
    if found.num_classes <= MOST_NAMES:
        return np.arange(found.num_classes)
    worst = found.rank_errors()[:MOST_NAMES]  # each brings one class or two
    both = np.stack([found.true[worst], found.answer[worst]], axis=1).ravel()
    named = dict.fromkeys([*both.tolist(), *range(MOST_NAMES)])  # the first ones, where there are few errors
    return np.sort(list(named)[:MOST_NAMES])


def _write_caption(split: str, num_shown: int, num_classes: int) -> str:
    caption = (
        f"Rows are normalized: the share of a class's {split} examples predicted as each class. The bars are the "
        "diagonal, in the matrix's colors."
    )
    if num_shown < num_classes:
        caption += f" Of {num_classes:,} classes, the {num_shown} that each network confuses most are shown."
    return caption


def _explain_plots(is_scaled: bool) -> str:
    line = "; the line is at the temperature chosen on validation. "
    none = ". No temperature is chosen, as there are no other examples to choose it on. "
    return (
        f" Below: accuracy by confidence, and the number of examples{line if is_scaled else none}"
        "Beside it the risk curve: the error rate among the most confident predictions (solid), if confidence said "
        "nothing (dashed), and if the errors were the least confident predictions (dotted)."
    )
