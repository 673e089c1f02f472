"""Layers as bars: parameters, activations, multiply-adds and receptive field, one line per layer or block."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from matplotlib.figure import Figure as Picture
from matplotlib.ticker import EngFormatter, MaxNLocator

from netgaze.drawing.panels import GRAY, RIGHT, SMALL, TEXT, TITLE, WIDTH, WRONG, Sheet
from netgaze.drawing.rows import Row, align, lay_out, make_aside, make_text, stack
from netgaze.drawing.words import shorten, wrap_words
from netgaze.inside.anatomy import Layer

_NAMES, _ROW, _GAP = 2.7, 0.155, 0.15  # inches: the layers' names, a line, between two panels
_MOST_ROWS, _FEWEST_ROWS = 64, 26  # lines of a picture, and of each network where there are several
_PANELS = {
    "params": "parameters",
    "activations": "activations",
    "macs": "multiply-adds",
    "receptive_field": "receptive field, pixels",
}
_PANEL = (WIDTH - _NAMES - 0.1 - _GAP * (len(_PANELS) - 1)) / len(_PANELS)  # inches: a panel's width


def draw_bars(rows: Mapping[str, Sequence[Layer]], words: Mapping[str, str], sides: Mapping[str, int]) -> Picture:
    """A block per network, one below the other, all on the same scales.

    Args:
        rows: the layers by the network's name.
        words: what stands below the name.
        sides: of the image, marked on the receptive field.
    """
    most = max(_FEWEST_ROWS, _MOST_ROWS // len(rows))
    lines = {label: group_blocks(own, most) for label, own in rows.items()}
    largest = {name: max(_read_value(line, name) for own in lines.values() for line in own) for name in _PANELS}
    largest["receptive_field"] = max(largest["receptive_field"], *sides.values())
    blocks = [Row(0.1)]
    for label, own in lines.items():
        blocks += [
            make_text(wrap_words(label, WIDTH - 0.3, TITLE), size=TITLE, below=0.03, weight="bold"),
            make_text(wrap_words(words[label], WIDTH - 0.2, TEXT), below=0.12, color=GRAY),
            _make_block(own, largest, sides[label]),
            Row(0.65),
        ]
    return lay_out(blocks)


def group_blocks(rows: Sequence[Layer], most: int) -> list[Layer]:
    """At most `most` lines, or as few as whole children make: neighbors whose names begin alike are merged.

    A line sums what its layers cost, and sees what the widest of them sees.
    """
    depth = max(row.name.count(".") + 1 for row in rows)
    while depth > 1 and len(_group_names(rows, depth)) > most:
        depth -= 1
    return [_sum_layers(name, group) for name, group in _group_names(rows, depth)] if len(rows) > most else list(rows)


def _group_names(rows: Sequence[Layer], depth: int) -> list[tuple[str, list[Layer]]]:
    groups = itertools.groupby(rows, lambda row: ".".join(row.name.split(".")[:depth]))
    return [(name, list(group)) for name, group in groups]


def _sum_layers(name: str, group: Sequence[Layer]) -> Layer:
    if len(group) == 1:
        return group[0]
    counts = {key: sum(getattr(row, key) for row in group) for key in ("params", "activations", "macs")}
    sees = max((row.receptive_field or 0 for row in group), default=0) or None
    last = [row for row in group if row.output_shape][-1:] or group[-1:]
    return replace(last[0], name=name, kind=f"({len(group)} layers)", receptive_field=sees, **counts)


def _read_value(row: Layer, name: str) -> int:
    return getattr(row, name) or 0


def _make_block(rows: Sequence[Layer], largest: Mapping[str, int], side: int) -> Row:
    """The layers' names, and beside them a panel of bars for each of their numbers."""
    names = stack(_make_name(row) for row in rows)
    draw = partial(_draw_panel, rows=rows, side=side)
    panels = [
        Row(names.height, partial(draw, name=name, x=_NAMES + column * (_PANEL + _GAP), largest=largest[name]))
        for column, name in enumerate(_PANELS)
    ]
    return align([names, *panels])


def _make_name(row: Layer) -> Row:
    title = f"{row.name or '(itself)'} {row.kind}" if row.name != "input" else row.name
    size = shorten("x".join(map(str, row.output_shape)), 0.8, SMALL)
    name = make_aside(shorten(title, _NAMES - 0.95, SMALL), 0.1, _ROW)
    return align([name, make_aside(size, _NAMES - 0.08, _ROW, ha="right", color=GRAY)])


def _draw_panel(sheet: Sheet, y: float, rows: Sequence[Layer], side: int, name: str, x: float, largest: int) -> None:
    """A bar per layer with its number; `side` is the image's, `largest` the largest number of all networks."""
    field = name == "receptive_field"
    top = max(largest, 1)
    title = _PANELS[name] + (f"\n(dashed: the image's {side})" if field else "")
    limits: Any = {"xlim": (0, 1.35 * top), "ylim": (len(rows) - 0.5, -0.5), "yticks": []}
    axes = sheet.axes(x, y, _PANEL, _ROW * len(rows), xlabel=title, **limits)
    values = [_read_value(row, name) for row in rows]
    axes.barh(range(len(rows)), values, height=0.72, color=WRONG if field else RIGHT)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=3, integer=True))
    axes.xaxis.set_major_formatter(EngFormatter(sep="") if not field else "{x:.0f}")
    behind = {"facecolor": "white", "edgecolor": "none", "pad": 0.4}  # the dashed line gives way
    style: Any = {"fontsize": SMALL - 1, "va": "center", "color": GRAY, "bbox": behind}
    for place, value in enumerate(values):
        if value:
            axes.text(value + 0.02 * top, place, str(value) if field else shorten_count(value), **style)
    if field:
        axes.axvline(side, color=GRAY, linewidth=0.8, linestyle="--", zorder=0)


def shorten_count(value: int) -> str:
    """A count with three digits that count: 999, 1.79k, 36.9k, 2.36M."""
    mantissa, power = f"{value:.2e}".split("e")
    thousands, rest = divmod(int(power), 3)
    return f"{float(mantissa) * 10**rest:.{2 - rest}f}{'kMGTP'[thousands - 1]}" if thousands else str(value)
