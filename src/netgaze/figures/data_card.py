"""What is in the data?"""

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from netgaze.drawing.examples import to_rgb
from netgaze.drawing.panels import (
    GRAY,
    RIGHT,
    SMALL,
    TEXT,
    TITLE,
    WIDTH,
    WRONG,
    Sheet,
    measure_lines,
    wrap_words,
)
from netgaze.figure import Finding
from netgaze.subject import Subject

_COLORS = {"train": RIGHT, "val": WRONG, "test": GRAY}
_NAMES, _BARS, _ROW, _SPREAD = 1.4, 2.0, 0.82, 1.5  # inches


class DataCard:
    """How many images each class has in each split, and what they look like.

    Where not all classes are shown, a plot of the images a class, in falling order, tells how even all of them are.
    Subjects that look at the same data share one card.

    Numbers: `classes`, the images of each split by its name, and `imbalance`, the most images that a class has in
    the training split over the least.

    Args:
        num_classes: classes to show, by seed where there are more.
        num_each: training images of each, by seed.
        seed: of both choices.
    """

    title = "Data card"
    question = "What is in the data: which classes, how many images of each, and what do they look like?"
    needs = ("data",)
    metrics = ()

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
        numbers: dict[str, float | None] = {"classes": total}
        numbers |= {split: int(num.sum()) for split, num in zip(labels, counts, strict=True)}
        numbers["imbalance"] = float(counts[0].max() / least) if least else None
        arrays = {"counts": counts, "classes": classes, "samples": samples, "names": np.array(data.class_names)}
        arrays["data"] = np.array(data.title)
        return Finding(
            numbers, arrays, "Samples are of the training split, or of the first that has the class, drawn by seed."
        )

    def draw(self, findings: dict[str, Finding]) -> Figure:
        """One card for each distinct data set: a row a class, its counts and its samples."""
        cards = _distinct(findings)
        titles = [wrap_words(_title(labels, finding, len(cards)), WIDTH - 0.2, TITLE) for labels, finding in cards]
        heights = [
            measure_lines(title, TITLE) + 1.1 + _spread_height(finding) + _ROW * len(finding.arrays["classes"])
            for title, (_, finding) in zip(titles, cards, strict=True)
        ]
        sheet = Sheet(sum(heights) + 0.1)
        y = 0.1
        for title, (_, finding), height in zip(titles, cards, heights, strict=True):
            sheet.text(0.1, y, title, TITLE, weight="bold")
            _draw_card(sheet, finding, y + measure_lines(title, TITLE))
            y += height
        return sheet.figure


def _title(labels: list[str], finding: Finding, num_cards: int) -> str:
    name = str(finding.arrays["data"])
    return name if num_cards == 1 else f"{name}: {', '.join(labels)}"


def _distinct(findings: dict[str, Finding]) -> list[tuple[list[str], Finding]]:
    """Findings with the labels that share them."""
    cards: list[tuple[list[str], Finding]] = []
    for label, finding in findings.items():
        for labels, known in cards:
            if all(np.array_equal(finding.arrays[name], known.arrays[name]) for name in known.arrays):
                labels.append(label)
                break
        else:
            cards.append(([label], finding))
    return cards


def _draw_card(sheet: Sheet, finding: Finding, y: float) -> None:
    counts, classes, samples = (finding.arrays[name] for name in ("counts", "classes", "samples"))
    sizes = ", ".join(f"{finding.numbers[split]:,} {split}" for split in _COLORS)
    shape = f"{samples.shape[2]} x {samples.shape[3]} pixels"
    some = "" if len(classes) == counts.shape[1] else f"; {len(classes)} of the classes are shown"
    least, most = counts[0].min(), counts[0].max()
    spread_words = f"{least:,} to {most:,} training images in a class"
    if least == most:
        spread_words = f"{most:,} training images in each class"
    sheet.text(0.1, y, f"{counts.shape[1]:,} classes, {sizes}, {shape}{some}\n{spread_words}", TEXT, color=GRAY)
    left = 0.1 + _NAMES
    if _spread_height(finding):
        _draw_spread(sheet, counts, left, y + 0.55)
    top = y + 0.55 + _spread_height(finding)
    axes = sheet.axes(left, top, _BARS, _ROW * len(classes))
    for place, color in enumerate(_COLORS.values()):
        rows = np.arange(len(classes)) + 0.26 * (place - 1)
        axes.barh(rows, counts[place][classes], height=0.24, color=color)
    axes.set(ylim=(len(classes) - 0.5, -0.5), yticks=[])
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=4))
    axes.set_xlabel("images: " + ", ".join(_COLORS) + " (top to bottom)", fontsize=SMALL)
    tile = min(_ROW, (WIDTH - left - _BARS - 0.4) / samples.shape[1])
    for row, number in enumerate(classes):
        middle = top + (row + 0.5) * _ROW
        name = wrap_words(str(finding.arrays["names"][number]), _NAMES - 0.1, TEXT).split("\n")[:3]
        sheet.text(left - 0.1, middle, "\n".join(name), TEXT, ha="right", va="center")
        for place, picture in enumerate(samples[row]):
            x = left + _BARS + 0.3 + place * tile
            sheet.image(picture, x, middle - tile / 2 + 0.03, tile - 0.06, tile - 0.06)


def _spread_height(finding: Finding) -> float:
    return 0.0 if len(finding.arrays["classes"]) == finding.arrays["counts"].shape[1] else _SPREAD


def _draw_spread(sheet: Sheet, counts: np.ndarray, left: float, top: float) -> None:
    """Images a class of each split [splits,K], each split's classes from the one with most to the one with fewest."""
    axes = sheet.axes(left, top, WIDTH - left - 0.2, _SPREAD - 0.55)
    for place, (split, color) in enumerate(_COLORS.items()):
        # The later lines are thinner, so that splits of one size are all seen.
        axes.stairs(np.sort(counts[place])[::-1], baseline=None, color=color, linewidth=4 - 1.4 * place, label=split)
    axes.set(xlim=(0, counts.shape[1]), ylim=(0, 1.08 * counts.max()))
    axes.yaxis.set_major_locator(MaxNLocator(integer=True, nbins=4))
    axes.set_xlabel(f"all {counts.shape[1]:,} classes, from most to fewest images in each split", fontsize=SMALL)
    axes.set_ylabel("images a class", fontsize=SMALL)
    axes.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=len(_COLORS), fontsize=SMALL, frameon=False)
