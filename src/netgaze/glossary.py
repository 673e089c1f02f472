"""Numbers in a reader's words: what each means, its unit, whether more of it is better, and how sure it is."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from netgaze.measures.uncertainty import find_wilson_interval
from netgaze.text import format_value

_PLACE = re.compile(r"<(\w+)>")


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
_KNN = (
    "Accuracy of a weighted vote of the {} nearest training images, by the features of the layer before the classifier."
)
_SPREAD = "Of directions: 0 where all are one (collapse), 1 at most."
_PROBE = "Accuracy of a ridge classifier, fitted in closed form to the features and {}."
# Of a run, in the order of tables.
RUN_NUMBERS = Glossary(
    {
        "train/acc": Meaning(
            "train acc",
            "Share of training examples classified correctly while the network learned: a mean over the epoch, of "
            "augmented images. They are all that there are, no sample: so it has no interval.",
            "%",
            "higher",
        ),
        "val/acc": Meaning(
            "val acc (best epoch)",
            "Share of validation examples classified correctly at the epoch that was kept. It chose that epoch, so it "
            "flatters a little.",
            "%",
            "higher",
            _OF_VAL,
        ),
        "last/val_acc": Meaning(
            "val acc (last epoch)",
            "The same at the end of training, whose weights are not tested.",
            "%",
            "higher",
            _OF_VAL,
        ),
        "test/acc": Meaning(
            "test acc",
            "Share of test examples classified correctly, by the best epoch's network, in the run's precision.",
            "%",
            "higher",
            _OF_TEST,
        ),
        "test/acc_views": Meaning(
            "test acc, six views",
            "The same where the mean over six views of each image answers: itself, shifted by a pixel, and mirrored.",
            "%",
            "higher",
            _OF_TEST,
        ),
        "test/acc_macro": Meaning(
            "test acc, class mean",
            "Mean over the classes of the share of their test examples classified correctly: small classes count as "
            "much as large ones.",
            "%",
            "higher",
            "test/examples_macro",
        ),
        "test/top5": Meaning(
            "test top-5", "Share of test examples whose class is among the five likeliest.", "%", "higher", _OF_TEST
        ),
        "val/auc": Meaning("val AUC", "Area under the ROC curve of validation pairs; 0.5 is chance.", "", "higher"),
        "test/eer": Meaning(
            "test EER",
            "Error at the threshold where false accepts and false rejects are equally frequent.",
            "%",
            "lower",
        ),
        "test/auc": Meaning("test AUC", "Area under the ROC curve of test pairs; 0.5 is chance.", "", "higher"),
        "test/knn20": Meaning("test kNN-20", _KNN.format(20), "%", "higher", "test/images"),
        "test/knn200": Meaning("test kNN-200", _KNN.format(200), "%", "higher", "test/images"),
        "test/probe": Meaning("test linear probe", _PROBE.format("all training labels"), "%", "higher", "test/images"),
        **{
            f"test/probe_{num}": Meaning(
                f"test probe, {num} a class",
                _PROBE.format(f"{num} {'label' if num == 1 else 'labels'} a class") + " The mean over draws of them.",
                "%",
                "higher",
            )
            for num in (1, 10, 100)
        },
        "test/rank": Meaning(
            "test effective rank",
            "exp of the entropy of the centered features' singular values: along how many directions images differ. It "
            "compares at one number of images alone, 2,000 unless said otherwise.",
            "",
            "higher",
        ),
        "teacher/acc": Meaning("teacher's test acc", "Test accuracy of the earlier stage.", "%", "higher", _OF_TEST),
        "student/acc": Meaning("student's test acc", "Test accuracy of the earlier stage.", "%", "higher", _OF_TEST),
        "unlabeled/right": Meaning(
            "pseudo-labels right", "Share of the pseudo-labels that are the true ones.", "%", "higher"
        ),
        "best/epoch": Meaning("best epoch", "The epoch that was kept: chosen on validation, never on test."),
        "seconds": Meaning("time", "What the run took, with its stages.", "s", "lower"),
    }
)
# Further ones, as they stand at a run's end and among its curves.
NUMBERS = Glossary(
    RUN_NUMBERS
    | {
        "val/acc_macro": replace(
            RUN_NUMBERS["test/acc_macro"], words="val acc, class mean", count="val/examples_macro"
        ),
        "val/best_acc": Meaning("best val acc so far", "Mean over the heads of a probe.", "%", "higher"),
        "<split>/top5": replace(RUN_NUMBERS["test/top5"], words="<split> top-5", count=""),
        "<split>/knn<k>": Meaning("<split> kNN-<k>", _KNN.format("k"), "%", "higher", "<split>/examples"),
        "<split>/loss": Meaning("<split> loss", "Mean loss per example; a cross-entropy is in nats.", "", "lower"),
        "<split>/probe": Meaning("<split> linear probe", _PROBE.format("training labels"), "%", "higher"),
        "<split>/rank": replace(RUN_NUMBERS["test/rank"], words="<split> effective rank"),
        "<split>/rankme": Meaning(
            "<split> RankMe", "The effective rank of the features as they are, their mean not taken off.", "", "higher"
        ),
        "<split>/feature_std": Meaning("<split> spread of features", _SPREAD, "", "higher"),
        "<split>/embedding_std": Meaning("<split> spread of projections", _SPREAD, "", "higher"),
        "<split>/alignment": Meaning(
            "<split> alignment", "Mean squared distance of the directions of two views' features.", "", "lower"
        ),
        "<split>/uniformity": Meaning(
            "<split> uniformity", "0 where all features have one direction, about -4 where they have all.", "", "lower"
        ),
        "<split>/invariance": Meaning("<split> invariance", "How far apart projections of two views are.", "", "lower"),
        "<split>/variance": Meaning(
            "<split> variance term", "0 where each dimension of projections varies, 0.99 in a collapse.", "", "lower"
        ),
        "<split>/covariance": Meaning(
            "<split> covariance term", "How much dimensions of projections say the same.", "", "lower"
        ),
        "<split>/sigreg": Meaning(
            "<split> SIGReg", "About 1 where projections are a normal cloud, large where they collapse.", "", "lower"
        ),
        "<split>/eer": replace(RUN_NUMBERS["test/eer"], words="<split> EER"),
        "<split>/acc": Meaning("<split> acc", "Share of examples classified correctly.", "%", "higher"),
        "<split>/acc_macro": Meaning(
            "<split> acc, class mean", "Mean over classes of their accuracies.", "%", "higher"
        ),
        "lr": Meaning("learning rate", "Of the epoch's last step."),
        "test/images": Meaning("test images", "How many there are."),
    }
)


def explain(name: str, glossary: Glossary) -> Meaning | None:
    """What a number means, by its name or by the first of the glossary's patterns that fits; None where none does."""
    if name in glossary:
        return glossary[name]
    for pattern, meaning in glossary.items():
        if found := _compile(pattern).fullmatch(name):
            words, count = (_fill(text, found.groupdict()) for text in (meaning.words, meaning.count))
            return replace(meaning, words=words, count=count)
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
    """The 95 % Wilson interval of a share among numbers that also say of how many examples it is, 0..1, or None."""
    value, num = numbers.get(name), numbers.get(meaning.count) if meaning and meaning.count else None
    return find_wilson_interval(value, num) if _is_number(value) and _is_number(num) and num > 0 else None  # type: ignore[arg-type, operator]


def find_margin(numbers: Mapping[str, Any], name: str, meaning: Meaning | None) -> float | None:
    """What stands behind the ±: how far the farther end of the interval is; None without one."""
    ends = find_interval(numbers, name, meaning)
    return None if ends is None else max(abs(end - numbers[name]) for end in ends)


def format_number(value: Any, meaning: Meaning | None = None, margin: float | None = None) -> str:
    """A number as a reader wants it, with its margin: `93.7 ± 1.7 %`, `0.0123`, `12,345 nats`; "-" for None.

    Shares in percent to one digit behind the point, more only where the margin is smaller than that; other numbers to
    three digits that count; whole numbers whole. Other values as they are.
    """
    if value is None:
        return "-"
    if not _is_number(value):
        return {True: "yes", False: "no"}.get(value, str(value)) if isinstance(value, bool) else str(value)
    unit = f" {meaning.unit}" if meaning and meaning.unit else ""
    if unit == " %":
        digits = 2 if margin is not None and 0 < margin < 0.0005 else 1
        shown = [f"{100 * part:z.{digits}f}" for part in (value, margin) if part is not None]
    else:
        shown = [_format_plain(part) for part in (value, margin) if part is not None]
    return " ± ".join(shown) + unit


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
