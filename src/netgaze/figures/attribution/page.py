"""How `Attribution` lays out a network: one row per image, one column per method, and below it its tests."""

from collections.abc import Iterator, Mapping
from functools import partial
from itertools import zip_longest

import numpy as np
from matplotlib.figure import Figure as Picture

from netgaze.drawing.evidence import describe_answer, measure_scale, overlay
from netgaze.drawing.faithfulness_plots import find_top, make_trial_legend, make_trial_plots
from netgaze.drawing.faithfulness_words import describe_trial
from netgaze.drawing.panels import GRAY, SMALL
from netgaze.drawing.rows import Columns, Row, align, lay_out, make_bands, make_text, stack
from netgaze.drawing.tiles import Tile, make_tiles
from netgaze.drawing.words import wrap_words
from netgaze.figure import Finding
from netgaze.figures.attribution.methods import METHODS, UNITS
from netgaze.text import format_value

_MOST_PITCH, _GAP = 1.75, 0.06  # inches: from tile to tile, and between them
_TRIAL = ("shares", "curves", "stages", "spearman", "spearman_others")


def draw_blocks(findings: Mapping[str, Finding]) -> Picture:
    """The page, from findings of `Attribution`."""
    make_rows = partial(_make_rows, top=find_top(findings.values()))
    return lay_out([make_bands(findings, make_rows, most=2), make_trial_legend()])


def _make_rows(findings: Mapping[str, Finding], columns: Columns, top: float) -> list[Row]:
    cells = (
        _list_cells(found, x, columns.width, top) for x, found in zip(columns.lefts, findings.values(), strict=True)
    )
    return [columns.titles(findings, below=0.1), *(align(filter(None, row)) for row in zip_longest(*cells)), Row(0.1)]


def _list_cells(finding: Finding, x: float, width: float, top: float) -> Iterator[Row]:
    """A network from the top: the names and scales of the methods, images with their maps, and tests."""
    arrays, num = finding.arrays, len(finding.arrays["methods"])
    pitch = min(_MOST_PITCH, width / (num + 1))
    x += (width - pitch * (num + 1)) / 2
    methods = [(place, str(method), x + pitch * (place + 1)) for place, method in enumerate(arrays["methods"])]
    scales = [measure_scale(maps) for maps in arrays["maps"]]
    yield align(_make_head(method, scales[place], left + (pitch - _GAP) / 2) for place, method, left in methods)
    for number in range(len(arrays["images"])):
        yield _make_example(arrays, number, scales, x, pitch)
    trials = ({name: arrays[name][place] for name in _TRIAL} for place in range(num))
    yield align(
        make_trial_plots(left - 0.2, pitch, trial, top) for (*_, left), trial in zip(methods, trials, strict=True)
    )
    yield align(_make_words(finding.numbers["trials"][method], left, pitch) for _, method, left in methods)


def _make_head(method: str, scale: float, x: float) -> Row:
    """A method's name, and the value of the full color: a bar would have no room for its numbers."""
    words = f"±{format_value(scale, 2)}\n{UNITS[method]}"
    scaled = make_text(words, x, SMALL, below=0.06, ha="center", color=GRAY)
    return stack([make_text(METHODS[method], x, SMALL, ha="center"), scaled])


def _make_example(arrays: dict[str, np.ndarray], number: int, scales: list[float], x: float, pitch: float) -> Row:
    """An image, its maps, and the prediction below."""
    picture = arrays["images"][number]
    maps = (overlay(picture, maps[number], scale) for maps, scale in zip(arrays["maps"], scales, strict=True))
    tiles = make_tiles([Tile(picture), *map(Tile, maps)], x, pitch, _GAP, below=0.0)
    words, color = describe_answer(arrays, number, 2 * pitch)
    return stack([tiles, Row(0.03), make_text(words, x, SMALL, below=0.1, color=color)])


def _make_words(numbers: dict[str, float], x: float, pitch: float) -> Row:
    return make_text(wrap_words(describe_trial(numbers), pitch - _GAP, SMALL), x, SMALL, below=0.05, color=GRAY)
