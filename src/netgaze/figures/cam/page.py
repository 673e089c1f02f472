"""How `Cam` lays out its examples: the image and the map upon it, two columns per network."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
from matplotlib.figure import Figure as Picture

from netgaze.drawing.heat import describe_mass, overlay
from netgaze.drawing.panels import GRAY, RIGHT, SMALL, WRONG, Sheet
from netgaze.drawing.rows import Columns, Row, align, lay_out, make_signed_bar, stack
from netgaze.drawing.words import shorten
from netgaze.figure import Finding

_KINDS = {
    "shared": "same images,\nmap of the true class",
    "best": "its most confident\nright answers",
    "error": "most confident error,\nmap of its answer",
}


def draw_examples(findings: Mapping[str, Finding]) -> Picture:
    """The page, from findings of `Cam`."""
    columns = Columns(len(findings), left=0.5)
    tile = min(columns.width / 2, 1.35)
    lefts = [x + columns.width / 2 - tile for x in columns.lefts]
    placed = list(zip(findings.values(), lefts, strict=True))
    groups = [
        _make_group(kind, [_stack_examples(finding, kind, x, tile) for finding, x in placed], lefts[0] - 0.42)
        for kind in _KINDS
    ]
    bars = [make_signed_bar(x, 2 * tile, _measure_scale(found), "evidence", above=0.1) for found, x in placed]
    captions = columns.captions(map(_describe, findings.values()), SMALL, below=0.1)
    return lay_out([columns.titles(findings), captions, stack(groups, gap=0.15), align(bars)])


def _describe(finding: Finding) -> str:
    numbers = finding.numbers
    words = f"{numbers['map_height']}x{numbers['map_width']} map; "
    words += f"drop {numbers['drop']:z.2f}, by noise {numbers['drop_random']:z.2f}"
    if "peak_on_object" in numbers:
        words += f"\npeak on object {numbers['peak_on_object']:.2f} (middle {numbers['center_on_object']:.2f}), "
        words += describe_mass(numbers)
    return words


def _measure_scale(finding: Finding) -> float:
    """The value that has the full color, of all maps of a network."""
    return float(np.quantile(np.abs(finding.arrays["maps"][finding.arrays["there"]]), 0.99))


def _make_group(kind: str, cells: list[Row], x: float) -> Row:
    """The examples of a kind of all networks, and its words at x."""
    height = align(cells).height
    style: dict[str, Any] = {"rotation": 90, "va": "center", "ha": "left", "color": GRAY}
    words = Row(height, lambda sheet, y: sheet.text(x, y + height / 2, _KINDS[kind], SMALL, **style))
    return align([*cells, words] if height else cells)


def _stack_examples(finding: Finding, kind: str, x: float, tile: float) -> Row:
    """A network's examples of a kind, below one another."""
    numbers = np.flatnonzero(finding.arrays["kinds"] == kind)
    draw = partial(_draw_example, finding=finding, x=x, tile=tile)
    return stack(Row(tile + 0.36, partial(draw, number=int(number))) for number in numbers)


def _draw_example(sheet: Sheet, y: float, finding: Finding, number: int, x: float, tile: float) -> None:
    arrays = finding.arrays
    if not arrays["there"][number]:
        missing = f"never right about\n{shorten(str(arrays['asked'][number]), 2 * tile, SMALL)}"
        missing = "never wrong" if arrays["kinds"][number] == "error" else missing
        sheet.text(x + tile, y + tile / 2, missing, SMALL, ha="center", va="center", color=GRAY)
        return
    true, predicted = str(arrays["true"][number]), str(arrays["predicted"][number])
    right = true == predicted
    lines = [f"{'✓' if right else 'is'} {true} {arrays['probability_true'][number]:.2f}"]
    lines += [] if right else [f"× says {predicted} {arrays['probability_predicted'][number]:.2f}"]
    words = "\n".join(shorten(line, 2 * tile, SMALL) for line in lines)
    sheet.text(x + 0.02, y + 0.3, words, SMALL, va="bottom", color=RIGHT if right else WRONG)
    picture, side = arrays["images"][number], tile - 0.04
    heat = overlay(picture, arrays["maps"][number], _measure_scale(finding))
    sheet.image(picture, x + 0.02, y + 0.31, side, side)
    sheet.image(heat, x + tile + 0.02, y + 0.31, side, side)
