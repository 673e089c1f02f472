"""Images as dots in a plane, one column per network, colored by class."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
from matplotlib.figure import Figure as Picture
from matplotlib.lines import Line2D

from netgaze.drawing.panels import GRAY, NUM_STYLES, PALE, TEXT, WIDTH, Sheet, choose_style
from netgaze.drawing.rows import Columns, Row, align, lay_out, make_bands, make_legend, make_text
from netgaze.drawing.words import count_cells, shorten
from netgaze.figure import Finding

_MOST_NAMES = 60


def draw_planes(findings: Mapping[str, Finding], describe: Callable[[Finding], str]) -> Picture:
    """One column per network, and one legend.

    Args:
        findings: with the arrays `plane` [N,2], `labels` [N], and `names` of all classes.
        describe: gives the words below a network's title.
    """
    make = partial(_make_planes, describe)
    return lay_out([make_bands(findings, make, gap=0.15), _make_legend(next(iter(findings.values())))])


def _make_planes(describe: Callable[[Finding], str], findings: Mapping[str, Finding], columns: Columns) -> list[Row]:
    side = min(columns.width, 5.5)
    planes = align(
        Row(side, partial(_draw_plane, finding=finding, x=x + (columns.width - side) / 2, side=side))
        for x, finding in zip(columns.lefts, findings.values(), strict=True)
    )
    captions = columns.captions(map(describe, findings.values()), below=0.1)
    return [columns.titles(findings, below=0.05), captions, planes, Row(0.1)]


def _draw_plane(sheet: Sheet, y: float, finding: Finding, x: float, side: float) -> None:
    """The positions of the images as dots; the fewer, the larger."""
    axes = sheet.axes(x, y, side, side, xticks=[], yticks=[])
    axes.spines[:].set(visible=True, color=PALE)
    labels = finding.arrays["labels"]
    size = side * (5 + 900 / (len(labels) + 30))
    for number, style in _choose_styles(finding).items():
        across, up = finding.arrays["plane"][labels == number].T
        axes.scatter(across, up, size, linewidths=0.4, edgecolors="white", **style)


def _choose_styles(finding: Finding) -> dict[int, dict[str, Any]]:
    """Color and marker of the classes shown: each class's own, or in turn if there are fewer styles than classes."""
    present = np.unique(finding.arrays["labels"])
    places = present if len(finding.arrays["names"]) <= NUM_STYLES else range(len(present))
    return {int(number): choose_style(int(place)) for number, place in zip(present, places, strict=True)}


def _make_legend(finding: Finding) -> Row:
    """A sample of each class's style, or the reason why there is none."""
    styles, names = _choose_styles(finding), finding.arrays["names"]
    if len(styles) > _MOST_NAMES:
        return make_text(f"{len(styles):,} classes: too many for a legend.", below=0.1, color=GRAY)
    short = {k: shorten(str(names[k]), WIDTH / 2, TEXT) for k in styles}
    handles = [Line2D([], [], linestyle="", markersize=5, label=short[k], **style) for k, style in styles.items()]
    across = max(1, min(10, int(WIDTH / (0.55 + 0.085 * max(map(count_cells, short.values()))))))
    return make_legend(handles, 0.2 + 0.2 * -(-len(handles) // across), 0.02, across, handle=1.0)
