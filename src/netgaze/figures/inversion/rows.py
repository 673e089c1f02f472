"""How `Inversion` lays out one image of one network, and errors and distances by depth of all networks."""

from typing import Any

import numpy as np
import torch
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator, NullLocator

from netgaze.drawing.examples import to_rgb
from netgaze.drawing.panels import (
    GRAY,
    SEQUENTIAL,
    SMALL,
    WIDTH,
    WRONG,
    Sheet,
    choose_style,
    fill_rows,
    measure_lines,
    shorten,
)
from netgaze.figure import Finding

_CURVES, _MOST_PITCH, _GAP = 2.3, 1.3, 0.12  # inches: the plot right of the images, from image to image, between them
_MOST_ACROSS = 6
_PLOT, _BELOW, _CHARACTER = 1.5, 0.5, 0.065  # inches: a plot by depth, what is below it, a character of a name there
_MOST_LEGEND = 2  # names of networks in a row
_LEAST = 1e-9  # where the axis of errors ends


class InversionRow:
    """One image of one network, laid out in inches: the image, what was found at each layer, the errors' course."""

    def __init__(self, finding: Finding, i: int):
        arrays, name = finding.arrays, str(finding.arrays["names"][i])
        layers = [str(layer) for layer in arrays["layers"]]
        self.curves = [arrays[f"curve{i}_{j}"] for j in range(len(layers))]
        self.tiles = _pictures(np.concatenate([arrays["images"][[i]], arrays["found"][i]]))
        down, self.across = fill_rows(len(self.tiles), _MOST_ACROSS)
        self.pitch = min(_MOST_PITCH, (WIDTH - 0.8 - _CURVES) / self.across)
        self.side = self.pitch - _GAP
        before = "" if len(arrays["names"]) == 1 else f"{name}/"
        self.words = [[(shorten(name, self.side, SMALL), "black")]]
        self.words += [
            [(_end(layer, self.side), _shade(j, len(layers))), *_said(finding.numbers, f"{before}{layer}")]
            for j, layer in enumerate(layers)
        ]
        self.row = self.side + max(map(len, self.words)) * measure_lines("", SMALL) + 0.14
        self.height = max(down * self.row, 1.6)

    def draw(self, sheet: Sheet, y: float) -> None:
        """From y downwards."""
        for place, (tile, words) in enumerate(zip(self.tiles, self.words, strict=True)):
            x, top = 0.1 + place % self.across * self.pitch, y + place // self.across * self.row
            sheet.image(tile, x, top, self.side, self.side)
            for number, (line, color) in enumerate(words):
                line_y = top + self.side + 0.04 + number * measure_lines("", SMALL)
                sheet.text(x + self.side / 2, line_y, line, SMALL, ha="center", color=color)
        axes = sheet.axes(0.7 + self.across * self.pitch, y + 0.2, _CURVES, 1.1)
        for j, curve in enumerate(self.curves):
            axes.plot(np.maximum(curve, _LEAST), color=_shade(j, len(self.curves)), linewidth=1.3)
        _errors(axes, "error by step")
        axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))


class DepthPlots:
    """Error and distance by depth, a line a network, the mean of the images; and the distance of the start."""

    def __init__(self, findings: dict[str, Finding]):
        self.findings = findings
        self.rows = -(-(len(findings) + 1) // _MOST_LEGEND)
        self.height = 0.3 + _PLOT + _BELOW + 0.2 * self.rows + 0.05

    def draw(self, sheet: Sheet, y: float) -> None:
        """From y downwards."""
        width = WIDTH / 2 - 0.8
        left, right = (sheet.axes(x, y + 0.3, width, _PLOT) for x in (0.65, WIDTH / 2 + 0.6))
        handles = []
        for number, (label, finding) in enumerate(self.findings.items()):
            style: Any = choose_style(number) | {"markersize": 4, "linewidth": 1.3}
            for axes, what in ((left, "error"), (right, "distance")):
                values = _by_layer(finding, what)
                axes.plot(range(1, len(values) + 1), np.maximum(values, _LEAST if what == "error" else 0), **style)
            handles.append(Line2D([], [], label=shorten(label, WIDTH / 2 - 0.6, SMALL), **style))
        starts = [value for name, value in self._numbers() if name.endswith("start_distance")]
        right.axhline(float(np.mean(starts)), color=GRAY, linestyle=":", linewidth=1)
        handles.append(Line2D([], [], label="the noise to start from", color=GRAY, linestyle=":"))
        _errors(left, "error by layer")
        right.set_title("distance of the image by layer", fontsize=SMALL, pad=3)
        right.set_ylim(0, 1.08 * right.get_ylim()[1])
        for axes in (left, right):
            self._name_layers(axes, width)
        sheet.legend(handles, y + 0.3 + _PLOT + _BELOW, _MOST_LEGEND)

    def _numbers(self) -> list[tuple[str, Any]]:
        return [pair for finding in self.findings.values() for pair in finding.numbers.items()]

    def _name_layers(self, axes: Axes, width: float) -> None:
        """By name where all networks have the same layers and there is room; else by place."""
        lists = [[str(layer) for layer in finding.arrays["layers"]] for finding in self.findings.values()]
        longest = max(lists, key=len)
        room = max(map(len, longest)) * _CHARACTER < width / len(longest)
        alike = all(names == longest for names in lists)
        axes.set_xlim(0.6, len(longest) + 0.4)
        axes.set_xticks(range(1, len(longest) + 1), longest if alike and room else None)
        axes.set_xlabel("layer, shallow to deep", fontsize=SMALL)


def _by_layer(finding: Finding, what: str) -> np.ndarray:
    """A number of each layer, the mean of the images, [L]."""
    names, layers = finding.arrays["names"], finding.arrays["layers"]
    before = [""] if len(names) == 1 else [f"{name}/" for name in names]
    return np.array([np.mean([finding.numbers[f"{name}{layer}/{what}"] for name in before]) for layer in layers])


def _said(numbers: dict[str, Any], key: str) -> list[tuple[str, str]]:
    """The lines below an image that was found."""
    error, distance, steps = (numbers[f"{key}/{what}"] for what in ("error", "distance", "steps"))
    converged = numbers[f"{key}/converged"]
    end = (f"converged in {steps}", GRAY) if converged else ("not converged", WRONG)
    return [(f"error {error:.2g}", GRAY), (f"distance {distance:.2g}", GRAY), end]


def _end(layer: str, width: float) -> str:
    """A layer's name in one line of `width` inches: names differ at their ends."""
    return shorten(layer[::-1], width, SMALL)[::-1]


def _errors(axes: Axes, title: str) -> None:
    """An axis of whole powers of ten for what is drawn already."""
    low, high = (np.log10(edge(np.concatenate([line.get_ydata() for line in axes.get_lines()]))) for edge in (min, max))
    low, high = np.floor(low), max(np.ceil(high), np.floor(low) + 1)
    axes.set_yscale("log")
    axes.set_ylim(10.0**low, 10.0 ** (high + 0.06))  # a point on the edge would be cut
    axes.set_yticks(10.0 ** np.arange(low, high + 1, max(1, (high - low) // 4)))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.set_title(title, fontsize=SMALL, pad=3)


def _shade(j: int, num: int) -> Any:
    """Dark for shallow layers, light for deep ones; no shade too light to be read."""
    return colormaps[SEQUENTIAL](0.8 * j / max(1, num - 1))


def _pictures(images: np.ndarray) -> np.ndarray:
    """Images in 0..1 [N,C,H,W] as uint8 [N,H,W,3]."""
    return to_rgb(torch.from_numpy((images * 255).round().astype(np.uint8)))
