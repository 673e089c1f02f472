"""One image of one network: what was found for it at each layer, and the course of the errors."""

from typing import Any

import numpy as np
import torch
from matplotlib import colormaps
from matplotlib.ticker import MaxNLocator

from netgaze.drawing.examples import to_rgb
from netgaze.drawing.panels import GRAY, SEQUENTIAL, SMALL, WIDTH, WRONG, Sheet, fill_rows
from netgaze.drawing.rows import Row
from netgaze.drawing.words import measure_lines, shorten
from netgaze.figure import Finding
from netgaze.figures.inversion.depths import LEAST, scale_errors

_CURVES, _MOST_PITCH, _GAP = 2.3, 1.3, 0.12  # inches: the plot right of the images, from image to image, between them
_MOST_ACROSS = 6


class InversionRow:
    """One image of one network: the image, what was found at each layer, the errors' course.

    Args:
        finding: of `Inversion`.
        i: which of its images.
    """

    def __init__(self, finding: Finding, i: int):
        arrays, name = finding.arrays, str(finding.arrays["names"][i])
        layers = [str(layer) for layer in arrays["layers"]]
        self.curves = [arrays[f"curve{i}_{j}"] for j in range(len(layers))]
        self.tiles = _convert(np.concatenate([arrays["images"][[i]], arrays["found"][i]]))
        self.down, self.across = fill_rows(len(self.tiles), _MOST_ACROSS)
        self.pitch = min(_MOST_PITCH, (WIDTH - 0.8 - _CURVES) / self.across)
        self.side = self.pitch - _GAP
        before = "" if len(arrays["names"]) == 1 else f"{name}/"
        self.words = [[(shorten(name, self.side, SMALL), "black")]]
        self.words += [
            [
                (_shorten_start(layer, self.side), _shade(j, len(layers))),
                *_describe(finding.numbers, f"{before}{layer}"),
            ]
            for j, layer in enumerate(layers)
        ]
        self.row = self.side + max(map(len, self.words)) * measure_lines("", SMALL) + 0.14

    def make_row(self) -> Row:
        """The images in lines of at most six, and the plot right of them."""
        return Row(max(self.down * self.row, 1.6), self._draw)

    def _draw(self, sheet: Sheet, y: float) -> None:
        for place, (tile, words) in enumerate(zip(self.tiles, self.words, strict=True)):
            x, top = 0.1 + place % self.across * self.pitch, y + place // self.across * self.row
            sheet.image(tile, x, top, self.side, self.side)
            for number, (line, color) in enumerate(words):
                line_y = top + self.side + 0.04 + number * measure_lines("", SMALL)
                sheet.text(x + self.side / 2, line_y, line, SMALL, ha="center", color=color)
        axes = sheet.axes(0.7 + self.across * self.pitch, y + 0.2, _CURVES, 1.1)
        for j, curve in enumerate(self.curves):
            axes.plot(np.maximum(curve, LEAST), color=_shade(j, len(self.curves)), linewidth=1.3)
        scale_errors(axes, "error by step")
        axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))


def _describe(numbers: dict[str, Any], key: str) -> list[tuple[str, str]]:
    """The lines below an image that was found."""
    error, distance, steps = (numbers[f"{key}/{what}"] for what in ("error", "distance", "steps"))
    converged = numbers[f"{key}/converged"]
    end = (f"converged in {steps}", GRAY) if converged else ("not converged", WRONG)
    return [(f"error {error:.2g}", GRAY), (f"distance {distance:.2g}", GRAY), end]


def _shorten_start(layer: str, width: float) -> str:
    """A layer's name in one line of `width` inches: names differ at their ends."""
    return shorten(layer[::-1], width, SMALL)[::-1]


def _shade(j: int, num: int) -> Any:
    """Dark for shallow layers, light for deep ones; no shade too light to be read."""
    return colormaps[SEQUENTIAL](0.8 * j / max(1, num - 1))


def _convert(images: np.ndarray) -> np.ndarray:
    """Images in 0..1 [N,C,H,W] as uint8 [N,H,W,3]."""
    return to_rgb(torch.from_numpy((images * 255).round().astype(np.uint8)))
