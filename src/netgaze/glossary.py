"""Numbers in a reader's words: what each means, its unit, which direction is better, and its uncertainty."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from netgaze.measures.uncertainty import find_wilson_interval
from netgaze.text import format_value

_PLACE = re.compile(r"<(\w+)>")
_SPLITS = {"train": "training", "val": "validation"}  # in words


@dataclass(frozen=True)
class Meaning:
    """What a number says. Files keep its name; people read `words`.

    Attributes:
        words: what a reader sees in the name's place.
        says: a line on how it is measured and how to read it.
        unit: what follows its values; "%" for a share, which is kept as 0..1 and shown as percent.
        better: whether "higher" or "lower" is better; empty where neither is.
        count: of a share of independent examples, the number beside it that says how many there are: it then has an
            interval.
    """

    words: str
    says: str = ""
    unit: str = ""
    better: Literal["higher", "lower", ""] = ""
    count: str = ""

    @property
    def title(self) -> str:
        """The words, with an arrow to where it is better."""
        return self.words + {"higher": "\u00a0↑", "lower": "\u00a0↓", "": ""}[self.better]

    @property
    def hint(self) -> str:
        """The line, and which direction is better."""
        better = f"{self.better.capitalize()} is better." if self.better else ""
        return " ".join(filter(None, [self.says, better]))


class Glossary(dict[str, Meaning]):
    """Meanings by name; `<layer>` in a name stands for any words, which then stand in the meaning's words too."""


