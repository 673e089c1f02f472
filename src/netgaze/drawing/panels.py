"""One look for all pictures: a sheet laid out in inches from its top left, and the colors, marks and words on it.

A sheet is as wide as a report's page (1100 pixels at 120 dpi). Tiles and words lie on the paper itself, one axes
for all; only plots get axes of their own. Sizes are known before anything is drawn, so nothing overlaps.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.patches import Rectangle

from netgaze.drawing.fonts import Page
from netgaze.drawing.words import LINE, clip_words, count_cells, measure_cell, measure_lines, wrap_words
from netgaze.text import format_value

WIDTH = 9.2
TITLE, TEXT, SMALL = 10.5, 8.5, 7.0  # font sizes in points
RIGHT, WRONG = "#0072B2", "#D55E00"  # blue and vermilion: told apart by every kind of sight (Okabe and Ito 2008)
# Of lines in a plot (Okabe and Ito 2008), where blue and vermilion do not mean right and wrong.
LINES = (RIGHT, WRONG, "#009E73", "#CC79A7", "black", "#E69F00")
DASHES: tuple[Any, ...] = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)))
GRAY, PALE = "#666666", "#BBBBBB"
SIGNED, SEQUENTIAL = "RdBu_r", "viridis"
MOST_NAMES = 28  # classes that a matrix can name
NAMES = 0.95  # inches for the names of a matrix
_MARKERS = "os^DvP*X<>"
NUM_STYLES = 10 * len(_MARKERS)  # that `choose_style` tells apart
_BOLD = 0.85  # bold words need more room


class Sheet:
    """A white page; all places and sizes are inches, from its top left corner.

    Args:
        height: of the page.
    """

    def __init__(self, height: float):
        self.height = height
        self.figure = Page(figsize=(WIDTH, height), facecolor="white")
        self.paper = self.figure.add_axes((0, 0, 1, 1))
        self.paper.set(xlim=(0, WIDTH), ylim=(height, 0))
        self.paper.set_axis_off()
        self.paper.set_autoscale_on(False)

    def axes(
        self,
        x: float,
        y: float,
        width: float,
        height: float,
        *,
        title: str = "",
        xlabel: str = "",
        ylabel: str = "",
        size: float = SMALL,
        **properties: Any,
    ) -> Axes:
        """An axes for a plot, in plain style.

        Args:
            x: of its plot's left edge.
            y: of its plot's upper edge.
            width: of its plot.
            height: of its plot.
            title: above it.
            xlabel: below it.
            ylabel: left of it.
            size: of these words, in points.
            **properties: of matplotlib's axes, such as xlim, yticks or xscale.
        """
        axes = self.figure.add_axes((x / WIDTH, 1 - (y + height) / self.height, width / WIDTH, height / self.height))
        axes.tick_params(labelsize=SMALL, length=2, pad=2)
        axes.spines[["top", "right"]].set_visible(False)
        axes.set_title(title, fontsize=size, pad=3)
        axes.set_xlabel(xlabel, fontsize=size, labelpad=1)
        axes.set_ylabel(ylabel, fontsize=size, labelpad=3)
        axes.set(**properties)
        return axes

    def image(self, picture: np.ndarray, x: float, y: float, width: float, height: float) -> None:
        """A picture, uint8 [H,W,3]."""
        self.paper.imshow(picture, extent=(x, x + width, y + height, y), aspect="auto")

    def frame(self, x: float, y: float, side: float, right: bool) -> None:
        """A frame around a square tile: blue if correct; vermilion and crossed at a corner if incorrect."""
        color = RIGHT if right else WRONG
        self.outline(x, y, side, color, 1.8)
        if not right:
            box = {"facecolor": WRONG, "edgecolor": "none", "pad": 0.8}
            style: Any = {"fontsize": SMALL, "color": "white", "weight": "bold", "ha": "right", "va": "top"}
            self.paper.text(x + side - 0.02, y + 0.02, "×", bbox=box, **style)

    def outline(self, x: float, y: float, side: float, color: str, linewidth: float) -> None:
        """A plain line around a square tile."""
        self.paper.add_patch(Rectangle((x, y), side, side, fill=False, edgecolor=color, linewidth=linewidth))

    def text(self, x: float, y: float, words: str, size: float = TEXT, va: str = "top", **style: Any) -> None:
        """Words at (x, y), which is their top left corner unless aligned otherwise; lines lie on an even grid."""
        if "rotation" in style:
            self.paper.text(x, y, words, fontsize=size, va=va, linespacing=1.1, **style)
            return
        top = y - measure_lines(words, size) * {"top": 0.0, "center": 0.5, "bottom": 1.0}[va]
        for number, line in enumerate(words.split("\n")):
            self.paper.text(x, top + (number + 0.78) * size * LINE, line, fontsize=size, va="baseline", **style)

    def title(self, x: float, y: float, width: float, label: str) -> None:
        """A subject's label, bold and wrapped, centered above its column."""
        self.text(x + width / 2, y, wrap_words(label, width * _BOLD, TITLE), TITLE, ha="center", weight="bold")

    def bar(self, x: float, y: float, width: float, ticks: Sequence[float], colors: str, words: str) -> None:
        """A color bar from the first to the last of its ticks, named below it."""
        axes = self.axes(x + 0.15, y, width - 0.3, 0.08)
        mapped = ScalarMappable(Normalize(ticks[0], ticks[-1]), colors)
        self.figure.colorbar(mapped, cax=axes, orientation="horizontal", ticks=list(ticks))
        axes.set_xticks(ticks, [f"{tick:g}" if len(f"{tick:g}") < 4 else format_value(tick) for tick in ticks])
        axes.tick_params(labelsize=SMALL, length=2, pad=1)
        axes.set_xlabel(words, fontsize=SMALL, labelpad=0)

    def cells(
        self, x: float, y: float, width: float, height: float, values: np.ndarray, colors: str, low: float, **words: Any
    ) -> Axes:
        """An axes of values [R,C] from `low` to 1 as colors, row 0 on top; its words as in `axes`."""
        axes = self.axes(x, y, width, height, **words)
        axes.imshow(values, cmap=colors, vmin=low, vmax=1, aspect="auto")
        axes.spines[:].set_visible(False)
        return axes

    def matrix(
        self,
        x: float,
        y: float,
        side: float,
        values: np.ndarray,
        names: np.ndarray,
        colors: str,
        low: float,
        title: str = "",
    ) -> Axes:
        """Values [K,K] from `low` to 1 as colors; left and below the classes' names [K], or places for many."""
        axes = self.cells(x, y, side, side, values, colors, low, title=title)
        step = 1 if len(names) <= MOST_NAMES else 10 if len(names) <= 250 else 100
        size = min(SMALL, 72 * side / len(names) * 0.85 * step)
        ticks = np.arange(0, len(names), step)
        lines = 2 if side / len(names) > 2.5 * size * LINE else 1
        words = [clip_words(str(name), NAMES - 0.1, size, lines) for name in names] if step == 1 else ticks
        axes.set_yticks(ticks, words, fontsize=size)
        axes.set_xticks(ticks, words, fontsize=size, rotation=90)
        return axes

    def legend(self, handles: Sequence[Any], y: float, columns: int, handle: float = 2.5) -> None:
        """A legend with its top at y, centered on the page; `handle` is the samples' length in font sizes."""
        self.figure.legend(
            handles=handles,
            loc="upper center",
            bbox_to_anchor=(0.5, 1 - y / self.height),
            ncols=columns,
            frameon=False,
            fontsize=TEXT,
            handlelength=handle,
            borderpad=0,
            borderaxespad=0,
        )


