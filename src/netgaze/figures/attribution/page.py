"""How `Attribution` lays out a network: a row per image, a column per method, and below each method its trial."""

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure as Picture

from netgaze.drawing.evidence import describe_answer, make_evidence_bar, measure_scale, overlay
from netgaze.drawing.faithfulness_plots import make_trial_legend, make_trial_plots
from netgaze.drawing.faithfulness_words import describe_trial
from netgaze.drawing.panels import GRAY, SMALL
from netgaze.drawing.rows import Columns, Row, align, lay_out, make_bands, make_text, stack
from netgaze.drawing.tiles import Tile, make_tiles
from netgaze.drawing.words import wrap_words
from netgaze.figure import Finding
from netgaze.figures.attribution.methods import METHODS

_MOST_PITCH, _GAP = 1.75, 0.06  # inches: from tile to tile, and between them
_TRIAL = ("shares", "curves", "stages", "spearman", "spearman_others")


def draw_blocks(findings: Mapping[str, Finding]) -> Picture:
    """The page, from findings of `Attribution`."""
    return lay_out([make_bands(findings, _make_rows, most=2), make_trial_legend()])


def _make_rows(findings: Mapping[str, Finding], columns: Columns) -> list[Row]:
    blocks = (
        _make_block(finding, x, columns.width) for x, finding in zip(columns.lefts, findings.values(), strict=True)
    )
    return [columns.titles(findings, below=0.1), align(blocks), Row(0.15)]


def _make_block(finding: Finding, x: float, width: float) -> Row:
    """A network: the names of the methods, the images with their maps, scales, and trials."""
    arrays, num = finding.arrays, len(finding.arrays["methods"])
    pitch = min(_MOST_PITCH, width / (num + 1))
    x += (width - pitch * (num + 1)) / 2
    lefts = [x + pitch * (place + 1) for place in range(num)]
    scales = [measure_scale(maps) for maps in arrays["maps"]]
    middle = (pitch - _GAP) / 2
    names = (
        make_text(METHODS[str(method)], left + middle, SMALL, below=0.06, ha="center")
        for method, left in zip(arrays["methods"], lefts, strict=True)
    )
    examples = (_make_example(arrays, number, scales, x, pitch) for number in range(len(arrays["images"])))
    bars = (
        make_evidence_bar(left - 0.07, pitch - _GAP + 0.14, scale, unit)
        for left, scale, unit in zip(lefts, scales, arrays["units"], strict=True)
    )
    trials = (
        _make_trial(finding, str(method), place, left, pitch)
        for place, (method, left) in enumerate(zip(arrays["methods"], lefts, strict=True))
    )
    return stack([align(names), *examples, align(bars), Row(0.1), align(trials)])


def _make_example(arrays: dict[str, np.ndarray], number: int, scales: list[float], x: float, pitch: float) -> Row:
    """An image, its maps, and the network's answer below."""
    picture = arrays["images"][number]
    maps = (overlay(picture, maps[number], scale) for maps, scale in zip(arrays["maps"], scales, strict=True))
    tiles = make_tiles([Tile(picture), *map(Tile, maps)], x, pitch, _GAP, below=0.0)
    words, color = describe_answer(arrays, number, 2 * pitch)
    return stack([tiles, Row(0.03), make_text(words, x, SMALL, below=0.1, color=color)])


def _make_trial(finding: Finding, method: str, place: int, x: float, pitch: float) -> Row:
    plots = make_trial_plots(x - 0.2, pitch + 0.12, {name: finding.arrays[name][place] for name in _TRIAL})
    words = wrap_words(describe_trial(finding.numbers["trials"][method]), pitch - _GAP, SMALL)
    return stack([plots, make_text(words, x, SMALL, below=0.05, color=GRAY)])
