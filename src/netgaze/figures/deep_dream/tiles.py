"""How `DeepDream` lays out one network: an image, its dreams, and words below each."""

from collections.abc import Mapping

import numpy as np

from netgaze.drawing.panels import GRAY, SMALL, Sheet
from netgaze.drawing.rows import Row
from netgaze.drawing.words import measure_lines, wrap_words
from netgaze.figure import Finding
from netgaze.text import format_value

_LARGEST_TILE = 3.0  # inches


def list_cells(finding: Finding, x: float, width: float) -> list[Row]:
    """What a column at x shows, from the top: images, their dreams, and words below each."""
    arrays, cells = finding.arrays, list[Row]()
    for (i, j), key in name_dreams(arrays, "/").items():
        if j == 0:
            cells.append(_make_cell(arrays[f"base{i}"], str(arrays["images"][i]), x, width))
        before, after = (format_value(finding.numbers[f"{key}/{when}"]) for when in ("before", "after"))
        ratio = finding.numbers.get(f"{key}/ratio")
        times = "" if ratio is None else f" (×{format_value(ratio)})"
        cells.append(_make_cell(arrays[f"dream{i}_{j}"], f"{arrays['goals'][j]}: {before} to {after}{times}", x, width))
    return cells


def name_dreams(arrays: Mapping[str, np.ndarray], between: str) -> dict[tuple[int, int], str]:
    """By the places of image and goal: the goal's name, after the image's where there are several."""
    images, goals = arrays["images"], arrays["goals"]
    return {
        (i, j): str(goal) if len(images) == 1 else f"{image}{between}{goal}"
        for i, image in enumerate(images)
        for j, goal in enumerate(goals)
    }


def _make_cell(tile: np.ndarray, words: str, x: float, width: float) -> Row:
    """A picture [H,W,3], fitted into a square, centered in a column at x, and words below it."""
    scale = min(width, _LARGEST_TILE) / max(tile.shape[:2])
    wide, high = tile.shape[1] * scale, tile.shape[0] * scale
    words = wrap_words(words, width, SMALL)

    def draw(sheet: Sheet, y: float) -> None:
        sheet.image(tile, x + (width - wide) / 2, y, wide, high)
        sheet.text(x + width / 2, y + high + 0.04, words, SMALL, ha="center", color=GRAY)

    return Row(high + measure_lines(words, SMALL) + 0.15, draw)
