"""Rows: a figure lists the bands of its page, each a height in inches and what draws it; the page sums the heights."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

from matplotlib.figure import Figure as Picture

from netgaze.drawing.fonts import plain_text
from netgaze.drawing.panels import GRAY, SIGNED, SMALL, TEXT, TITLE, WIDTH, Sheet, fill_rows, measure_titles
from netgaze.drawing.words import measure_lines, shorten, wrap_words
from netgaze.figure import Finding

_ABOVE = 0.1  # inches above a title
_MOST_ACROSS = 4  # columns side by side


def _leave_blank(sheet: Sheet, y: float) -> None:
    """Draws nothing: the row is a gap."""


@dataclass(frozen=True)
class Row:
    """A band of a page, or of a part of it.

    Attributes:
        height: in inches.
        draw: draws it onto a sheet, its top at y; without it the row is a gap.
    """

    height: float
    draw: Callable[[Sheet, float], None] = _leave_blank


def lay_out(rows: Iterable[Row]) -> Picture:
    """A page of rows, one below the other. No other place makes a sheet, so that on every page text is text."""
    page = stack(rows)
    with plain_text():
        sheet = Sheet(page.height)
        page.draw(sheet, 0.0)
    return sheet.figure


def stack(rows: Iterable[Row], gap: float = 0.0) -> Row:
    """Rows below one another, with a gap between them, as one."""
    rows = list(rows)

    def draw(sheet: Sheet, y: float) -> None:
        for row in rows:
            row.draw(sheet, y)
            y += row.height + gap

    return Row(sum(row.height for row in rows) + gap * max(0, len(rows) - 1), draw)


def align(cells: Iterable[Row]) -> Row:
    """Cells beside one another, their tops on one line, as a row as high as the highest; each knows its own x."""
    cells = list(cells)

    def draw(sheet: Sheet, y: float) -> None:
        for cell in cells:
            cell.draw(sheet, y)

    return Row(max((cell.height for cell in cells), default=0.0), draw)


class Columns:
    """Equal columns across the page; fewer than `least` are as wide as so many, and are centered.

    Args:
        num: of columns.
        left: their left edge in inches.
        gap: between them.
        least: see above.

    Attributes:
        lefts: the left edges of the columns, in inches.
        width: of each.
    """

    def __init__(self, num: int, left: float = 0.1, gap: float = 0.2, least: int = 1):
        places = max(num, least)
        self.width = (WIDTH - 0.1 - left - gap * (places - 1)) / places
        pitch = self.width + gap
        self.lefts = [left + number * pitch + (places - num) * pitch / 2 for number in range(num)]

    def titles(self, labels: Iterable[str], below: float = 0.0) -> Row:
        """The columns' labels, bold and wrapped, with a gap below them."""
        labels = list(labels)

        def draw(sheet: Sheet, y: float) -> None:
            for x, label in zip(self.lefts, labels, strict=False):
                sheet.title(x, y + _ABOVE, self.width, label)

        return Row(_ABOVE + measure_titles(labels, self.width) + below, draw)

    def captions(self, words: Iterable[str], size: float = TEXT, below: float = 0.0) -> Row:
        """Gray words centered in each column, wrapped, with a gap below them."""
        wrapped = [wrap_words(text, self.width, size) for text in words]

        def draw(sheet: Sheet, y: float) -> None:
            for x, text in zip(self.lefts, wrapped, strict=False):
                sheet.text(x + self.width / 2, y, text, size, ha="center", color=GRAY)

        return Row(max(measure_lines(text, size) for text in wrapped) + below, draw)


def make_bands(
    findings: Mapping[str, Finding],
    make_rows: Callable[[Mapping[str, Finding], Columns], Iterable[Row]],
    left: float = 0.1,
    gap: float = 0.2,
    least: int = 1,
    most: int = _MOST_ACROSS,
) -> Row:
    """One column per label; more than `most` are laid out in bands below one another, in columns of one width.

    Args:
        findings: by label.
        make_rows: the rows of one band, from its findings and its columns.
        left: see `Columns`.
        gap: see `Columns`.
        least: see `Columns`.
        most: columns side by side.
    """
    labels, across = list(findings), fill_rows(len(findings), most)[1]
    bands = [labels[start : start + across] for start in range(0, len(labels), across)]
    return stack(
        stack(make_rows({label: findings[label] for label in band}, Columns(len(band), left, gap, max(across, least))))
        for band in bands
    )


def lay_out_columns(
    findings: Mapping[str, Finding],
    list_cells: Callable[[Finding, float, float], Iterable[Row]],
    left: float = 0.1,
    gap: float = 0.2,
    head: Sequence[Row] = (),
) -> Picture:
    """A page with a column of cells per label, the n-th cells on one line; more than four are laid out in bands.

    Args:
        findings: by label.
        list_cells: the cells of a finding from the top, from the left edge and the width of its column in inches.
        left: see `Columns`.
        gap: see `Columns`.
        head: rows above the columns of each band.
    """

    def make_rows(band: Mapping[str, Finding], columns: Columns) -> Iterator[Row]:
        yield from head
        yield columns.titles(band, below=0.05)
        cells = [list_cells(band[label], x, columns.width) for label, x in zip(band, columns.lefts, strict=True)]
        yield from (align(filter(None, row)) for row in zip_longest(*cells))

    return lay_out([make_bands(findings, make_rows, left, gap)])


def make_title(label: str, below: float = 0.0) -> Row:
    """A label across the page, bold and wrapped, centered above its block."""
    return Row(
        _ABOVE + measure_titles([label], WIDTH) + below, lambda sheet, y: sheet.title(0, y + _ABOVE, WIDTH, label)
    )


def make_head(label: str, words: str, height: float) -> Row:
    """A label at the left above its block, shortened to one line, and gray words at the right."""

    def draw(sheet: Sheet, y: float) -> None:
        sheet.text(0.1, y, shorten(label, 4.2, TITLE), TITLE, weight="bold")
        sheet.text(WIDTH - 0.1, y + 0.02, words, TEXT, ha="right", color=GRAY)

    return Row(height, draw)


def make_text(
    words: str, x: float = 0.1, size: float = TEXT, below: float = 0.0, height: float | None = None, **style: Any
) -> Row:
    """Words that are broken into lines already, at x, with a gap below them; or of a height."""
    height = measure_lines(words, size) + below if height is None else height
    return Row(height, lambda sheet, y: sheet.text(x, y, words, size, **style))


def make_aside(words: str, x: float, height: float, size: float = SMALL, **style: Any) -> Row:
    """Words beside something `height` inches high, vertically centered; broken into lines already, at x."""
    return Row(height, lambda sheet, y: sheet.text(x, y + height / 2, words, size, va="center", **style))


def make_legend(handles: Sequence[Any], height: float, above: float, columns: int, handle: float = 2.5) -> Row:
    """A legend centered on the page, `above` inches below the row's top; see `Sheet.legend`."""
    return Row(height, lambda sheet, y: sheet.legend(handles, y + above, columns, handle))


def make_bar(
    x: float, width: float, ticks: Sequence[float], colors: str, words: str, height: float = 0.55, above: float = 0.08
) -> Row:
    """A color bar from the first to the last of its ticks, named below it, with a gap above it."""
    return Row(height, lambda sheet, y: sheet.bar(x, y + above, width, ticks, colors, words))


def make_signed_bar(x: float, width: float, scale: float, words: str, height: float = 0.55, above: float = 0.08) -> Row:
    """The same for signed values from -scale to scale."""
    return make_bar(x, width, [-scale, 0, scale], SIGNED, words, height, above)
