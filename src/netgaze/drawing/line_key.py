"""What the lines of a plot mean, written beside it: long words wrap, so that they never lie on the lines."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from netgaze.drawing.panels import SMALL, Sheet
from netgaze.drawing.words import measure_lines, wrap_words

Entry = tuple[dict[str, Any], str]  # how a line looks, in matplotlib's words, and what it is

_SAMPLE, _BETWEEN = 0.42, 0.07  # inches: the length of a sample with the gap after it, between two entries


def measure_key(entries: Sequence[Entry], width: float) -> float:
    """The height in inches of a key of that width."""
    return sum(measure_lines(_words(words, width), SMALL) + _BETWEEN for _, words in entries)


def draw_key(sheet: Sheet, x: float, y: float, width: float, entries: Sequence[Entry]) -> None:
    """A sample of each line and its words, below one another from (x, y), its top left corner."""
    for style, words in entries:
        said, middle = _words(words, width), y + 0.5 * measure_lines("", SMALL)
        ends = np.linspace(x, x + _SAMPLE - 0.08, 3)
        sheet.paper.plot(ends, [middle] * 3, markevery=[1], **style)
        sheet.text(x + _SAMPLE, y, said, SMALL)
        y += measure_lines(said, SMALL) + _BETWEEN


def _words(words: str, width: float) -> str:
    return wrap_words(words, width - _SAMPLE, SMALL)
