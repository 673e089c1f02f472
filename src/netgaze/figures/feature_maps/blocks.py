"""How `FeatureMaps` lays out an image and, layer by layer, its maps."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from matplotlib import colormaps

from netgaze.drawing.panels import GRAY, SEQUENTIAL, SIGNED, SMALL, Sheet, color_signed, fill_rows
from netgaze.drawing.rows import Columns, Row, make_bar, stack
from netgaze.drawing.words import measure_lines, shorten, wrap_words
from netgaze.figure import Finding

_PICTURE, _LEAST_PITCH, _MOST_PITCH, _GAP = 1.3, 0.4, 0.95, 0.05  # inches: the image, from map to map, between them
_NUMBER = 0.15  # inches: a line below a map
_QUANTILE = 0.99
_MOST_ACROSS = 8  # of a few maps; of many a grid about twice as wide as high


def make_images(findings: Sequence[Finding], number: int, columns: Columns) -> Row:
    """Image `number` in each column, with its name."""
    side = min(_PICTURE, columns.width)

    def draw(sheet: Sheet, y: float) -> None:
        for x, finding in zip(columns.lefts, findings, strict=True):
            name = shorten(str(finding.arrays["names"][number]), columns.width, SMALL)
            sheet.image(finding.arrays["images"][number], x + (columns.width - side) / 2, y, side, side)
            sheet.text(x + columns.width / 2, y + side + 0.03, name, SMALL, ha="center", color=GRAY)

    return Row(side + _NUMBER + 0.1, draw)


class Block:
    """The maps of one layer of one network in a grid.

    Args:
        finding: of `FeatureMaps`.
        j: the place of the layer.
        x: the left edge of the column.
        width: of the column.
        scale: "layer" or "channel".
    """

    def __init__(self, finding: Finding, j: int, x: float, width: float, scale: str):
        arrays, layer = finding.arrays, str(finding.arrays["layers"][j])
        self.maps, self.x, self.width, self.by_channel = arrays[f"maps{j}"], x, width, scale == "channel"
        self.signed, channels = bool(self.maps.min() < 0), arrays[f"channels{j}"]
        self.words = wrap_words(_describe(finding.numbers, layer, len(channels)), width, SMALL)
        strongest = np.abs(self.maps).max(axis=(0, 2, 3))
        self.full = float(np.quantile(np.abs(self.maps), _QUANTILE)) or float(strongest.max()) or 1.0
        self.tops = strongest if self.by_channel else np.full_like(strongest, self.full)
        self.names = [
            f"{channel} ×" if dead else str(channel) for channel, dead in zip(channels, arrays[f"dead{j}"], strict=True)
        ]
        if self.by_channel:
            self.names = [f"{name}\n{top:.2g}" for name, top in zip(self.names, self.tops, strict=True)]
        num = len(self.names)
        most = max(1, min(int(width / _LEAST_PITCH), max(_MOST_ACROSS, round((2 * num) ** 0.5))))
        self.down, self.across = fill_rows(num, most)
        self.pitch = min(_MOST_PITCH, width / self.across)
        self.row = self.pitch - _GAP + _NUMBER * (1 + self.by_channel)

    def make_cell(self, number: int) -> Row:
        """The maps for image `number`, between words and a color bar."""
        wide = min(2.4, self.width)
        words, top = ("share of the channel's largest", 1.0) if self.by_channel else ("activation", self.full)
        ticks, colors = ([-top, 0, top], SIGNED) if self.signed else ([0, top], SEQUENTIAL)
        return stack(
            [
                Row(measure_lines(self.words, SMALL) + 0.05, self._draw_words),
                Row(self.down * self.row, partial(self._draw_maps, number=number)),
                make_bar(self.x + (self.width - wide) / 2, wide, ticks, colors, words),
            ]
        )

    def _draw_words(self, sheet: Sheet, y: float) -> None:
        sheet.text(self.x + self.width / 2, y, self.words, SMALL, ha="center", color=GRAY)

    def _draw_maps(self, sheet: Sheet, y: float, number: int) -> None:
        left, side = self.x + (self.width - self.across * self.pitch + _GAP) / 2, self.pitch - _GAP
        for place, (values, top, name) in enumerate(zip(self.maps[number], self.tops, self.names, strict=True)):
            tile_x = left + place % self.across * self.pitch
            tile_y = y + place // self.across * self.row
            sheet.image(_color_map(values, float(top), self.signed), tile_x, tile_y, side, side)
            sheet.outline(tile_x, tile_y, side, "#BBBBBB", 0.4)
            sheet.text(tile_x + side / 2, tile_y + side + 0.01, name, SMALL, ha="center", color=GRAY)


def _describe(numbers: dict[str, Any], layer: str, num: int) -> str:
    own = {name: numbers[f"{layer}/{name}"] for name in ("channels", "height", "width", "dead", "active")}
    few = f"{num} of " if num < own["channels"] else ""
    return (
        f"{layer}: {few}{own['channels']} maps of {own['height']}x{own['width']}; dead {own['dead']:.2f}, values above "
        f"zero {own['active']:.2f}"
    )


def _color_map(values: np.ndarray, top: float, signed: bool) -> np.ndarray:
    """Activations [h,w] as a picture uint8 [h,w,3]: signed from -top to top, others from zero to top."""
    colors = color_signed(values, top) if signed else colormaps[SEQUENTIAL](values / (top or 1.0))[..., :3]
    return (colors * 255).round().astype(np.uint8)
