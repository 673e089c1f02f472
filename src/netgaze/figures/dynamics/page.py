"""The page of training dynamics: the map, what lies beside it, and the images."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator, PercentFormatter

from netgaze.drawing.panels import GRAY, RIGHT, SEQUENTIAL, SMALL, TEXT, WIDTH, WRONG, Sheet
from netgaze.drawing.rows import Row, align, make_bar, make_head, make_text, stack
from netgaze.drawing.tiles import Tile, make_tiles
from netgaze.drawing.words import clip_words, wrap_words
from netgaze.figure import Finding
from netgaze.text import count_of, format_percent, format_share

KINDS = ("hardest: lowest mean confidence", "forgotten most often", "easiest: highest mean confidence")
_ACROSS = 8
_TILE = (WIDTH - 0.2) / _ACROSS  # inches
_LEFT, _MAP, _BESIDE, _PLOT, _PITCH = (
    0.65,
    3.7,
    5.3,
    0.72,
    1.24,
)  # inches: the map, the plots beside it, from one to the next
_HEIGHT = 2 * _PITCH + _PLOT  # of the map: it ends with the last plot
_BINS = 40
_MOST_TIMES = 8  # forgotten so often or more


def make_comparison(compared: Mapping[str, Any]) -> Row:
    """A line for each two networks with common examples."""
    pairs = [name.removeprefix("common: ") for name in compared if name.startswith("common: ")]
    lines = []
    for pair in pairs:
        said = (compared[f"{name}: {pair}"] for name in ("confidence", "aum"))
        confidence, margin = ("undefined" if value is None else f"{value:z.2f}" for value in said)
        lines.append(
            f"{pair}: rank correlation of confidence {confidence}, of mean margin {margin}, over "
            f"{compared[f'common: {pair}']:,} common examples"
        )
    words = "\n".join(wrap_words(line, WIDTH - 0.2, TEXT) for line in lines)
    return make_text(words, below=0.1, color=GRAY) if words else Row(0)


def make_block(label: str, finding: Finding) -> Row:
    """Map and histograms of a network, and below them its images."""
    words = "\n".join(wrap_words(line, WIDTH - 0.2, TEXT) for line in _describe(finding.numbers))
    height = _HEIGHT + 0.45
    plots = align(
        [
            Row(height, partial(_draw_map, finding=finding)),
            Row(height, partial(_draw_histograms, finding=finding)),
        ]
    )
    bar = make_bar(_LEFT, _MAP, [0, 0.5, 1], SEQUENTIAL, "share of epochs with a correct prediction", above=0.0)
    images = [_make_images(finding, number) for number in range(len(KINDS))]
    return stack([make_head(label, "", 0.22), make_text(words, below=0.25, color=GRAY), plots, bar, *images, Row(0.1)])


def _describe(numbers: Mapping[str, Any]) -> list[str]:
    shares = {name: format_percent(numbers[name]) for name in ("never_learned", "forgotten", "unforgettable")}
    lines = [
        f"{numbers['num_examples']:,} training examples in {count_of(numbers['epochs'], 'epoch')}: "
        f"{shares['never_learned']} never correct, {shares['forgotten']} forgotten at least once, "
        f"{shares['unforgettable']} learned and never forgotten"
    ]
    if "wrong_labels" in numbers:
        each = {"mean margin": "aum", "confidence": "confidence", "forgetting": "forgetting", "last loss": "last"}
        each |= {"variability": "variability"}
        found = [f"{words} {_format_area(numbers[f'auroc_{name}'])}" for words, name in each.items()]
        lines.append(
            f"{numbers['wrong_labels']:,} labels are known to be wrong; AUROC of finding them by {', '.join(found)}"
        )
    return lines


def _format_area(area: float | None) -> str:
    return "undefined" if area is None else f"{area:.3f}"


def _draw_map(sheet: Sheet, y: float, finding: Finding) -> None:
    """Confidence over variability, each point in the color of its correctness; over them wrong labels as crosses."""
    arrays, points = finding.arrays, finding.arrays["points"]
    limits: Any = {"xlim": (-0.01, 0.51), "ylim": (-0.02, 1.02)}
    words = f"{len(points):,} of them, drawn at random" if len(points) < finding.numbers["num_examples"] else ""
    axes = sheet.axes(
        _LEFT,
        y,
        _MAP,
        _HEIGHT,
        xlabel="variability: its standard deviation over epochs",
        size=TEXT,
        title=words,
        ylabel="confidence: mean probability of the label",
        **limits,
    )
    axes.grid(alpha=0.25)
    wrong = arrays["wrong"][points]
    across, up, shares = arrays["variability"][points], arrays["confidence"][points], arrays["correctness"][points]
    axes.scatter(across[~wrong], up[~wrong], c=shares[~wrong], cmap=SEQUENTIAL, vmin=0, vmax=1, s=5, linewidths=0)
    if arrays["wrong"].any():
        axes.scatter(across[wrong], up[wrong], color=WRONG, s=10, marker="x", linewidths=0.8)
        mark = Line2D([], [], color=WRONG, linestyle="", markersize=4, marker="x", label="wrong label")
        axes.legend(handles=[mark], loc="upper right", fontsize=SMALL, frameon=False, handletextpad=0.1)


def _draw_histograms(sheet: Sheet, y: float, finding: Finding) -> None:
    """Histograms of confidence, margin and forgetting: of all labels, or of correct and wrong labels."""
    arrays = finding.arrays
    seen = np.isfinite(arrays["confidence"])
    highest = int(arrays["times"].max())
    last = min(max(1, highest), _MOST_TIMES)
    times = np.where(arrays["never"], last + 1, np.minimum(arrays["times"], last))
    most = float(np.abs(arrays["aum"][seen]).max(initial=1.0))
    ticks = [*map(str, range(last)), f"{last}+" if highest > last else str(last), "never\ncorrect"]
    plots = (
        ("confidence", arrays["confidence"], np.linspace(0, 1, _BINS + 1), None),
        (
            "mean margin: label's logit minus largest other",
            arrays["aum"],
            np.linspace(-most, most, _BINS + 1),
            None,
        ),
        ("times forgotten", times, np.arange(last + 3) - 0.5, ticks),
    )
    groups = {"all labels": seen} if not arrays["wrong"].any() else {"correct labels": seen & ~arrays["wrong"]}
    groups |= {"wrong labels": seen & arrays["wrong"]} if arrays["wrong"].any() else {}
    for number, (words, values, edges, names) in enumerate(plots):
        axes = sheet.axes(_BESIDE, y + number * _PITCH, WIDTH - _BESIDE - 0.15, _PLOT, xlabel=words, ylabel="share")
        for (name, own), color in zip(groups.items(), (RIGHT, WRONG), strict=False):
            shares = np.histogram(values[own], edges)[0] / max(1, own.sum())
            axes.stairs(shares, edges, fill=True, color=color, alpha=0.5, label=name)
        axes.set_xlim(edges[0], edges[-1])
        axes.yaxis.set_major_locator(MaxNLocator(3))
        axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
        if names:
            axes.set_xticks(range(len(names)), names)
        if number == 0 and len(groups) > 1:
            axes.legend(loc="lower center", bbox_to_anchor=(0.5, 0.9), ncols=2, fontsize=SMALL, frameon=False)


def _make_images(finding: Finding, kind: int) -> Row:
    """The images of a kind, under its name."""
    places = np.flatnonzero(finding.arrays["kind"] == kind)
    if not len(places):
        return make_text(f"{KINDS[kind]}: none", below=0.1)
    tiles = [_make_tile(finding, int(place)) for place in places]
    return stack([make_text(KINDS[kind], height=0.2), make_tiles(tiles, 0.1, _TILE, gap=0.1, across=_ACROSS)])


def _make_tile(finding: Finding, place: int) -> Tile:
    """An example with its label, the last prediction if it differs, and the number by which it was chosen."""
    arrays, row = finding.arrays, finding.arrays["tiles"][place]
    times = count_of(int(arrays["times"][row]), "time")
    numbers = (
        f"forgotten {times}"
        if arrays["kind"][place] == 1
        else f"confidence {format_share(float(arrays['confidence'][row]))}"
    )
    if "tile_label" not in arrays:
        return Tile(arrays["images"][place], numbers)
    label, true, answer = (str(arrays[f"tile_{name}"][place]) for name in ("label", "true", "answer"))
    lines = [f"label: {label}", *([f"predicted: {answer}"] * (answer != label)), *([f"true: {true}"] * (true != label))]
    words = [clip_words(line, _TILE - 0.1, SMALL, 2) for line in lines]
    return Tile(arrays["images"][place], "\n".join([*words, numbers]), answer == label)
