"""Feature error and pixel distance by depth, a line per network."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import NullLocator

from netgaze.drawing.panels import GRAY, SMALL, WIDTH, Sheet, choose_line
from netgaze.drawing.rows import Row, make_legend, stack
from netgaze.drawing.words import shorten
from netgaze.figure import Finding

LEAST = 1e-9  # where the axis of errors ends
_PLOT, _BELOW, _CHARACTER = 1.5, 0.5, 0.065  # inches: a plot, what is below it, a character of a layer's name there
_WIDTH = WIDTH / 2 - 0.8  # inches: of a plot
_MOST_LEGEND = 2  # names of networks in a row
_START: dict[str, Any] = {"color": GRAY, "linestyle": ":", "linewidth": 1}


def make_plots(findings: Mapping[str, Finding]) -> Row:
    """Error and distance by depth, averaged over the images, and the distance of the starting noise; with a legend."""
    labels = [shorten(label, WIDTH / 2 - 0.6, SMALL) for label in findings]
    handles = [Line2D([], [], label=label, **choose_line(place)) for place, label in enumerate(labels)]
    handles.append(Line2D([], [], label="starting noise", **_START))
    titles = {"error": "feature error by layer", "distance": "pixel distance by layer"}

    def draw(sheet: Sheet, y: float) -> None:
        ticks = _name_layers(findings)
        for x, (what, title) in zip((0.65, WIDTH / 2 + 0.6), titles.items(), strict=True):
            axes = sheet.axes(x, y, _WIDTH, _PLOT, title=title, xlabel="layer, shallow to deep", **ticks)
            for place, finding in enumerate(findings.values()):
                values = _average(finding, what)
                axes.plot(range(1, len(values) + 1), values, **choose_line(place))
            if what == "error":
                scale_errors(axes)
            else:
                axes.axhline(_average_start(findings), **_START)
                axes.set_ylim(0, 1.08 * axes.get_ylim()[1])

    height = 0.2 * -(-len(handles) // _MOST_LEGEND) + 0.05
    return stack([Row(0.3), Row(_PLOT + _BELOW, draw), make_legend(handles, height, 0.0, _MOST_LEGEND)])


def scale_errors(axes: Axes) -> None:
    """A log axis from one power of ten to another, around what is already drawn."""
    low, high = (np.log10(edge(np.concatenate([line.get_ydata() for line in axes.get_lines()]))) for edge in (min, max))
    low, high = np.floor(low), max(np.ceil(high), np.floor(low) + 1)
    ticks = 10.0 ** np.arange(low, high + 1, max(1, (high - low) // 4))
    axes.set(yscale="log", ylim=(10.0**low, 10.0 ** (high + 0.06)), yticks=ticks)  # a point on the edge would be cut
    axes.yaxis.set_minor_locator(NullLocator())


def _name_layers(findings: Mapping[str, Finding]) -> dict[str, Any]:
    """The axis of layers: names if all networks share them and there is room, else numbers."""
    lists = [[str(layer) for layer in finding.arrays["layers"]] for finding in findings.values()]
    longest = max(lists, key=len)
    axis = {"xlim": (0.6, len(longest) + 0.4), "xticks": range(1, len(longest) + 1)}
    room = max(map(len, longest)) * _CHARACTER < _WIDTH / len(longest)
    return axis | ({"xticklabels": longest} if room and all(names == longest for names in lists) else {})


def _average(finding: Finding, what: str) -> np.ndarray:
    """A number of each layer, averaged over the images and clipped to what a log axis can show, [L]."""
    names, layers = finding.arrays["names"], finding.arrays["layers"]
    before = [""] if len(names) == 1 else [f"{name}/" for name in names]
    means = [np.mean([finding.numbers[f"{name}{layer}/{what}"] for name in before]) for layer in layers]
    return np.maximum(means, LEAST)


def _average_start(findings: Mapping[str, Finding]) -> float:
    """The mean distance of the noise to the images."""
    numbers = [pair for finding in findings.values() for pair in finding.numbers.items()]
    return float(np.mean([value for name, value in numbers if name.endswith("start_distance")]))
