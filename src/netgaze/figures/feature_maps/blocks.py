"""How `FeatureMaps` lays out an image and, layer by layer, its maps."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from matplotlib import colormaps

from netgaze.drawing.panels import GRAY, PALE, SEQUENTIAL, SIGNED, SMALL, color_signed, fill_rows
from netgaze.drawing.rows import Row, make_bar, make_text, stack
from netgaze.drawing.tiles import Tile, make_tiles
from netgaze.drawing.words import shorten, wrap_words
from netgaze.figure import Finding
from netgaze.text import format_value

_PICTURE, _LEAST_PITCH, _MOST_PITCH, _GAP = 1.3, 0.4, 0.95, 0.05  # inches: the image, from map to map, between them
_QUANTILE = 0.99
_MOST_ACROSS = 8  # of a few maps; of many a grid about twice as wide as high
_WORDS = {"color": GRAY}


def list_cells(finding: Finding, x: float, width: float, most: int, scale: str) -> Iterator[Row]:
    """What a column at x shows: each image and its maps, layer by layer.

    Args:
        finding: of `FeatureMaps`.
        x: the left edge of the column.
        width: of the column.
        most: layers of the network with most layers; others leave blanks, so that the next images align.
        scale: "layer" or "channel".
    """
    num, side = len(finding.arrays["layers"]), min(_PICTURE, width)
    for number, (image, name) in enumerate(zip(finding.arrays["images"], finding.arrays["names"], strict=True)):
        tile = Tile(image, shorten(str(name), width, SMALL), style=_WORDS)
        yield make_tiles([tile], x + (width - side) / 2, side, gap=0, below=0.1)
        for j in range(most):
            yield _make_maps(finding, number, j, x, width, scale) if j < num else Row(0)


def _make_maps(finding: Finding, number: int, j: int, x: float, width: float, scale: str) -> Row:
    """The maps of layer j for image `number` in a grid, between words and a color bar."""
    arrays, layer = finding.arrays, str(finding.arrays["layers"][j])
    maps, channels = arrays[f"maps{j}"], arrays[f"channels{j}"]
    signed, tops = bool(maps.min() < 0), find_tops(maps, scale)
    names = [
        f"{channel} ×" if dead else str(channel) for channel, dead in zip(channels, arrays[f"dead{j}"], strict=True)
    ]
    full, unit = float(tops[0]), "activation"
    if scale == "channel":
        names = [f"{name}\n{format_value(float(top))}" for name, top in zip(names, tops, strict=True)]
        full, unit = 1.0, "share of the channel's maximum"
    tiles = [
        Tile(_color_map(values, float(top), signed), name, line=(PALE, 0.4), style=_WORDS)
        for values, top, name in zip(maps[number], tops, names, strict=True)
    ]
    most = max(1, min(int(width / _LEAST_PITCH), max(_MOST_ACROSS, round((2 * len(tiles)) ** 0.5))))
    across = fill_rows(len(tiles), most)[1]
    pitch, wide = min(_MOST_PITCH, width / across), min(2.4, width)
    words = wrap_words(_describe(finding.numbers, layer, len(tiles)), width, SMALL)
    ticks, colors = ([-full, 0, full], SIGNED) if signed else ([0, full], SEQUENTIAL)
    return stack(
        [
            make_text(words, x + width / 2, SMALL, below=0.05, ha="center", color=GRAY),
            make_tiles(tiles, x + (width - across * pitch + _GAP) / 2, pitch, _GAP, across, below=0.02),
            make_bar(x + (width - wide) / 2, wide, ticks, colors, unit),
        ]
    )


def find_tops(maps: np.ndarray, scale: str) -> np.ndarray:
    """The activation at which each channel of maps [n,c,h,w] has its full color, [c]; see `FeatureMaps`, scale."""
    strongest = np.abs(maps).max(axis=(0, 2, 3))
    if scale == "channel":
        return strongest
    return np.full_like(strongest, np.quantile(np.abs(maps), _QUANTILE) or strongest.max() or 1.0)


def _describe(numbers: dict[str, Any], layer: str, num: int) -> str:
    own = {name: numbers[f"{layer}/{name}"] for name in ("channels", "height", "width", "dead", "active")}
    few = f"{num} of " if num < own["channels"] else ""
    return (
        f"{layer}: {few}{own['channels']} maps of {own['height']}x{own['width']}; dead {own['dead']:.1%}, values above "
        f"zero {own['active']:.1%}"
    )


def _color_map(values: np.ndarray, top: float, signed: bool) -> np.ndarray:
    """Activations [h,w] as a picture uint8 [h,w,3]: signed from -top to top, others from zero to top."""
    colors = color_signed(values, top) if signed else colormaps[SEQUENTIAL](values / (top or 1.0))[..., :3]
    return (colors * 255).round().astype(np.uint8)
