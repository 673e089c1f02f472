"""What is in the data?"""

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
from matplotlib.figure import Figure as Picture
from matplotlib.ticker import MaxNLocator

from netgaze.drawing.examples import to_rgb
from netgaze.drawing.panels import GRAY, RIGHT, SMALL, TEXT, TITLE, WIDTH, WRONG, Sheet
from netgaze.drawing.rows import Row, align, lay_out, make_aside, make_text, stack
from netgaze.drawing.tiles import Tile, make_tiles
from netgaze.drawing.words import clip_words, wrap_words
from netgaze.figure import Figure, Finding, group_equal
from netgaze.glossary import Glossary, Meaning
from netgaze.subject import Subject

_COLORS = {"train": RIGHT, "val": WRONG, "test": GRAY}
_NAMES, _BARS, _ROW, _SPREAD = 1.4, 2.0, 0.82, 0.95  # inches: names, bars, a class, the plot of all classes
_MOST_WARNINGS = 3
_LEFT = 0.1 + _NAMES  # inches: where the bars begin


class DataCard(Figure):
    """How many images each class has in each split, and what they look like.

    If not all classes are shown, a plot of images per class, in falling order, shows how balanced all classes are.
    Subjects with the same data share one card.

    Args:
        num_classes: classes to show, chosen by seed if there are more.
        num_each: training images of each, by seed.
        seed: of both choices.
    """

    title = "Data card"
    question = "What is in the data: which classes, how many images of each, and what do they look like?"
    look_for = (
        "Check that every class has images in every split, how unequal the classes are, and that the samples match "
        "their labels. Read the warnings above the samples before you trust any result."
    )
    pitfall = (
        "A few random samples show neither rare errors of labels nor duplicates between the splits. Accuracy means "
        "little without the share of the largest class beside it."
    )
    needs = ("data",)
    glossary = Glossary(
        {
            "classes": Meaning("classes"),
            "train": Meaning("training images"),
            "val": Meaning("validation images"),
            "test": Meaning("test images"),
            "imbalance": Meaning(
                "imbalance",
                "Images of the largest class divided by those of the smallest, in the training split: 1 if balanced.",
            ),
            "found": Meaning("check of the data", "Range of values, ignored files, and warnings."),
        }
    )

    def __init__(self, *, num_classes: int = 10, num_each: int = 6, seed: int = 0):
        self.num_classes, self.num_each, self.seed = num_classes, num_each, seed

    def compute(self, subject: Subject) -> Finding:
        """Counts [splits,K], the classes shown [k], and their samples [k,n,H,W,3] with what is there [k,n]."""
        data, rng = subject.data, np.random.default_rng(self.seed)
        total = len(data.class_names)
        labels = {split: data.labels(split).numpy() for split in _COLORS}
        counts = np.stack([np.bincount(own, minlength=total) for own in labels.values()])
        classes = np.sort(rng.permutation(total)[: self.num_classes])
        height = width = data.image_size
        samples = np.full((len(classes), self.num_each, height, width, 3), 255, dtype=np.uint8)
        for row, number in enumerate(classes):
            split = next((split for split, own in labels.items() if (own == number).any()), "train")
            own = rng.permutation(np.flatnonzero(labels[split] == number))[: self.num_each]
            samples[row, : len(own)] = to_rgb(data.images(split, own))
        least = counts[0].min()
        numbers: dict[str, Any] = {"classes": total}
        numbers |= {split: int(num.sum()) for split, num in zip(labels, counts, strict=True)}
        numbers["imbalance"] = float(counts[0].max() / least) if least else None
        numbers["found"] = {
            "values": data.found.values,
            "ignored": {why: len(names) for why, names in data.found.remarks.ignored.items()},
            "warnings": data.found.list_warnings(),
        }
        arrays = {"counts": counts, "classes": classes, "samples": samples, "names": np.array(data.class_names)}
        arrays["data"] = np.array(data.title)
        return Finding(
            numbers,
            arrays,
            "Samples are drawn at random from the training split, or from the first split that has the class.",
        )

    def draw(self, findings: Mapping[str, Finding]) -> Picture:
        """One card per distinct data set: one row per class, with its counts and its samples."""
        cards = group_equal(findings, ("data", "counts", "classes", "samples", "names"))
        rows = [Row(0.1)]
        for alike in cards:
            finding = next(iter(alike.values()))
            name = str(finding.arrays["data"])
            title = name if len(cards) == 1 else f"{name}: {', '.join(alike)}"
            rows += [make_text(wrap_words(title, WIDTH - 0.2, TITLE), size=TITLE, weight="bold"), _make_card(finding)]
        return lay_out(rows)


