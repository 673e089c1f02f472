"""One image of one network: its reconstruction at each layer, and the error curves."""

from typing import Any

import numpy as np
import torch
from matplotlib import colormaps
from matplotlib.colors import to_hex
from matplotlib.ticker import MaxNLocator

from netgaze.drawing.examples import to_rgb
from netgaze.drawing.panels import GRAY, SEQUENTIAL, SMALL, WIDTH, WRONG, Sheet, fill_rows
from netgaze.drawing.rows import Row, align
from netgaze.drawing.tiles import Tile, make_tiles
from netgaze.drawing.words import shorten
from netgaze.figure import Finding
from netgaze.figures.inversion.depths import LEAST, scale_errors
from netgaze.text import format_value

_CURVES, _MOST_PITCH, _GAP = 2.3, 1.3, 0.12  # inches: the plot right of the images, from image to image, between them
_MOST_ACROSS = 6


def make_image(finding: Finding, i: int) -> Row:
    """Image i and its reconstructions in lines of at most six, with the error curves to the right."""
    arrays, numbers, name = finding.arrays, finding.numbers, str(finding.arrays["names"][i])
    before, layers = "" if len(arrays["names"]) == 1 else f"{name}/", [str(layer) for layer in arrays["layers"]]
    across = fill_rows(len(layers) + 1, _MOST_ACROSS)[1]
    pitch = min(_MOST_PITCH, (WIDTH - 0.8 - _CURVES) / across)
    image, *found = _convert(np.concatenate([arrays["images"][[i]], arrays["found"][i]]))
    tiles = [Tile(image, shorten(name, pitch - _GAP, SMALL))]
    shades = [_shade(j, len(layers)) for j in range(len(layers))]
    for layer, shade, picture in zip(layers, shades, found, strict=True):
        words, color = _describe(numbers, f"{before}{layer}")
        title = _shorten_start(layer, pitch - _GAP)
        tiles.append(Tile(picture, f"{title}\n{words}", line=(shade, 2.0), style={"color": color}))

    def draw(sheet: Sheet, y: float) -> None:
        axes = sheet.axes(0.7 + across * pitch, y + 0.2, _CURVES, 1.1, title="feature error by step")
        for j, shade in enumerate(shades):
            axes.plot(np.maximum(arrays[f"curve{i}_{j}"], LEAST), color=shade, linewidth=1.3)
        scale_errors(axes)
        axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))

    return align([make_tiles(tiles, 0.1, pitch, _GAP, across, below=0.1), Row(1.6, draw)])


def _describe(numbers: dict[str, Any], key: str) -> tuple[str, str]:
    """The lines below a reconstruction, and their color."""
    error, distance, steps = (numbers[f"{key}/{what}"] for what in ("error", "distance", "steps"))
    converged = numbers[f"{key}/converged"]
    end = f"{steps} steps" if converged else "not converged"
    return f"error {format_value(error, 2)}\ndistance {format_value(distance, 2)}\n{end}", GRAY if converged else WRONG


def _shorten_start(layer: str, width: float) -> str:
    """A layer's name in one line of `width` inches: names differ at their ends."""
    return shorten(layer[::-1], width, SMALL)[::-1]


def _shade(j: int, num: int) -> str:
    """Dark for shallow layers, lighter for deep ones, always legible."""
    return to_hex(colormaps[SEQUENTIAL](0.8 * j / max(1, num - 1)))


def _convert(images: np.ndarray) -> np.ndarray:
    """Images in 0..1 [N,C,H,W] as uint8 [N,H,W,3]."""
    return to_rgb(torch.from_numpy((images * 255).round().astype(np.uint8)))
