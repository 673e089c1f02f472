"""Filters of one layer as pictures: RGB tiles in the first layer, a grid of signed tiles in deeper ones."""

from functools import partial

import numpy as np
from matplotlib.ticker import MaxNLocator

from netgaze.drawing.panels import GRAY, TEXT, Sheet, color_signed
from netgaze.drawing.rows import Row, align, make_aside, make_signed_bar, stack
from netgaze.drawing.tiles import Tile, make_tiles

DEAD = 0.01  # of the largest norm of a layer
_ACROSS, _MOST_PITCH, _MOST_HEIGHT = 8, 0.5, 5.0  # of tiles: in a line, inches from one to the next; inches of a grid


def stack_layer(weights: np.ndarray, x: float, width: float) -> Row:
    """A layer's filters, centered in a column at x; a grid has axes and a color bar."""
    if is_tiled(weights):
        return _make_lines(weights, x, width)
    num, across = weights.shape[:2]
    pitch = min(width / across, _MOST_HEIGHT / num)
    left, wide = x + (width - pitch * across) / 2, pitch * across
    grid = Row(pitch * num, partial(_draw_grid, weights=weights, x=left, wide=wide, high=pitch * num))
    return stack([grid, make_signed_bar(left, wide, float(np.abs(weights).max()), "weight", height=0.9, above=0.42)])


def tile_rgb(weights: np.ndarray) -> np.ndarray:
    """Filters [out,1 or 3,k,k] as pictures uint8 [out,k,k,3]: zero is middle gray, the largest weight full."""
    largest = np.abs(weights).max(axis=(1, 2, 3), keepdims=True)
    values = 0.5 + 0.5 * weights / np.where(largest > 0, largest, 1)
    values = np.broadcast_to(values, (len(values), 3, *values.shape[2:]))
    return (values.transpose(0, 2, 3, 1) * 255).round().astype(np.uint8)


def is_tiled(weights: np.ndarray) -> bool:
    """Whether filters [out,in,k,k] are on images, of one channel or three."""
    return weights.shape[1] in (1, 3)


def color_tiles(weights: np.ndarray) -> np.ndarray:
    """[out,in,k,k] -> uint8 [out,in,k,k,3] on one scale."""
    return (color_signed(weights, float(np.abs(weights).max())) * 255).round().astype(np.uint8)


def paste_grid(tiles: np.ndarray, gap: int, across: int | None = None) -> np.ndarray:
    """Tiles uint8 [N,k,k,3] as one picture, `across` in a row (None: about square), white gaps between them."""
    num, side = len(tiles), tiles.shape[1]
    across = across or int(np.ceil(np.sqrt(num)))
    down = -(-num // across)
    step = side + gap
    picture = np.full((down * step - gap, across * step - gap, 3), 255, dtype=np.uint8)
    for number, tile in enumerate(tiles):
        y, x = number // across * step, number % across * step
        picture[y : y + side, x : x + side] = tile
    return picture


def _make_lines(weights: np.ndarray, x: float, width: float) -> Row:
    """First-layer filters as pictures, dead ones crossed out; each line begins with the number of its first filter."""
    tiles, norms = [*map(Tile, tile_rgb(weights))], np.sqrt((weights**2).sum(axis=(1, 2, 3)))
    across = min(len(tiles), _ACROSS)
    pitch = min(width / across, _MOST_PITCH)
    side, left = 0.92 * pitch, x + (width - pitch * across) / 2
    lines = []
    for first in range(0, len(tiles), across):
        dead = np.flatnonzero(norms[first : first + across] < DEAD * norms.max())
        crosses = [make_aside("×", left + place * pitch + side / 2, side, TEXT, ha="center") for place in dead]
        number = make_aside(str(first), left - 0.06, side, ha="right", color=GRAY)
        own = make_tiles(tiles[first : first + across], left, pitch, pitch - side, below=pitch - side)
        lines.append(align([number, own, *crosses]))
    return stack([*lines, Row(0.2)])


def _draw_grid(sheet: Sheet, y: float, weights: np.ndarray, x: float, wide: float, high: float) -> None:
    """Deeper filters as a grid of signed tiles with axes."""
    tiles = color_tiles(weights)
    grid = paste_grid(tiles.reshape(-1, *tiles.shape[2:]), gap=1, across=tiles.shape[1])
    axes = sheet.axes(x, y, wide, high, xlabel="input channel", ylabel="filter")
    sharp = "nearest" if grid.shape[1] < 120 * wide else "auto"  # enlarged pixels stay squares
    shape = (-0.5, tiles.shape[1] - 0.5, len(tiles) - 0.5, -0.5)
    axes.imshow(grid, extent=shape, aspect="auto", interpolation=sharp)
    axes.spines[:].set_visible(False)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(integer=True))
