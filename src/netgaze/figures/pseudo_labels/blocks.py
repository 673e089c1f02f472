"""How pseudo-labels are drawn: a block per network of the images that each class took."""

from collections.abc import Mapping
from functools import partial

import numpy as np

from netgaze.drawing.panels import GRAY, SMALL, WIDTH, Sheet
from netgaze.drawing.rows import Row, align, make_head, stack
from netgaze.drawing.words import clip_words, shorten
from netgaze.figure import Finding

_PARTS = ("highest scores", "middle", "lowest scores")
_WORDS, _GAP, _MOST_TILE = 1.5, 0.15, 0.82  # inches: the words left of a row, between its parts, a tile
_HEAD, _UNDER, _EMPTY, _AFTER = 0.52, 0.3, 0.45, 0.2  # inches: above rows, below a tile, a row of none, below a block


def make_block(label: str, finding: Finding, num_each: int) -> Row:
    """A network's title and numbers, and a row per class: its images of the highest, middle and lowest scores."""
    numbers, arrays = finding.numbers, finding.arrays
    words = f"{numbers['images']:,} pseudo-labels for {numbers['distinct']:,} images"
    words += f", {numbers['share_right']:.0%} right" if numbers["images"] else ""
    tile = min(_MOST_TILE, (WIDTH - 0.2 - _WORDS - 2 * _GAP) / (len(_PARTS) * num_each))
    lefts = [0.1 + _WORDS + part * (num_each * tile + _GAP) for part in range(len(_PARTS))]

    def name_parts(sheet: Sheet, y: float) -> None:
        for x, part in zip(lefts, _PARTS, strict=True):
            sheet.text(x, y + _HEAD - 0.05, shorten(part, num_each * tile, SMALL), SMALL, va="bottom", color=GRAY)

    rows = [
        Row(
            max(tile, 0.4) + _UNDER if arrays["counts"][number] else _EMPTY,
            partial(_draw_class, arrays=arrays, label=number, lefts=lefts, tile=tile),
        )
        for number in arrays["rows"]
    ]
    return stack([align([make_head(label, words, _HEAD), Row(_HEAD, name_parts)]), *rows, Row(_AFTER)])


def _draw_class(
    sheet: Sheet, y: float, arrays: Mapping[str, np.ndarray], label: int, lefts: list[float], tile: float
) -> None:
    sheet.text(0.1, y, _describe_class(arrays, label), SMALL)
    own = np.flatnonzero(arrays["tile_class"] == label)
    if not len(own):
        sheet.text(lefts[0], y + 0.13, "no images", SMALL, va="center", color=GRAY)
    for part, x in enumerate(lefts):
        for across, number in enumerate(own[arrays["tile_part"][own] == part]):
            _draw_tile(sheet, arrays, number, x + across * tile, y, tile)


def _describe_class(arrays: Mapping[str, np.ndarray], label: int) -> str:
    """Left of a row: the class, how many images it has, and how many of them are right."""
    name, count = clip_words(str(arrays["names"][label]), 0.95 * _WORDS - 0.1, SMALL, 2), arrays["counts"][label]
    lines = [name, f"{count:,} image{'s' * int(count != 1)}"]
    return "\n".join([*lines, *([f"{arrays['right'][label]:.0%} right"] if count else [])])


def _draw_tile(sheet: Sheet, arrays: Mapping[str, np.ndarray], number: int, x: float, y: float, tile: float) -> None:
    side, true = tile - 0.07, arrays["tile_true"][number]
    right = bool(true == arrays["tile_class"][number])
    sheet.image(arrays["images"][number], x, y, side, side)
    sheet.frame(x, y, side, right)
    lines = [f"{arrays['tile_score'][number]:.2f}"]
    lines += [] if right else [shorten(f"is {arrays['names'][true]}", 0.95 * tile, SMALL)]
    sheet.text(x + side / 2, y + side + 0.03, "\n".join(lines), SMALL, ha="center")
