"""The key of a plot's lines, written beside it: long words wrap, so that they never cover the lines."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from netgaze.drawing.panels import SMALL, Sheet
from netgaze.drawing.rows import Row, stack
from netgaze.drawing.words import measure_lines, wrap_words

Entry = tuple[dict[str, Any], str]  # how a line looks, in matplotlib's words, and what it is

_SAMPLE, _BETWEEN = 0.42, 0.07  # inches: the length of a sample with the gap after it, between two entries


def make_key(x: float, width: float, entries: Iterable[Entry]) -> Row:
    """A sample of each line and its words, below one another from x on, so many inches wide."""
    wrapped = ((style, wrap_words(words, width - _SAMPLE, SMALL)) for style, words in entries)
    return stack((_make_entry(x, style, words) for style, words in wrapped), _BETWEEN)


def _make_entry(x: float, style: dict[str, Any], words: str) -> Row:
    def draw(sheet: Sheet, y: float) -> None:
        middle, ends = y + 0.5 * measure_lines("", SMALL), np.linspace(x, x + _SAMPLE - 0.08, 3)
        sheet.paper.plot(ends, [middle] * 3, markevery=[1], **style)
        sheet.text(x + _SAMPLE, y, words, SMALL)

    return Row(measure_lines(words, SMALL), draw)
