"""Pseudo-labels in pictures: a block per network with the images that each class chose."""

from collections.abc import Mapping

import numpy as np

from netgaze.drawing.panels import GRAY, SMALL, WIDTH
from netgaze.drawing.rows import Row, align, make_head, make_text, stack
from netgaze.drawing.tiles import Tile, make_tiles
from netgaze.drawing.words import clip_words, shorten
from netgaze.figure import Finding

_PARTS = ("highest scores", "middle", "lowest scores")
_WORDS, _GAP, _MOST_TILE = 1.5, 0.15, 0.82  # inches: the words left of a row, between its parts, a tile


def make_block(label: str, finding: Finding, num_each: int) -> Row:
    """A network's title and numbers, and a row per class: its images of the highest, middle and lowest scores."""
    numbers, arrays = finding.numbers, finding.arrays
    words = f"{numbers['images']:,} pseudo-labels for {numbers['distinct']:,} images"
    words += f", {numbers['share_right']:.0%} correct" if numbers["images"] else ""
    tile = min(_MOST_TILE, (WIDTH - 0.2 - _WORDS - 2 * _GAP) / (len(_PARTS) * num_each))
    lefts = [0.1 + _WORDS + part * (num_each * tile + _GAP) for part in range(len(_PARTS))]
    parts = (shorten(part, num_each * tile, SMALL) for part in _PARTS)
    heads = align(make_text(part, x, SMALL, below=0.05, color=GRAY) for x, part in zip(lefts, parts, strict=True))
    rows = [_make_class(arrays, number, lefts, tile) for number in arrays["rows"]]
    return stack([make_head(label, words, 0.32), heads, *rows, Row(0.15)])


def _make_class(arrays: Mapping[str, np.ndarray], label: int, lefts: list[float], tile: float) -> Row:
    own = np.flatnonzero(arrays["tile_class"] == label)
    cells = [make_text(_describe_class(arrays, label), 0.1, SMALL, below=0.1)]
    if not len(own):
        cells.append(make_text("no images", lefts[0], SMALL, color=GRAY))
    for part, x in enumerate(lefts):
        numbers = own[arrays["tile_part"][own] == part]
        cells.append(make_tiles([_make_tile(arrays, number, tile) for number in numbers], x, tile, below=0.08))
    return align(cells)


def _describe_class(arrays: Mapping[str, np.ndarray], label: int) -> str:
    """Left of a row: the class, its number of images, and the share correct."""
    name, count = clip_words(str(arrays["names"][label]), 0.95 * _WORDS - 0.1, SMALL, 2), arrays["counts"][label]
    lines = [name, f"{count:,} image{'s' * int(count != 1)}"]
    return "\n".join([*lines, *([f"{arrays['right'][label]:.0%} correct"] if count else [])])


def _make_tile(arrays: Mapping[str, np.ndarray], number: int, tile: float) -> Tile:
    """An image with its score, and its true class if this is another."""
    true, words = arrays["tile_true"][number], f"{arrays['tile_score'][number]:.2f}"
    right = bool(true == arrays["tile_class"][number])
    if not right:
        words += "\n" + shorten(f"is {arrays['names'][true]}", 0.95 * tile, SMALL)
    return Tile(arrays["images"][number], words, right)