_OF_TEST, _OF_VAL = "test/examples", "val/examples"
_KNN = "Accuracy of a weighted vote of the {} nearest training images in the features before the classifier."
_SPREAD = "Of the directions: 0 where all are the same (collapse), at most 1."
_PROBE = "Accuracy of a ridge classifier, fitted in closed form to the features and {}."
# Of a run, in the order of tables.
RUN_NUMBERS = Glossary(
    {
        "train/acc": Meaning(
            "training accuracy",
            "Share of training examples classified correctly during training: the mean over the epoch, of augmented "
            "images. It has no interval, as these are all examples and not a sample.",
            "%",
            "higher",
        ),
        "val/acc": Meaning(
            "validation accuracy (best epoch)",
            "Share of validation examples classified correctly at the epoch that was kept. It chose that epoch, so it "
            "is slightly too high.",
            "%",
            "higher",
            _OF_VAL,
        ),
        "last/val_acc": Meaning(
            "validation accuracy (last epoch)",
            "Share of validation examples classified correctly after the last epoch, whose weights are not tested.",
            "%",
            "higher",
            _OF_VAL,
        ),
        "test/acc": Meaning(
            "test accuracy",
            "Share of test examples classified correctly by the network of the best epoch, in the run's precision.",
            "%",
            "higher",
            _OF_TEST,
        ),
        "test/acc_views": Meaning(
            "test accuracy, six views",
            "Test accuracy of predictions averaged over six views of each image: the image, two shifts by a pixel, and "
            "the mirror images of these three.",
            "%",
            "higher",
            _OF_TEST,
        ),
        "test/acc_macro": Meaning(
            "test accuracy, class mean",
            "Mean over the classes of the share of their test examples classified correctly: small classes count as "
            "much as large ones.",
            "%",
            "higher",
            "test/examples_macro",
        ),
        "test/top5": Meaning(
            "test top-5 accuracy",
            "Share of test examples whose class is among the five most likely.",
            "%",
            "higher",
            _OF_TEST,
        ),
        "val/auc": Meaning(
            "validation AUC", "Area under the ROC curve of validation pairs; 0.5 is chance.", "", "higher"
        ),
        "test/eer": Meaning(
            "test equal error rate (EER)",
            "Error rate at the threshold where false accepts and false rejects are equally frequent.",
            "%",
            "lower",
        ),
        "test/auc": Meaning("test AUC", "Area under the ROC curve of test pairs; 0.5 is chance.", "", "higher"),
        "test/knn20": Meaning("20-neighbor accuracy", _KNN.format(20), "%", "higher", "test/images"),
        "test/knn200": Meaning("200-neighbor accuracy", _KNN.format(200), "%", "higher", "test/images"),
        "test/probe": Meaning(
            "linear-probe accuracy", _PROBE.format("all training labels"), "%", "higher", "test/images"
        ),
        **{
            f"test/probe_{num}": Meaning(
                f"linear-probe accuracy, {num} {'label' if num == 1 else 'labels'} per class",
                _PROBE.format(f"{num} {'label' if num == 1 else 'labels'} per class") + " Mean over draws of labels.",
                "%",
                "higher",
            )
            for num in (1, 10, 100)
        },
        "test/rank": Meaning(
            "effective rank",
            "exp of the entropy of the centered features' singular values: along how many directions images differ. "
            "Comparable only for the same number of images, 2,000 unless stated.",
            "",
            "higher",
        ),
        "teacher/acc": Meaning(
            "teacher's test accuracy", "Test accuracy of an earlier stage.", "%", "higher", _OF_TEST
        ),
        "student/acc": Meaning(
            "student's test accuracy", "Test accuracy of an earlier stage.", "%", "higher", _OF_TEST
        ),
        "unlabeled/right": Meaning(
            "correct pseudo-labels", "Share of the pseudo-labels that equal the true labels.", "%", "higher"
        ),
        "best/epoch": Meaning(
            "best epoch", "The epoch that was kept, chosen on the validation split, never on the test split."
        ),
        "seconds": Meaning("time", "Duration of the run with all its stages.", "s", "lower"),
    }
)
# Further ones, as they stand at a run's end and among its curves.
NUMBERS = Glossary(
    RUN_NUMBERS
    | {
        "val/acc_macro": replace(
            RUN_NUMBERS["test/acc_macro"], words="validation accuracy, class mean", count="val/examples_macro"
        ),
        "val/best_acc": Meaning("best validation accuracy so far", "Mean over the heads of a probe.", "%", "higher"),
        "<split>/top5": replace(RUN_NUMBERS["test/top5"], words="<split> top-5 accuracy", count=""),
        "<split>/knn<k>": Meaning("<split> <k>-neighbor accuracy", _KNN.format("k"), "%", "higher", "<split>/examples"),
        "<split>/loss": Meaning("<split> loss", "Mean loss per example; cross-entropies are in nats.", "", "lower"),
        "<split>/probe": Meaning("<split> linear-probe accuracy", _PROBE.format("training labels"), "%", "higher"),
        "<split>/rank": replace(RUN_NUMBERS["test/rank"], words="<split> effective rank"),
        "<split>/rankme": Meaning(
            "<split> RankMe", "Effective rank of the features without subtracting their mean.", "", "higher"
        ),
        "<split>/feature_std": Meaning("<split> spread of features", _SPREAD, "", "higher"),
        "<split>/embedding_std": Meaning("<split> spread of projections", _SPREAD, "", "higher"),
        "<split>/alignment": Meaning(
            "<split> alignment", "Mean squared distance between the feature directions of two views.", "", "lower"
        ),
        "<split>/uniformity": Meaning(
            "<split> uniformity",
            "0 where all features have the same direction, about -4 where their directions are spread evenly.",
            "",
            "lower",
        ),
        "<split>/invariance": Meaning(
            "<split> invariance", "Distance between the projections of two views.", "", "lower"
        ),
        "<split>/variance": Meaning(
            "<split> variance term",
            "0 where each dimension of the projections varies, 0.99 in a collapse.",
            "",
            "lower",
        ),
        "<split>/covariance": Meaning(
            "<split> covariance term", "How redundant the dimensions of the projections are.", "", "lower"
        ),
        "<split>/sigreg": Meaning(
            "<split> SIGReg",
            "About 1 where the projections are normally distributed, large where they collapse.",
            "",
            "lower",
        ),
        "<split>/eer": replace(RUN_NUMBERS["test/eer"], words="<split> equal error rate (EER)"),
        "<split>/acc": Meaning("<split> accuracy", "Share of examples classified correctly.", "%", "higher"),
        "<split>/acc_macro": Meaning("<split> accuracy, class mean", "Mean of the classes' accuracies.", "%", "higher"),
        "lr": Meaning("learning rate", "At the last step of the epoch."),
        "test/images": Meaning("test images", "Number of test images."),
    }
)


