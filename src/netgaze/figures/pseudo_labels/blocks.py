"""How pseudo-labels are drawn: shares of right ones by rank, and blocks of the images that each class took."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes

from netgaze.drawing.line_key import Entry
from netgaze.drawing.panels import GRAY, SMALL, TEXT, TITLE, WIDTH, Sheet, clip_words, shorten
from netgaze.figure import Finding

TENTHS = 10
PARTS = ("highest scores", "middle", "lowest scores")

# Told apart by every kind of sight (Okabe and Ito 2008), and by their dashes and markers without colors.
_COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "black", "#E69F00")
_DASHES, _MARKERS = ("-", "--", "-.", (0, (5, 1, 1, 1, 1, 1))), "os^D"
_WORDS, _GAP, _MOST_TILE = 1.5, 0.15, 0.82  # inches: the words left of a row, between its parts, a tile
_HEAD, _UNDER, _EMPTY, _AFTER = 0.52, 0.3, 0.45, 0.2  # inches: above rows, below a tile, a row of none, below a block


def measure_block(finding: Finding, num_each: int) -> float:
    """The height in inches of a network's block."""
    return _HEAD + _AFTER + sum(_row_heights(finding, num_each))


def draw_block(sheet: Sheet, label: str, finding: Finding, y: float, num_each: int) -> None:
    """A network's title and numbers, and a row a class: its images of the highest, middle and lowest scores."""
    numbers, arrays, tile = finding.numbers, finding.arrays, _tile(num_each)
    sheet.text(0.1, y, shorten(label, 4.2, TITLE), TITLE, weight="bold")
    said = f"{numbers['images']:,} pseudo-labels for {numbers['distinct']:,} images"
    if numbers["images"]:
        said += f", {numbers['share_right']:.0%} right"
    sheet.text(WIDTH - 0.1, y + 0.02, said, TEXT, ha="right", color=GRAY)
    lefts = [0.1 + _WORDS + part * (num_each * tile + _GAP) for part in range(len(PARTS))]
    for x, words in zip(lefts, PARTS, strict=True):
        sheet.text(x, y + _HEAD - 0.05, shorten(words, num_each * tile, SMALL), SMALL, va="bottom", color=GRAY)
    top = y + _HEAD
    for label_of_row, height in zip(arrays["rows"], _row_heights(finding, num_each), strict=True):
        sheet.text(0.1, top, _words(arrays, label_of_row), SMALL)
        own = np.flatnonzero(arrays["tile_class"] == label_of_row)
        if not len(own):
            sheet.text(lefts[0], top + 0.13, "no images", SMALL, va="center", color=GRAY)
        for part, x in enumerate(lefts):
            for across, number in enumerate(own[arrays["tile_part"][own] == part]):
                _draw_tile(sheet, arrays, number, x + across * tile, top, tile)
        top += height


def plot(axes: Axes, findings: dict[str, Finding]) -> None:
    """Share of right pseudo-labels by tenths of rank: a network's mean over classes, and where half of these lie."""
    centers = np.arange(TENTHS) + 0.5
    for place, finding in enumerate(findings.values()):
        tenths, style = finding.arrays["tenths"], _style(place)
        known = np.isfinite(tenths).any(axis=0)
        if not known.any():
            continue
        low, high = np.nanquantile(tenths[:, known], (0.25, 0.75), axis=0)
        axes.fill_between(centers[known], low, high, color=style["color"], alpha=0.15, linewidth=0)
        axes.plot(centers[known], np.nanmean(tenths[:, known], axis=0), **style)
    for chance in _chances(findings):
        axes.axhline(chance, color=GRAY, linestyle=":", linewidth=1.2)
    if not any(finding.numbers["images"] for finding in findings.values()):
        axes.text(0.5, 0.5, "no images", transform=axes.transAxes, ha="center", fontsize=TEXT, color=GRAY)
    axes.set(xlim=(0, TENTHS), ylim=(-0.03, 1.03), yticks=[0, 0.25, 0.5, 0.75, 1])
    axes.set_xticks(centers, ["first", *map(str, range(2, TENTHS)), "last"])
    axes.grid(alpha=0.25)
    axes.set_xlabel("tenth of a class's images by score, highest first", fontsize=TEXT)
    axes.set_ylabel("share right (mean over classes)", fontsize=TEXT)


def list_key(findings: dict[str, Finding]) -> list[Entry]:
    """What the plot's lines are, and what they come to."""
    entries: list[Entry] = []
    for place, (label, finding) in enumerate(findings.items()):
        numbers = finding.numbers
        said = "no images"
        if numbers["images"]:
            first, last = (f"{numbers[f'share_right_{end}_tenth']:.0%}" for end in ("first", "last"))
            said = f"{numbers['share_right']:.0%} right, of the first tenth {first}, of the last {last}"
        entries.append((_style(place), f"{label}: {said}"))
    entries.append(({"color": GRAY, "alpha": 0.25, "linewidth": 7}, "half of the classes lie within"))
    if chances := _chances(findings):
        said = " to ".join(f"{chance:.1%}" for chance in dict.fromkeys((chances[0], chances[-1])))
        entries.append(({"color": GRAY, "linestyle": ":", "linewidth": 1.2}, f"chance, {said}"))
    return entries


def _tile(num_each: int) -> float:
    return min(_MOST_TILE, (WIDTH - 0.2 - _WORDS - 2 * _GAP) / (len(PARTS) * num_each))


def _row_heights(finding: Finding, num_each: int) -> list[float]:
    """The heights in inches of the rows: those of classes without images are low."""
    full = max(_tile(num_each), 0.4) + _UNDER
    return [full if finding.arrays["counts"][label] else _EMPTY for label in finding.arrays["rows"]]


def _style(place: int) -> dict[str, Any]:
    return {
        "color": _COLORS[place % len(_COLORS)],
        "linestyle": _DASHES[place % len(_DASHES)],
        "marker": _MARKERS[place % len(_MARKERS)],
        "markersize": 3.5,
        "linewidth": 1.5,
    }


def _chances(findings: dict[str, Finding]) -> list[float]:
    """The networks' levels of chance that differ by what can be seen, lowest first."""
    known = (finding.numbers["chance"] for finding in findings.values())
    return sorted({round(chance, 3) for chance in known if chance is not None})


def _words(arrays: dict[str, np.ndarray], label: int) -> str:
    """Left of a row: the class, how many images it has, and how many of them are right."""
    name, count = clip_words(str(arrays["names"][label]), 0.95 * _WORDS - 0.1, SMALL, 2), arrays["counts"][label]
    said = f"{count:,} image{'s' * int(count != 1)}"
    return "\n".join([name, said, *([f"{arrays['right'][label]:.0%} right"] if count else [])])


def _draw_tile(sheet: Sheet, arrays: dict[str, np.ndarray], number: int, x: float, y: float, tile: float) -> None:
    side, true = tile - 0.07, arrays["tile_true"][number]
    right = bool(true == arrays["tile_class"][number])
    sheet.image(arrays["images"][number], x, y, side, side)
    sheet.frame(x, y, side, right)
    lines = [f"{arrays['tile_score'][number]:.2f}"]
    lines += [] if right else [shorten(f"is {arrays['names'][true]}", 0.95 * tile, SMALL)]
    sheet.text(x + side / 2, y + side + 0.03, "\n".join(lines), SMALL, ha="center")
