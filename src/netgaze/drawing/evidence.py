"""Evidence for a class, drawn: a map over its picture, the scale of its colors, and the prediction in words."""

from typing import Any

import numpy as np

from netgaze.drawing.panels import GRAY, RIGHT, SMALL, WRONG, color_signed
from netgaze.drawing.rows import Row, make_signed_bar
from netgaze.drawing.tiles import Tile, make_tiles
from netgaze.drawing.words import count_cells, measure_cell, shorten, wrap_words
from netgaze.text import format_share

_OPACITY = 0.8


def measure_scale(maps: np.ndarray) -> float:
    """The value of full color in all maps of a network, of any shape: 1% of their pixels are above it.

    Maps of zeros have a scale of 1.
    """
    return float(np.quantile(np.abs(maps), 0.99)) or 1.0


def overlay(picture: np.ndarray, heat: np.ndarray, scale: float) -> np.ndarray:
    """A signed map [H,W] over the gray of a picture, uint8 [H,W,3] -> uint8 [H,W,3]: the stronger the less gray."""
    gray = picture.mean(axis=2, keepdims=True) / 255
    opacity = _OPACITY * np.clip(np.abs(heat) / (scale or 1.0), 0, 1)[..., None]
    mixed = (1 - opacity) * gray + opacity * color_signed(heat, scale)
    return (mixed * 255).round().astype(np.uint8)


def make_pair(picture: np.ndarray, heat: np.ndarray, scale: float, x: float, pitch: float, below: float = 0.0) -> Row:
    """A picture at x and, so many inches further, the map over it."""
    return make_tiles([Tile(picture), Tile(overlay(picture, heat, scale))], x, pitch, gap=0.05, below=below)


def make_evidence_bar(x: float, width: float, scale: float, unit: object) -> Row:
    """The color bar of maps of evidence in a network's `map_unit`."""
    return make_signed_bar(x, width, scale, f"evidence ({unit})", above=0.1)


def describe_answer(
    arrays: dict[str, np.ndarray], number: int, width: float, lines: int = 1, known: bool = True
) -> tuple[str, str]:
    """An example's true and predicted class, each with its probability, in lines; and the color of these words.

    Args:
        arrays: of a finding: names `true` and `predicted`, `probability_true` and `probability_predicted`, all [n].
        number: of the example.
        width: of a line in inches.
        lines: that a name may fill.
        known: whether the true class is.
    """
    right = bool(arrays["true"][number] == arrays["predicted"][number])
    said = [("✓" if right else "true:", "true")] * known + [("×" if known else "predicted:", "predicted")] * (not right)
    words = [_describe_class(sign, arrays, key, number, width, lines) for sign, key in said]
    return "\n".join(words), RIGHT if right else WRONG if known else GRAY


def _describe_class(sign: str, arrays: dict[str, Any], key: str, number: int, width: float, lines: int) -> str:
    share = format_share(float(arrays[f"probability_{key}"][number]))
    room = lines * width - count_cells(f"{sign}  {share}") * measure_cell(SMALL)
    return wrap_words(f"{sign} {shorten(str(arrays[key][number]), room, SMALL)} {share}", width, SMALL)
