"""The layout of one network in `ResponseMaps`: rows of images, with the maps of their classes beside them."""

from collections.abc import Iterator, Mapping

import numpy as np
import torch

from netgaze.drawing.evidence import describe_answer, make_evidence_bar, measure_scale
from netgaze.drawing.heat import describe_pointing, enlarge
from netgaze.drawing.panels import GRAY, PALE, SMALL, WIDTH, color_signed
from netgaze.drawing.rows import Row, align, make_text, make_title, stack
from netgaze.drawing.tiles import Tile, make_tiles
from netgaze.drawing.words import clip_words, measure_lines, shorten, wrap_words
from netgaze.figure import Finding
from netgaze.text import format_percent, format_value

_WORDS, _GAP, _MOST_PITCH = 0.92, 0.05, 1.1  # inches: the words left of an image, between tiles, from tile to tile
_LEAST_LEVEL, _UPRIGHT = 0.5, 0.95  # inches: tiles so narrow have names that stand upright, so high
_MOST_LINES = 4
_MOST_ROWS = 24  # images of all networks together


def make_blocks(findings: Mapping[str, Finding]) -> Iterator[Row]:
    """A block per network; beside many networks each shows only its first images."""
    num = max(len(finding.arrays["images"]) for finding in findings.values())
    shown = max(2, _MOST_ROWS // len(findings))
    for label, finding in findings.items():
        yield _make_block(label, finding, shown)
    if shown < num:
        words = f"The first {shown} of {num} images are drawn, to make room for all networks."
        yield make_text(words, WIDTH / 2, SMALL, below=0.05, ha="center", color=GRAY)


def _make_block(label: str, finding: Finding, shown: int) -> Row:
    """One network: title, words, a row per image below its classes' names, and the color bar."""
    arrays, size = finding.arrays, finding.arrays["images"].shape[1:3]
    heats = np.stack([enlarge(torch.from_numpy(of_one), size).numpy() for of_one in arrays["maps"]])
    num, scale = heats.shape[1], measure_scale(heats)
    pitch = min(_MOST_PITCH, (WIDTH - 0.3 - _WORDS) / (num + 1))
    left = (WIDTH - 0.1 - _WORDS - pitch * (num + 1)) / 2
    maps = left + _WORDS + 0.1 + pitch
    rows = [make_title(label, below=0.02)]
    words = wrap_words(_describe(finding.numbers), WIDTH - 0.2, SMALL)
    rows.append(make_text(words, WIDTH / 2, SMALL, below=0.08, ha="center", color=GRAY))
    for row, classes in enumerate(arrays["classes"][:shown]):
        if row == 0 or (arrays["classes"] != classes).any():
            rows.append(_make_names(classes, maps, pitch))
        mark, color = describe_answer(arrays, row, _WORDS - 0.02, lines=3, known=bool(arrays["known"][row]))
        image = make_tiles([Tile(arrays["images"][row])], left + _WORDS, pitch, _GAP)
        beside = make_text(mark, left, SMALL, below=0.05, color=color)
        tiles = _list_maps(arrays, row, color_signed(heats[row], scale), pitch)
        rows.append(align([beside, image, make_tiles(tiles, maps, pitch, _GAP)]))
    width = min(3.0, pitch * num)
    return stack([*rows, make_evidence_bar(maps + (pitch * num - _GAP - width) / 2, width, scale, arrays["unit"])])


def _make_names(classes: np.ndarray, x: float, pitch: float) -> Row:
    """The classes' names above their maps: horizontal, or vertical if the maps are narrow."""
    level = pitch >= _LEAST_LEVEL
    names = [
        clip_words(str(name), pitch - 0.06, SMALL, _MOST_LINES) if level else shorten(str(name), _UPRIGHT, SMALL)
        for name in classes
    ]
    height = max(measure_lines(name, SMALL) for name in names) if level else _UPRIGHT
    middle, style = x + (pitch - _GAP) / 2, {} if level else {"rotation": 90}
    cells = (
        make_text(name, middle + column * pitch, SMALL, height=0.04, va="bottom", ha="center", **style)
        for column, name in enumerate(names)
    )
    return stack([Row(height), align(cells)])


def _list_maps(arrays: dict[str, np.ndarray], row: int, colors: np.ndarray, pitch: float) -> list[Tile]:
    """An image's maps with their scores: a thick frame around the true class's, the predicted class's score bold."""
    tiles = []
    for column, color in enumerate(colors):
        score = _format_score(float(arrays["scores"][row, column]))
        size = min(SMALL, pitch * 72 / (0.68 * len(score)))
        style = {"size": size, "weight": "bold" if arrays["answers"][row, column] else "normal"}
        line = ("black", 2.0) if arrays["framed"][row, column] else (PALE, 0.5)
        tiles.append(Tile((color * 255).round().astype(np.uint8), score, line=line, style=style))
    return tiles


def _format_score(score: float) -> str:
    return f"{score:z.2f}" if abs(score) < 10 else format_value(score)


def _describe(numbers: dict[str, float]) -> str:
    words = f"{numbers['map_height']}x{numbers['map_width']} maps; in {numbers['num_scored']:,} images of the split, "
    highest, lowest, chance = (format_percent(numbers[key]) for key in ("peak_highest", "trough_lowest", "chance"))
    words += f"the true class's map has the highest peak in {highest}, the lowest trough in {lowest} (chance {chance})"
    if "peak_on_object" in numbers:
        words += f"\n{describe_pointing(numbers)}"
    return words