def explain(name: str, glossary: Glossary) -> Meaning | None:
    """What a number means, by its name or by the first of the glossary's patterns that fits; None where none does."""
    if name in glossary:
        return glossary[name]
    for pattern, meaning in glossary.items():
        if found := _compile(pattern).fullmatch(name):
            places = found.groupdict()
            words = _fill(meaning.words, {name: _SPLITS.get(value, value) for name, value in places.items()})
            return replace(meaning, words=words, count=_fill(meaning.count, places))
    return None


def explain_all(names: Iterable[str], glossary: Glossary) -> dict[str, dict[str, str]]:
    """The meanings of those names that have one, for JSON."""
    found = {name: explain(name, glossary) for name in names}
    return {name: asdict(meaning) for name, meaning in found.items() if meaning}


def _compile(pattern: str) -> re.Pattern[str]:
    parts = _PLACE.split(pattern)  # words and names of places in turn
    return re.compile("".join(f"(?P<{part}>.+)" if place % 2 else re.escape(part) for place, part in enumerate(parts)))


def _fill(text: str, places: Mapping[str, str]) -> str:
    return _PLACE.sub(lambda found: places.get(found[1], found[0]), text)


def find_interval(numbers: Mapping[str, Any], name: str, meaning: Meaning | None) -> tuple[float, float] | None:
    """The 95% Wilson interval of a share among numbers that also say of how many examples it is, 0..1, or None."""
    value, num = numbers.get(name), numbers.get(meaning.count) if meaning and meaning.count else None
    return find_wilson_interval(value, num) if _is_number(value) and _is_number(num) and num > 0 else None  # type: ignore[arg-type, operator]


def find_margin(numbers: Mapping[str, Any], name: str, meaning: Meaning | None) -> float | None:
    """What stands behind the ±: how far the farther end of the interval is; None without one."""
    ends = find_interval(numbers, name, meaning)
    return None if ends is None else max(abs(end - numbers[name]) for end in ends)


def format_number(value: Any, meaning: Meaning | None = None, margin: float | None = None) -> str:
    """A number as people write it, with its margin: `93.7 ± 1.7%`, `0.0123`, `12,345 nats`; "-" for None.

    Shares are in percent with one decimal, with two only where the margin is smaller than that; other numbers have
    three significant digits; integers are written in full. Other values as they are.
    """
    if value is None:
        return "-"
    if not _is_number(value):
        return {True: "yes", False: "no"}.get(value, str(value)) if isinstance(value, bool) else str(value)
    unit = meaning.unit if meaning else ""
    if unit == "%":
        digits = 2 if margin is not None and 0 < margin < 0.0005 else 1
        shown = [f"{100 * part:z.{digits}f}" for part in (value, margin) if part is not None]
    else:
        shown = [_format_plain(part) for part in (value, margin) if part is not None]
    return " ± ".join(shown) + (unit if unit in ("", "%") else f" {unit}")


def format_named(numbers: Mapping[str, Any], name: str, glossary: Glossary) -> str:
    """The number of that name as a reader wants it, with the margin that the numbers beside it give."""
    meaning = explain(name, glossary)
    return format_number(numbers.get(name), meaning, find_margin(numbers, name, meaning))


def _format_plain(value: float) -> str:
    if isinstance(value, int) or abs(value) >= 999.5:
        return f"{value:,.0f}"
    return format_value(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