def _make_card(finding: Finding) -> Row:
    """Words; the images per class of all classes, if not all are shown; one row per class."""
    counts, classes, samples = (finding.arrays[name] for name in ("counts", "classes", "samples"))
    words = "\n".join(filter(None, [_describe(finding), _describe_found(finding.numbers["found"])]))
    rows = [make_text(words, below=0.17, color=GRAY)]
    if len(classes) < counts.shape[1]:
        rows.append(Row(_SPREAD + 0.55, partial(_draw_spread, counts=counts)))
    bars = Row(_ROW * len(classes), partial(_draw_bars, counts=counts[:, classes]))
    names = map(str, finding.arrays["names"][classes])
    each = stack(_make_class(name, pictures) for name, pictures in zip(names, samples, strict=True))
    return stack([*rows, align([bars, each]), Row(0.55)])


def _describe(finding: Finding) -> str:
    counts, classes, samples = (finding.arrays[name] for name in ("counts", "classes", "samples"))
    sizes = ", ".join(f"{finding.numbers[split]:,} {split}" for split in _COLORS)
    shape = f"{samples.shape[2]} x {samples.shape[3]} pixels"
    some = "" if len(classes) == counts.shape[1] else f"; {len(classes)} classes are shown"
    least, most = counts[0].min(), counts[0].max()
    each = f"{most:,} training images per class"
    if least < most:
        each = f"{least:,} to {most:,} training images per class"
    return f"{counts.shape[1]:,} classes; {sizes} images; {shape}{some}\n{each}"


def _describe_found(found: Mapping[str, Any]) -> str:
    """Values other than 8 bits, ignored files, and warnings, one line or more each."""
    ignored = ", ".join(f"{num:,} ({why})" for why, num in found["ignored"].items())
    lines = [f"Values {found['values']}"] if found["values"] != "0..255" else []
    lines += [f"Ignored {ignored}"] if ignored else []
    lines += [f"Warning: {warning}" for warning in found["warnings"][:_MOST_WARNINGS]]
    return "\n".join(wrap_words(line, WIDTH - 0.2, TEXT) for line in lines)


def _draw_bars(sheet: Sheet, y: float, counts: np.ndarray) -> None:
    """The images per split of the classes shown, [splits,k]."""
    num, words = counts.shape[1], "images: " + ", ".join(_COLORS) + " (top to bottom)"
    axes = sheet.axes(_LEFT, y, _BARS, _ROW * num, xlabel=words, ylim=(num - 0.5, -0.5), yticks=[])
    for place, color in enumerate(_COLORS.values()):
        axes.barh(np.arange(num) + 0.26 * (place - 1), counts[place], height=0.24, color=color)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=4))


def _make_class(name: str, pictures: np.ndarray) -> Row:
    """A class's name left of its bars, and pictures [n,H,W,3] right of them."""
    pitch = min(_ROW, (WIDTH - _LEFT - _BARS - 0.4) / len(pictures))
    words = make_aside(clip_words(name, _NAMES - 0.1, TEXT, 3), _LEFT - 0.1, _ROW, TEXT, ha="right")
    tiles = make_tiles([Tile(picture) for picture in pictures], _LEFT + _BARS + 0.3, pitch, gap=0.06, below=0.0)
    return align([words, stack([Row((_ROW - tiles.height) / 2), tiles])])


def _draw_spread(sheet: Sheet, y: float, counts: np.ndarray) -> None:
    """Images per class of each split [splits,K], each split's classes from the one with most to the one with fewest."""
    words = f"all {counts.shape[1]:,} classes, in each split from most to fewest images"
    limits: Any = {"xlim": (0, counts.shape[1]), "ylim": (0, 1.08 * counts.max())}
    width = WIDTH - _LEFT - 0.2
    axes = sheet.axes(_LEFT, y, width, _SPREAD, xlabel=words, ylabel="images per class", **limits)
    for place, (split, color) in enumerate(_COLORS.items()):
        # The later lines are thinner, so that splits of one size are all seen.
        axes.stairs(np.sort(counts[place])[::-1], baseline=None, color=color, linewidth=4 - 1.4 * place, label=split)
    axes.yaxis.set_major_locator(MaxNLocator(integer=True, nbins=4))
    axes.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=len(_COLORS), fontsize=SMALL, frameon=False)
