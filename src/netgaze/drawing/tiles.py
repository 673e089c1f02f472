"""Tiles: pictures in lines, each with a frame and words below; a row is as high as its words need."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from netgaze.drawing.panels import SMALL, Sheet
from netgaze.drawing.rows import Row, stack
from netgaze.drawing.words import measure_lines

_UNDER = 0.03  # inches between a tile and its words


@dataclass(frozen=True)
class Tile:
    """A picture with its words and frame.

    Attributes:
        picture: uint8 [H,W,3], drawn as a square.
        words: below it, broken into lines already.
        right: the frame: blue, or crossed vermilion; None for none.
        line: color and width in points of a plain line around it, instead.
        style: of the words, in matplotlib's terms; black otherwise.
    """

    picture: np.ndarray
    words: str = ""
    right: bool | None = None
    line: tuple[str, float] | None = None
    style: dict[str, Any] = field(default_factory=dict)

    def draw(self, sheet: Sheet, x: float, y: float, side: float) -> None:
        """Draw it, its upper left corner at (x, y)."""
        sheet.image(self.picture, x, y, side, side)
        if self.right is not None:
            sheet.frame(x, y, side, self.right)
        if self.line is not None:
            sheet.outline(x, y, side, *self.line)
        if self.words:
            style: dict[str, Any] = {"size": SMALL, "ha": "center"} | self.style
            sheet.text(x + side / 2, y + side + _UNDER, self.words, **style)


def make_tiles(
    tiles: Sequence[Tile], x: float, pitch: float, gap: float = 0.07, across: int | None = None, below: float = 0.05
) -> Row:
    """Tiles from x on, in lines of at most `across`; a line is as high as its tallest words, with a gap below it.

    Args:
        tiles: what is shown.
        x: the first one's left edge, in inches.
        pitch: from tile to tile.
        gap: between two tiles; a tile is as wide as the rest.
        across: tiles in a line; all of them otherwise.
        below: the gap below each line.
    """
    across = across or max(1, len(tiles))
    side = pitch - gap
    lines = [tiles[start : start + across] for start in range(0, len(tiles), across)]
    return stack(_make_line(line, [x + place * pitch for place in range(len(line))], side, below) for line in lines)


def _make_line(tiles: Sequence[Tile], lefts: Iterable[float], side: float, below: float) -> Row:
    lefts, words = list(lefts), [tile.words for tile in tiles if tile.words]

    def draw(sheet: Sheet, y: float) -> None:
        for tile, left in zip(tiles, lefts, strict=True):
            tile.draw(sheet, left, y, side)

    under = max((measure_lines(each, SMALL) for each in words), default=-_UNDER) + _UNDER
    return Row(side + under + below, draw)
