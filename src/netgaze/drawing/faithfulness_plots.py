"""The results of a trial below its maps: deletion and insertion curves, and correlations after randomization."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from netgaze.drawing.panels import GRAY, LINES, RIGHT, SMALL, WRONG, Sheet
from netgaze.drawing.rows import Row, make_legend, stack
from netgaze.drawing.words import count_cells, measure_cell, shorten
from netgaze.figure import Finding

_HEIGHT, _TITLE, _LEFT, _MOST_NAME = 0.85, 0.15, 0.3, 0.65  # inches: a plot, words above, left of and below it
_STYLES: dict[str, dict[str, Any]] = {
    "deletion": {"color": WRONG, "linestyle": "-"},
    "insertion": {"color": RIGHT, "linestyle": "-"},
    "deletion, noise map": {"color": WRONG, "linestyle": "--", "linewidth": 1},
    "insertion, noise map": {"color": RIGHT, "linestyle": "--", "linewidth": 1},
    "map, random layers": {"color": LINES[2], "linestyle": "-", "marker": "o", "markersize": 3},
    "absolute map, random layers": {"color": LINES[3], "linestyle": "-", "marker": "s", "markersize": 3},
    "map of another image": {"color": LINES[2], "linestyle": ":", "linewidth": 1},
    "absolute map of another image": {"color": LINES[3], "linestyle": ":", "linewidth": 1},
}
_CURVES, _ALIKE, _OTHERS = list(_STYLES)[:4], list(_STYLES)[4:6], list(_STYLES)[6:]


def find_top(findings: Iterable[Finding]) -> float:
    """Where the axis of probabilities ends in all plots of a page: above all `curves`."""
    return min(1.0, max(0.1, 1.1 * max(float(finding.arrays["curves"].max()) for finding in findings)))


def make_trial_plots(x: float, width: float, arrays: Mapping[str, np.ndarray], top: float) -> Row:
    """Two plots below one another, from `Verdict.arrays`: x is the left edge of their words, `top` see `find_top`.

    Above, the probability of the true class over the share of pixels replaced or put back; below, the rank correlation
    of maps with those of the trained network, while its stages are randomized from last to first.
    """
    names = [shorten(str(name), _MOST_NAME, SMALL) for name in arrays["stages"]]
    below = 0.12 + max(map(count_cells, names)) * measure_cell(SMALL)
    left, inner = x + _LEFT, width - _LEFT - 0.05
    above: Any = {"title": "probability", "xlabel": "share of pixels", "xlim": (0, 1), "xticks": [0, 0.5, 1]}
    least = min(-0.2, 1.1 * float(arrays["spearman"].min()))
    low: Any = {"title": "rank correlation", "ylim": (least, 1.08), "yticks": [0, 0.5, 1]}

    def draw_removal(sheet: Sheet, y: float) -> None:
        axes = sheet.axes(left, y + _TITLE, inner, _HEIGHT, ylim=(0, top), **above)
        axes.yaxis.set_major_locator(MaxNLocator(3))
        for curve, name in zip(arrays["curves"], _CURVES, strict=True):
            axes.plot(arrays["shares"], curve, **_STYLES[name])

    def draw_correlations(sheet: Sheet, y: float) -> None:
        axes = sheet.axes(left, y + _TITLE, inner, _HEIGHT, **low)
        places = np.arange(len(names))
        axes.set_xticks(places, names, rotation=90, fontsize=SMALL)
        axes.axhline(0, color=GRAY, linewidth=0.5)
        for values, level, own, other in zip(
            arrays["spearman"], arrays["spearman_others"], _ALIKE, _OTHERS, strict=True
        ):
            axes.plot(places, values, **_STYLES[own])
            axes.axhline(level, **_STYLES[other])

    height = _TITLE + _HEIGHT
    return stack([Row(height + 0.4, draw_removal), Row(height + below + 0.1, draw_correlations)])


def make_trial_legend() -> Row:
    """The legend of all these plots of a page."""
    handles = [Line2D([], [], label=name, **style) for name, style in _STYLES.items()]
    return make_legend(handles, height=0.5, above=0.08, columns=4)
