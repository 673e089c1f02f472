"""The layout of `Predict`: the picture, the map over it, and a bar for each of the most probable classes."""

from collections.abc import Mapping

from matplotlib.figure import Figure as Picture
from matplotlib.patches import Rectangle

from netgaze.drawing.evidence import make_evidence_bar, make_pair, measure_scale
from netgaze.drawing.panels import GRAY, RIGHT, SMALL, WIDTH, Sheet
from netgaze.drawing.rows import Columns, Row, align, lay_out, make_aside, make_bands, make_text, stack
from netgaze.drawing.words import count_cells, measure_cell, shorten
from netgaze.figure import Finding
from netgaze.text import format_share

_MOST_COLUMNS = 5
_TILE, _LINE, _GAP = 1.3, 0.19, 0.1  # inches: most of a tile, a class's bar with the gap below it, after a row
_LEAST_BARS, _MOST_BARS = 1.6, 3.4  # inches: bars that cannot be as wide beside the tiles lie below them


def draw_answers(findings: Mapping[str, Finding]) -> Picture:
    """The page, from findings of `Predict`."""
    return lay_out([make_bands(findings, _make_rows, gap=0.25, most=_MOST_COLUMNS)])


def _make_rows(findings: Mapping[str, Finding], columns: Columns) -> list[Row]:
    num_bars = max(finding.arrays["classes"].shape[1] for finding in findings.values())
    cells = [_Cells(*pair, columns.width, num_bars) for pair in zip(findings.values(), columns.lefts, strict=True)]
    first, rows = cells[0], [columns.titles(findings, below=0.05)]
    for row in range(len(first.arrays["maps"])):
        name = shorten(str(first.arrays["names"][row]), WIDTH - 0.2 - first.x, SMALL)
        rows.append(make_text(name, first.x, SMALL, height=0.22, weight="bold", color=GRAY))
        rows.append(align(cell.make_row(row) for cell in cells))
    return [*rows, align(cell.make_bar() for cell in cells)]


class _Cells:
    """A network's column: for each picture two tiles, and bars beside or below them, as wide as possible.

    Args:
        finding: the network's.
        x: the column's left edge, in inches.
        width: of the column.
        num_bars: most of any picture in any column.
    """

    def __init__(self, finding: Finding, x: float, width: float, num_bars: int):
        self.arrays, self.scale = finding.arrays, measure_scale(finding.arrays["maps"])
        self.beside = width - 2 * 1.1 >= _LEAST_BARS
        self.pitch = min(_TILE, (width - _LEAST_BARS) / 2 if self.beside else width / 2)
        self.bars = min(_MOST_BARS, width - 2 * self.pitch - 0.1) if self.beside else 2 * self.pitch
        self.x = x + (width - 2 * self.pitch - (self.bars + 0.1 if self.beside else 0.0)) / 2
        self.blank = Row(num_bars * _LINE)

    def make_row(self, row: int) -> Row:
        """One picture's predictions."""
        arrays, left = self.arrays, self.x + (2 * self.pitch + 0.1 if self.beside else 0.0)
        pair = make_pair(arrays["pictures"][row], arrays["maps"][row], self.scale, self.x, self.pitch, below=0.11)
        pairs = zip(arrays["classes"][row], arrays["probabilities"][row], strict=True)
        lines = (
            self._make_class(left, str(name), float(share), place == 0) for place, (name, share) in enumerate(pairs)
        )
        bars = align([stack(lines), self.blank])
        return stack([align([pair, bars]) if self.beside else stack([pair, bars]), Row(_GAP)])

    def make_bar(self) -> Row:
        """The color bar of the maps."""
        return make_evidence_bar(self.x, 2 * self.pitch, self.scale, self.arrays["unit"])

    def _make_class(self, x: float, name: str, share: float, bold: bool) -> Row:
        """A class, its probability, and a bar as long as this."""
        said, weight, height = format_share(share), "bold" if bold else "normal", _LINE - 0.03
        room = 0.88 * (self.bars - 0.14 - count_cells(said) * measure_cell(SMALL))  # bold words are wider

        def draw(sheet: Sheet, y: float) -> None:
            for part, opacity in ((1.0, 0.08), (share, 0.35)):
                bar = Rectangle((x, y), part * self.bars, height, facecolor=RIGHT, edgecolor="none", alpha=opacity)
                sheet.paper.add_patch(bar)

        words = make_aside(shorten(name, room, SMALL), x + 0.04, height, weight=weight)
        number = make_aside(said, x + self.bars - 0.04, height, weight=weight, ha="right")
        return align([Row(_LINE, draw), words, number])
