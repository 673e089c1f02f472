"""Filters of one layer as pictures: RGB tiles of those on images, a grid of signed tiles of others."""

from functools import partial

import numpy as np
from matplotlib.ticker import MaxNLocator

from netgaze.drawing.panels import GRAY, SMALL, TEXT, Sheet, color_signed
from netgaze.drawing.rows import Row, make_signed_bar, stack

DEAD = 0.01  # of the largest norm of a layer


def stack_layer(weights: np.ndarray, x: float, width: float) -> Row:
    """A layer's grid; below one of signed tiles its axis and a color bar."""
    wide, high = _measure(weights, width)
    draw = _draw_tiles if is_tiled(weights) else _draw_grid
    left = x + (width - wide) / 2
    grid = Row(high, partial(draw, weights=weights, x=left, wide=wide, high=high))
    if is_tiled(weights):
        return stack([grid, Row(0.2)])
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
    """Tiles uint8 [N,k,k,3] as one picture, `across` in a row (null: about square), white gaps between them."""
    num, side = len(tiles), tiles.shape[1]
    across = across or int(np.ceil(np.sqrt(num)))
    down = -(-num // across)
    step = side + gap
    picture = np.full((down * step - gap, across * step - gap, 3), 255, dtype=np.uint8)
    for number, tile in enumerate(tiles):
        y, x = number // across * step, number % across * step
        picture[y : y + side, x : x + side] = tile
    return picture


def _count_across(weights: np.ndarray) -> int:
    return min(len(weights), 8) if is_tiled(weights) else weights.shape[1]


def _measure(weights: np.ndarray, width: float) -> tuple[float, float]:
    """Width and height in inches of a layer's grid."""
    across = _count_across(weights)
    down = -(-len(weights) // across) if is_tiled(weights) else len(weights)
    tile = min(width / across, 0.5 if is_tiled(weights) else 5.0 / down)
    return tile * across, tile * down


def _draw_tiles(sheet: Sheet, y: float, weights: np.ndarray, x: float, wide: float, high: float) -> None:
    """Filters on images as pictures, with the number of the first of each line."""
    across, norms = _count_across(weights), np.sqrt((weights**2).sum(axis=(1, 2, 3)))
    tile = wide / across
    for number, picture in enumerate(tile_rgb(weights)):
        left, top = x + number % across * tile, y + number // across * tile
        sheet.image(picture, left, top, tile * 0.92, tile * 0.92)
        if norms[number] < DEAD * norms.max():
            sheet.text(left + tile * 0.46, top + tile * 0.46, "×", TEXT, ha="center", va="center")
        if number % across == 0:
            sheet.text(x - 0.06, top + tile * 0.46, str(number), SMALL, ha="right", va="center", color=GRAY)


def _draw_grid(sheet: Sheet, y: float, weights: np.ndarray, x: float, wide: float, high: float) -> None:
    """Other filters as a grid of signed tiles with axes."""
    tiles = color_tiles(weights)
    axes = sheet.axes(x, y, wide, high)
    shape = (-0.5, tiles.shape[1] - 0.5, len(tiles) - 0.5, -0.5)
    grid = paste_grid(tiles.reshape(-1, *tiles.shape[2:]), gap=1, across=tiles.shape[1])
    sharp = "nearest" if grid.shape[1] < 120 * wide else "auto"  # enlarged pixels stay squares
    axes.imshow(grid, extent=shape, aspect="auto", interpolation=sharp)
    axes.set_xlabel("input channel", fontsize=SMALL)
    axes.set_ylabel("filter", fontsize=SMALL, labelpad=1)
    axes.spines[:].set_visible(False)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(integer=True))
