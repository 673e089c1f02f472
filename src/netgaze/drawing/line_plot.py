"""One plot for all networks: one line each over a common axis, and a key beside it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullFormatter

from netgaze.drawing.line_key import make_key
from netgaze.drawing.panels import GRAY, TEXT, WIDTH, Sheet, choose_line
from netgaze.drawing.rows import Row, align, stack

_LEFT, _GAP, _ABOVE, _BELOW = 0.7, 0.25, 0.1, 0.5  # inches: left of the plot, right of it, above and below it
_KEY = 3.0  # inches for what says what the lines are
_MOST_MARKED = 15  # points up to which each is marked
_CONTROL_DASHES: tuple[Any, ...] = (":", (0, (4, 2)), (0, (1, 2)))


@dataclass(frozen=True)
class Line:
    """A network's line.

    Attributes:
        label: of the network, and what is said of it.
        x, y: the points, [N].
        low, high: of a band around the line, [N]; None for none.
        control: drawn in gray, for comparison.
    """

    label: str
    x: np.ndarray
    y: np.ndarray
    low: np.ndarray | None = None
    high: np.ndarray | None = None
    control: bool = False


def make_line_plot(lines: Sequence[Line], height: float, axes: Mapping[str, Any]) -> Row:
    """A plot as wide as the page leaves room beside its key.

    Args:
        lines: from the first that is drawn to the last.
        height: of the plot, in inches.
        axes: its properties and words, see `Sheet.axes`.
    """
    width, styles = WIDTH - _LEFT - _GAP - _KEY, choose_styles(lines)

    def draw(sheet: Sheet, y: float) -> None:
        plot = sheet.axes(_LEFT, y + _ABOVE, width, height, size=TEXT, **axes)
        plot.grid(alpha=0.25)
        for name, axis in (("xscale", plot.xaxis), ("yscale", plot.yaxis)):
            if axes.get(name) == "log":
                axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
                axis.set_minor_formatter(NullFormatter())
        if axes.get("xscale") != "log" and all((line.x == line.x.round()).all() for line in lines):  # epochs
            plot.xaxis.set_major_locator(MaxNLocator(integer=True))
        for line, style in zip(lines, styles, strict=True):
            if line.low is not None and line.high is not None:
                plot.fill_between(line.x, line.low, line.high, color=style["color"], alpha=0.15, linewidth=0)
            plot.plot(line.x, line.y, **style)

    entries = [(style, line.label) for style, line in zip(styles, lines, strict=True)]
    key = stack([Row(_ABOVE), make_key(_LEFT + width + _GAP, _KEY, entries)])
    return align([Row(_ABOVE + height + _BELOW, draw), key])


def choose_styles(lines: Sequence[Line]) -> list[dict[str, Any]]:
    """A style for each line: the networks' one after the other, controls in gray."""
    styles, networks, controls = [], 0, 0
    for line in lines:
        if line.control:
            style = choose_line(0) | {"color": GRAY, "linestyle": _CONTROL_DASHES[controls % 3], "marker": ""}
            controls += 1
        else:
            style = choose_line(networks)
            networks += 1
        styles.append(style | ({"marker": ""} if len(line.x) > _MOST_MARKED else {}))
    return styles