def measure_titles(labels: Sequence[str], width: float) -> float:
    """The height in inches that the tallest of the columns' titles needs."""
    return max(measure_lines(wrap_words(label, width * _BOLD, TITLE), TITLE) for label in labels)


def measure_names(names: np.ndarray) -> float:
    """The height in inches of the names below a matrix, which stand upright."""
    longest = max(count_cells(str(name)) for name in names) if len(names) <= MOST_NAMES else 3
    return min(NAMES, 0.2 + longest * measure_cell(SMALL))


def fill_rows(num: int, most: int) -> tuple[int, int]:
    """How `num` blocks lie in rows of at most `most`, evenly filled."""
    rows = math.ceil(num / most)
    return rows, math.ceil(num / rows)


def choose_line(place: int) -> dict[str, Any]:
    """Color, dashes and marker of line `place` of a plot, distinguishable with any color vision and in gray."""
    return {
        "color": LINES[place % len(LINES)],
        "linestyle": DASHES[place % len(DASHES)],
        "marker": _MARKERS[place % len(_MARKERS)],
        "markersize": 4,
        "linewidth": 1.5,
    }


def choose_style(number: int) -> dict[str, Any]:
    """Color and marker of class `number`: ten colors, then the same with the next marker."""
    return {"color": colormaps["tab10"](number % 10), "marker": _MARKERS[number // 10 % len(_MARKERS)]}


def color_signed(values: np.ndarray, scale: float) -> np.ndarray:
    """Values [...] as RGB in 0..1 [...,3]: red above zero, blue below, white at zero, full at +-scale."""
    return colormaps[SIGNED](0.5 + 0.5 * np.clip(values / (scale or 1.0), -1, 1))[..., :3]
