"""How `Attention` lays out a network: images with their maps, the scale, and each head's attention distance."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
from matplotlib.figure import Figure as Picture
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from netgaze.drawing.evidence import make_pair, measure_scale
from netgaze.drawing.heat import describe_pointing
from netgaze.drawing.panels import GRAY, LINES, SMALL, Sheet
from netgaze.drawing.rows import (
    Columns,
    Row,
    align,
    lay_out,
    make_bands,
    make_legend,
    make_signed_bar,
    make_text,
    stack,
)
from netgaze.drawing.words import shorten
from netgaze.figure import Finding

_MOST_COLUMNS, _MOST_PITCH = 5, 1.35  # networks side by side; inches from an image to its map
_HEIGHT, _ABOVE, _BELOW, _LEFT = 0.95, 0.2, 0.4, 0.35  # inches: the plot, and the words around it
_STYLES: dict[str, dict[str, Any]] = {
    "even attention": {"color": GRAY, "linestyle": ":", "linewidth": 1.2},
    "mean of the layer": {"color": "black", "linestyle": "-", "linewidth": 1.2},
    "a head": {"color": LINES[2], "linestyle": "", "marker": "o", "markersize": 3, "alpha": 0.6},
}


def draw_networks(findings: Mapping[str, Finding]) -> Picture:
    """The page, from findings of `Attention`: their maps have one unit, and so one scale."""
    tops = [max(it.arrays["distances"].max(), it.numbers["distance_even"]) for it in findings.values()]
    scale = measure_scale(np.concatenate([it.arrays["maps"].ravel() for it in findings.values()]))
    make_rows = partial(_make_rows, scale=scale, top=1.1 * max(tops))
    return lay_out([make_bands(findings, make_rows, most=_MOST_COLUMNS), _make_legend()])


def _make_rows(findings: Mapping[str, Finding], columns: Columns, scale: float, top: float) -> list[Row]:
    pitch = min(columns.width / 2, _MOST_PITCH)
    networks = [(it, x + columns.width / 2 - pitch) for it, x in zip(findings.values(), columns.lefts, strict=True)]
    captions = columns.captions((_describe(it) for it, _ in networks), SMALL, below=0.1)
    blocks = align(_make_examples(it, x, pitch, scale) for it, x in networks)
    plots = align(_make_plot(it, x, 2 * pitch, top) for it, x in networks)
    return [columns.titles(findings), captions, blocks, plots]


def _describe(finding: Finding) -> str:
    numbers = finding.numbers
    words = f"{numbers['map_height']}x{numbers['map_width']} map from {finding.arrays['reads']}\n"
    words += f"distance {numbers['distance']:.1f} px (even {numbers['distance_even']:.1f}), "
    words += f"entropy {numbers['entropy']:.2f}"
    if "peak_on_object" in numbers:
        words += f"\n{describe_pointing(numbers)}"
    return words


def _make_examples(finding: Finding, x: float, pitch: float, scale: float) -> Row:
    """The images of a network, each with its map and its class, and the scale of all maps of the page."""
    shown, rows = (finding.arrays[name] for name in ("images", "maps", "true")), []
    for picture, heat, name in zip(*shown, strict=True):
        rows.append(make_pair(picture, heat, scale, x, pitch, below=0.03))
        rows.append(make_text(shorten(str(name), 2 * pitch, SMALL), x, SMALL, below=0.1, color=GRAY))
    return stack([*rows, make_signed_bar(x, 2 * pitch, scale, "0: even share, 1: twice as much", above=0.1)])


def _make_plot(finding: Finding, x: float, width: float, top: float) -> Row:
    """Distances over the layers: a dot per head, a line through the means."""
    layers, distances = finding.arrays["layers"] + 1, finding.arrays["distances"]
    numbers = np.unique(layers)
    means = [distances[layers == number].mean() for number in numbers]

    def draw(sheet: Sheet, y: float) -> None:
        axes = sheet.axes(
            x + _LEFT,
            y + _ABOVE,
            width - _LEFT - 0.05,
            _HEIGHT,
            title="attention distance, pixels",
            xlabel="layer",
            xlim=(0.5, numbers[-1] + 0.5),
            ylim=(0, top),
        )
        axes.xaxis.set_major_locator(MaxNLocator(5, integer=True, min_n_ticks=1))
        axes.yaxis.set_major_locator(MaxNLocator(3))
        axes.axhline(finding.numbers["distance_even"], **_STYLES["even attention"])
        axes.plot(numbers, means, **_STYLES["mean of the layer"])
        axes.plot(layers, distances, **_STYLES["a head"])

    return Row(_ABOVE + _HEIGHT + _BELOW, draw)


def _make_legend() -> Row:
    handles = [Line2D([], [], label=name, **style) for name, style in _STYLES.items()]
    return make_legend(handles, height=0.35, above=0.05, columns=3)
