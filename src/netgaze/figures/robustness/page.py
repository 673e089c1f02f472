"""The layout of `Robustness`: a plot per kind of corruption, below one image so corrupted, and one of all kinds."""

from collections.abc import Mapping, Sequence
from functools import partial
from itertools import groupby
from typing import Any

import numpy as np
from matplotlib.figure import Figure as Picture

from netgaze.corruptions.kinds import KINDS
from netgaze.drawing.line_key import make_key
from netgaze.drawing.line_plot import Line, choose_styles
from netgaze.drawing.panels import TEXT, WIDTH, Sheet
from netgaze.drawing.rows import Columns, Row, align, lay_out, stack
from netgaze.drawing.tiles import Tile, make_tiles
from netgaze.figure import Finding
from netgaze.glossary import Meaning, format_number

_ACROSS, _LEFT, _GAP = 4, 0.55, 0.2  # plots in a line; inches left of them and between them
_HEIGHT, _TITLE, _BELOW = 1.15, 0.22, 0.42  # inches of a plot, of its title, of what stands below it
_MOST_TILE, _BETWEEN = 0.42, 0.04  # inches of an image, and between two
_SHARE = Meaning("", unit="%")

Plot = tuple[str, list[np.ndarray], np.ndarray | None]  # title, accuracies of each network [S+1], images [S+1,H,W,3]


def draw_page(findings: Mapping[str, Finding], relative: Mapping[str, float], reference: str | None) -> Picture:
    """All networks in each plot.

    Args:
        findings: by label, see `Robustness.compute`.
        relative: the mCE of each network by its label, if there is a reference.
        reference: its label.
    """
    lines = [Line(label, *_EMPTY, control=bool(it.arrays["control"])) for label, it in findings.items()]
    styles = choose_styles(lines)
    words = [_describe(label, it, relative.get(label), reference) for label, it in findings.items()]
    severities = next(iter(findings.values())).arrays["severities"]
    x = np.array([0, *severities])
    key = make_key(_LEFT, WIDTH - _LEFT - 0.2, zip(styles, words, strict=True))
    rows = [_make_line(plots, x, styles) for plots in _list_lines(findings)]
    return lay_out([Row(0.1), key, Row(0.15), *rows])


_EMPTY = (np.zeros(0), np.zeros(0))


def _describe(label: str, finding: Finding, relative: float | None, reference: str | None) -> str:
    numbers = finding.numbers
    clean, error = (format_number(numbers[name], _SHARE) for name in ("clean_acc", "mean_corruption_error"))
    words = f"{label}, by {numbers['answers']}: accuracy {clean} without corruption, mean corruption error {error}"
    return words if relative is None else f"{words}, mCE {format_number(relative, _SHARE)} of {reference}"


def _list_lines(findings: Mapping[str, Finding]) -> list[list[Plot]]:
    """The plots line by line, a line per group; the first line ends with the mean of all kinds."""
    first = next(iter(findings.values()))
    plots = [
        (kind.group, (kind.words, [_read(it, place) for it in findings.values()], first.arrays["examples"][place]))
        for place, kind in enumerate(KINDS.values())
    ]
    lines = [[plot for _, plot in group] for _, group in groupby(plots, key=lambda each: each[0])]
    lines[0].append(("mean of all kinds", [_read(it, slice(None)) for it in findings.values()], None))
    return lines


def _read(finding: Finding, place: int | slice) -> np.ndarray:
    """Accuracies of a kind, or the mean of several, by severity, first without corruption: [S+1]."""
    found = np.atleast_2d(finding.arrays["acc"][place]).mean(axis=0)
    return np.array([finding.numbers["clean_acc"], *found])


def _make_line(plots: Sequence[Plot], x: np.ndarray, styles: Sequence[dict[str, Any]]) -> Row:
    columns = Columns(_ACROSS, _LEFT, _GAP)
    pitch = min(_MOST_TILE + _BETWEEN, columns.width / len(x))
    cells = []
    for left, (title, lines, images) in zip(columns.lefts, plots, strict=False):
        start = left + (columns.width - pitch * len(x) + _BETWEEN) / 2
        tiles = [] if images is None else [make_tiles([*map(Tile, images)], start, pitch, _BETWEEN, below=0.06)]
        head = Row(_TITLE, partial(_write_title, x=left + columns.width / 2, title=title))
        ylabel = "accuracy" if left == columns.lefts[0] else ""
        body = partial(_plot, x=left, width=columns.width, points=x, lines=lines, styles=styles, ylabel=ylabel)
        space = [] if tiles else [Row(pitch - _BETWEEN + 0.06)]
        cells.append(stack([head, *tiles, *space, Row(_HEIGHT + _BELOW, body)]))
    return align(cells)


def _write_title(sheet: Sheet, y: float, x: float, title: str) -> None:
    sheet.text(x, y, title, TEXT, ha="center", weight="bold")


def _plot(
    sheet: Sheet,
    y: float,
    x: float,
    width: float,
    points: np.ndarray,
    lines: Sequence[np.ndarray],
    styles: Sequence[dict[str, Any]],
    ylabel: str,
) -> None:
    axes = sheet.axes(
        x,
        y,
        width,
        _HEIGHT,
        xlabel="severity",
        ylabel=ylabel,
        xticks=points,
        yticks=[0, 0.25, 0.5, 0.75, 1],
        ylim=(0, 1),
    )
    axes.tick_params(labelleft=bool(ylabel))  # one scale for all
    axes.grid(alpha=0.25)
    for values, style in zip(lines, styles, strict=True):
        axes.plot(points, values, **style)
