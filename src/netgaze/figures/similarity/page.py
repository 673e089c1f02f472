"""The layout of `Similarity`: a grid per pair, the second network's stages across."""

from collections.abc import Mapping
from functools import partial

import numpy as np
from matplotlib.figure import Figure as Picture

from netgaze.drawing.panels import GRAY, SEQUENTIAL, SMALL, TEXT, WIDTH, Sheet
from netgaze.drawing.rows import Row, align, lay_out, make_bar, make_text, stack
from netgaze.drawing.words import clip_words, measure_lines, wrap_words
from netgaze.figures.similarity.pairs import Pair
from netgaze.text import format_percent

_ACROSS = 4
_PITCH = (WIDTH - 0.2) / _ACROSS
_SIDE, _LEFT = 1.35, 0.62  # inches: of a grid, and left of it for the stages' names
_MOST_NUMBERED = 6  # stages up to which cells have their numbers
_LINES = 2


def draw_pairs(pairs: Mapping[tuple[str, str], Pair]) -> Picture:
    """The page, from pairs by the labels of both networks; ceilings first."""
    ordered = sorted(pairs.items(), key=lambda item: not item[1].is_repeat)
    cells = [_make_cell(labels, pair, 0.1 + place % _ACROSS * _PITCH) for place, (labels, pair) in enumerate(ordered)]
    bands = [align(cells[start : start + _ACROSS]) for start in range(0, len(cells), _ACROSS)]
    bar = make_bar(WIDTH / 2 - 1.5, 3.0, [0, 0.5, 1], SEQUENTIAL, "debiased linear CKA above chance", above=0.05)
    return lay_out([Row(0.1), stack(bands, gap=0.15), bar])


def _make_cell(labels: tuple[str, str], pair: Pair, x: float) -> Row:
    """A pair's names, its grid, and its mutual kNN."""
    width = _PITCH - 0.15
    names = [clip_words(label, width, TEXT, _LINES) for label in labels]
    head = stack(
        [
            make_text(names[0], x, TEXT, weight="bold"),
            make_text(f"across: {names[1]}", x, TEXT, below=0.0),
            make_text("the ceiling: another seed" if pair.is_repeat else " ", x, SMALL, 0.1, color=GRAY),
        ]
    )
    rows = len(labels and names[0].split("\n")) + len(names[1].split("\n"))
    spare = (2 * _LINES - rows) * measure_lines("x", TEXT)
    shared = f"mutual kNN {format_percent(float(pair.shared))}, above chance {float(pair.shared_above_chance):z.2f}"
    words = wrap_words(shared, width, SMALL)
    grid = Row(_SIDE + 0.55, partial(_draw_grid, pair=pair, x=x + _LEFT))
    return stack([Row(max(0.0, spare)), head, grid, make_text(words, x, SMALL, below=0.05, color=GRAY)])


def _draw_grid(sheet: Sheet, y: float, pair: Pair, x: float) -> None:
    """Calibrated CKA: the first network's stages down, the second one's across."""
    rows, columns = pair.above_chance.shape
    width = _SIDE if columns > 1 else _SIDE / max(rows, 3)
    axes = sheet.cells(x, y, width, _SIDE, pair.above_chance, SEQUENTIAL, 0.0)
    axes.set_yticks(range(rows), [clip_words(str(name), _LEFT - 0.1, SMALL, 1) for name in pair.stages], fontsize=SMALL)
    names = [clip_words(str(name), 0.5, SMALL, 1) for name in pair.other_stages]
    axes.set_xticks(range(columns), names, fontsize=SMALL, rotation=90)
    if max(rows, columns) <= _MOST_NUMBERED:
        for (row, column), value in np.ndenumerate(pair.above_chance):
            words = f"{value:z.2f}" if np.isfinite(value) else "-"
            color = "black" if value > 0.6 else "white"
            axes.text(column, row, words, ha="center", va="center", fontsize=SMALL, color=color)
