"""Errors and distances of images by depth, a line per network."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import NullLocator

from netgaze.drawing.panels import GRAY, SMALL, WIDTH, Sheet, choose_style
from netgaze.drawing.rows import Row, make_legend, stack
from netgaze.drawing.words import shorten
from netgaze.figure import Finding

LEAST = 1e-9  # where the axis of errors ends
_PLOT, _BELOW, _CHARACTER = 1.5, 0.5, 0.065  # inches: a plot, what is below it, a character of a layer's name there
_WIDTH = WIDTH / 2 - 0.8  # inches: of a plot
_MOST_LEGEND = 2  # names of networks in a row


def make_plots(findings: Mapping[str, Finding]) -> Row:
    """Error and distance by depth, the mean of the images, and the distance of the start; with a legend."""
    styles: list[Any] = [choose_style(number) | {"markersize": 4, "linewidth": 1.3} for number in range(len(findings))]
    handles = [
        Line2D([], [], label=shorten(label, WIDTH / 2 - 0.6, SMALL), **style)
        for label, style in zip(findings, styles, strict=True)
    ]
    handles.append(Line2D([], [], label="the noise to start from", color=GRAY, linestyle=":"))

    def draw(sheet: Sheet, y: float) -> None:
        left, right = (sheet.axes(x, y, _WIDTH, _PLOT) for x in (0.65, WIDTH / 2 + 0.6))
        for finding, style in zip(findings.values(), styles, strict=True):
            for axes, values in ((left, _average(finding, "error", LEAST)), (right, _average(finding, "distance", 0))):
                axes.plot(range(1, len(values) + 1), values, **style)
        right.axhline(_average_start(findings), color=GRAY, linestyle=":", linewidth=1)
        scale_errors(left, "error by layer")
        right.set_title("distance of the image by layer", fontsize=SMALL, pad=3)
        right.set_ylim(0, 1.08 * right.get_ylim()[1])
        for axes in (left, right):
            _name_layers(axes, findings)

    height = 0.2 * -(-len(handles) // _MOST_LEGEND) + 0.05
    return stack([Row(0.3), Row(_PLOT + _BELOW, draw), make_legend(handles, height, 0.0, _MOST_LEGEND)])


def scale_errors(axes: Axes, title: str) -> None:
    """An axis of whole powers of ten for what is drawn already."""
    low, high = (np.log10(edge(np.concatenate([line.get_ydata() for line in axes.get_lines()]))) for edge in (min, max))
    low, high = np.floor(low), max(np.ceil(high), np.floor(low) + 1)
    axes.set_yscale("log")
    axes.set_ylim(10.0**low, 10.0 ** (high + 0.06))  # a point on the edge would be cut
    axes.set_yticks(10.0 ** np.arange(low, high + 1, max(1, (high - low) // 4)))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.set_title(title, fontsize=SMALL, pad=3)


def _name_layers(axes: Axes, findings: Mapping[str, Finding]) -> None:
    """By name where all networks have the same layers and there is room; else by place."""
    lists = [[str(layer) for layer in finding.arrays["layers"]] for finding in findings.values()]
    longest = max(lists, key=len)
    room = max(map(len, longest)) * _CHARACTER < _WIDTH / len(longest)
    alike = all(names == longest for names in lists)
    axes.set_xlim(0.6, len(longest) + 0.4)
    axes.set_xticks(range(1, len(longest) + 1), longest if alike and room else None)
    axes.set_xlabel("layer, shallow to deep", fontsize=SMALL)


def _average(finding: Finding, what: str, least: float) -> np.ndarray:
    """A number of each layer, the mean of the images, and no less than `least`, [L]."""
    names, layers = finding.arrays["names"], finding.arrays["layers"]
    before = [""] if len(names) == 1 else [f"{name}/" for name in names]
    means = [np.mean([finding.numbers[f"{name}{layer}/{what}"] for name in before]) for layer in layers]
    return np.maximum(means, least)


def _average_start(findings: Mapping[str, Finding]) -> float:
    """The distance of the noise to the images, their mean."""
    numbers = [pair for finding in findings.values() for pair in finding.numbers.items()]
    return float(np.mean([value for name, value in numbers if name.endswith("start_distance")]))
