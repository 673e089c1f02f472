"""A reader of drawings: what lies where on a page that a figure drew, in inches from its top left corner.

    drawn = read(figure.draw({"a": finding}))
    drawn.grid()                        # rows of tiles, as a person reads them
    drawn.frame_of(tile)                # "right", "wrong", None
    drawn.words_below(tile)             # the lines under it
    drawn.plot("confidence", "accuracy").bars

It reads matplotlib's artists, not pixels: an array that is drawn is the array that is read.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import PathCollection, PolyCollection
from matplotlib.colors import to_hex
from matplotlib.figure import Figure as Picture
from matplotlib.lines import Line2D
from matplotlib.patches import Polygon, Rectangle, StepPatch
from matplotlib.text import Text

from netgaze.drawing.panels import RIGHT, WRONG

_NEAR = 0.02  # inches within which edges are one


@dataclass(frozen=True)
class Box:
    """A place on the page: its left and upper edge, and its size."""

    x: float
    y: float
    width: float
    height: float

    @property
    def middle(self) -> tuple[float, float]:
        """Its center."""
        return self.x + self.width / 2, self.y + self.height / 2

    def holds(self, x: float, y: float) -> bool:
        """Whether a point lies in it."""
        return (
            self.x - _NEAR <= x <= self.x + self.width + _NEAR and self.y - _NEAR <= y <= self.y + self.height + _NEAR
        )

    def covers(self, other: "Box") -> bool:
        """Whether another box has the same edges."""
        edges = zip(
            (self.x, self.y, self.width, self.height), (other.x, other.y, other.width, other.height), strict=True
        )
        return all(abs(one - two) <= _NEAR for one, two in edges)


@dataclass(frozen=True)
class Tile(Box):
    """A picture on the paper: its array as it was handed over."""

    image: np.ndarray


@dataclass(frozen=True)
class Frame(Box):
    """A line around something on the paper."""

    color: str
    linewidth: float


@dataclass(frozen=True)
class Words:
    """A line of words: where it is anchored, and how it looks."""

    text: str
    x: float
    y: float
    color: str
    bold: bool
    size: float
    align: str
    upright: bool


@dataclass(frozen=True)
class Line:
    """A line of a plot in the plot's values; on the paper in inches."""

    x: list[float]
    y: list[float]
    color: str
    style: str
    marker: str
    label: str
    width: float
    dashes: tuple[float, ...]  # of lines whose style is "--" for any pattern of one's own


@dataclass(frozen=True)
class Bar:
    """A bar from (x, y), its lower left corner in the plot's values."""

    x: float
    y: float
    width: float
    height: float
    color: str
    hatch: str | None
    filled: bool


@dataclass(frozen=True)
class Steps:
    """A histogram: values between edges."""

    values: list[float]
    edges: list[float]
    color: str


@dataclass(frozen=True)
class Points:
    """Points of a scatter plot, [N,2], of one color."""

    places: np.ndarray
    color: str


@dataclass(frozen=True)
class Plot(Box):
    """An axes of its own."""

    title: str
    xlabel: str
    ylabel: str
    xlim: tuple[float, float]
    ylim: tuple[float, float]
    xscale: str
    yscale: str
    xticks: dict[str, float]
    yticks: dict[str, float]
    lines: list[Line]
    bars: list[Bar]
    steps: list[Steps]
    points: list[Points]
    bands: list[np.ndarray]
    matrix: np.ndarray | None
    colors: tuple[str, float, float] | None
    words: list[Words]
    legend: dict[str, str]

    def line(self, label: str) -> Line:
        """The one line of a label."""
        (found,) = (line for line in self.lines if line.label == label)
        return found

    def cell(self, row: int, column: int) -> str:
        """What is written upon a cell of a matrix."""
        (found,) = (each.text for each in self.words if round(each.x) == column and round(each.y) == row)
        return found


@dataclass(frozen=True)
class ColorBar(Box):
    """A color bar: its ends, colors, the words at its ticks, and what it says."""

    low: float
    high: float
    colors: str
    ticks: list[str]
    words: str


@dataclass
class Drawing:
    """What lies on a page; tiles, words and plots in reading order: line by line, from left to right."""

    width: float
    height: float
    tiles: list[Tile] = field(default_factory=list)
    frames: list[Frame] = field(default_factory=list)
    crosses: list[Words] = field(default_factory=list)
    bars: list[Bar] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)
    words: list[Words] = field(default_factory=list)
    plots: list[Plot] = field(default_factory=list)
    color_bars: list[ColorBar] = field(default_factory=list)
    legend: dict[str, str] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """All words on the paper, a line each."""
        return "\n".join(each.text for each in self.words)

    def grid(self, tiles: Iterable[Tile] | None = None) -> list[list[Tile]]:
        """Tiles in lines of one height on the page, each from left to right."""
        return _split_lines(self.tiles if tiles is None else list(tiles))

    def find(self, image: np.ndarray) -> Tile:
        """The one tile that shows an image."""
        found = [tile for tile in self.tiles if np.array_equal(tile.image, image)]
        assert len(found) == 1, f"{len(found)} tiles show it"
        return found[0]

    def frame_of(self, tile: Tile) -> str | None:
        """What the frame around a tile says: "right" (blue) or "wrong" (vermilion, and crossed); None without one."""
        colors = {frame.color for frame in self.frames if frame.covers(tile)}
        crossed = any(tile.holds(cross.x, cross.y) for cross in self.crosses)
        said = {color: name for color, name in ((RIGHT.lower(), "right"), (WRONG.lower(), "wrong")) if color in colors}
        if not said:
            assert not crossed, "a cross without a frame"
            return None
        (name,) = said.values()
        assert crossed == (name == "wrong"), "a wrong one is crossed, a right one is not"
        return name

    def outline_of(self, tile: Tile) -> tuple[str, float] | None:
        """Color and width of the line around a tile."""
        found = [(frame.color, frame.linewidth) for frame in self.frames if frame.covers(tile)]
        return found[0] if found else None

    def words_below(self, tile: Tile, within: float | None = None) -> list[Words]:
        """The lines anchored under a tile, down to the next one below it or so many inches."""
        bottom = tile.y + tile.height
        under = [other.y for other in self.tiles if other.y >= bottom - _NEAR and _overlap(other, tile)]
        end = min([*under, bottom + within if within is not None else self.height])
        inside = [each for each in self.words if bottom - _NEAR < each.y <= end + _NEAR]
        return [each for each in inside if tile.x - _NEAR <= each.x <= tile.x + tile.width + _NEAR]

    def words_above(self, tile: Tile, within: float = 0.6) -> list[Words]:
        """The lines anchored above a tile, within so many inches."""
        inside = [each for each in self.words if tile.y - within <= each.y <= tile.y + _NEAR]
        return [each for each in inside if tile.x - _NEAR <= each.x <= tile.x + tile.width + _NEAR]

    def words_left_of(self, tile: Tile) -> list[Words]:
        """The lines anchored left of a tile, at its height."""
        return [each for each in self.words if each.x < tile.x and tile.y - _NEAR <= each.y <= tile.y + tile.height]

    def say(self, text: str) -> Words:
        """The one line that contains a text."""
        found = [each for each in self.words if text in each.text]
        assert len(found) == 1, f"{len(found)} lines say {text!r} in:\n{self.text}"
        return found[0]

    def plot(self, *words: str) -> Plot:
        """The one plot whose title, labels of axes or words at the ticks have these texts."""
        found = [plot for plot in self.plots if all(any(text in part for part in _parts(plot)) for text in words)]
        assert len(found) == 1, f"{len(found)} plots have {words} of {[_parts(plot)[:3] for plot in self.plots]}"
        return found[0]


def read(picture: Picture) -> Drawing:
    """What lies on a page."""
    picture.set_dpi(100)
    FigureCanvasAgg(picture)
    picture.draw_without_rendering()
    width, height = picture.get_size_inches()
    paper, *others = picture.axes
    drawing = Drawing(float(width), float(height))
    for image in paper.get_images():
        left, right, bottom, top = image.get_extent()
        drawing.tiles.append(Tile(left, top, right - left, bottom - top, np.asarray(image.get_array())))
    for patch in paper.patches:
        assert isinstance(patch, Rectangle)
        place = Box(*patch.get_xy(), patch.get_width(), patch.get_height())
        if patch.get_fill():
            drawing.bars.append(_read_bar(patch))
        else:
            drawing.frames.append(
                Frame(place.x, place.y, place.width, place.height, _hex(patch.get_edgecolor()), patch.get_linewidth())
            )
    drawing.lines = [_read_line(line) for line in paper.get_lines()]
    words = [_read_words(text) for text in paper.texts if text.get_text().strip()]
    drawing.crosses = [each for each in words if each.text == "×"]
    drawing.words = [each for each in words if each.text != "×"]
    for axes in others:
        if hasattr(axes, "_colorbar"):
            drawing.color_bars.append(_read_color_bar(axes, drawing))
        else:
            drawing.plots.append(_read_plot(axes, drawing))
    for legend in picture.legends:
        drawing.legend |= _read_legend(legend)
    drawing.tiles = [tile for line in _split_lines(drawing.tiles) for tile in line]
    drawing.words.sort(key=lambda each: (round(each.y, 2), each.x))
    drawing.plots.sort(key=lambda plot: (round(plot.y, 2), plot.x))
    return drawing


def find_line(plot: Plot, values: Sequence[float]) -> Line:
    """The one line of a plot that goes through these values."""
    (found,) = (
        line for line in plot.lines if len(line.y) == len(values) and np.allclose(line.y, values, equal_nan=True)
    )
    return found


def make_pictures(*shape: int, side: int = 4) -> np.ndarray:
    """Plain pictures, each of a color of its own, uint8 [*shape,side,side,3]."""
    num = int(np.prod(shape))
    numbers = np.arange(1, num + 1)
    colors = np.stack([numbers * 37 % 251, numbers * 91 % 241, numbers % 239], axis=1).astype(np.uint8)
    assert len(np.unique(colors, axis=0)) == num
    return np.ascontiguousarray(np.broadcast_to(colors[:, None, None], (num, side, side, 3))).reshape(
        *shape, side, side, 3
    )


def assert_shows(tiles: Sequence[Tile], images: Iterable[np.ndarray]) -> None:
    """The tiles show these images, in this order."""
    images = list(images)
    assert len(tiles) == len(images)
    for number, (tile, image) in enumerate(zip(tiles, images, strict=True)):
        assert np.array_equal(tile.image, image), f"tile {number} shows another image"


def _split_lines(tiles: list[Tile]) -> list[list[Tile]]:
    lines: list[list[Tile]] = []
    for tile in sorted(tiles, key=lambda tile: tile.y):
        if lines and abs(lines[-1][0].y - tile.y) <= _NEAR:
            lines[-1].append(tile)
        else:
            lines.append([tile])
    return [sorted(line, key=lambda tile: tile.x) for line in lines]


def _overlap(one: Box, other: Box) -> bool:
    return min(one.x + one.width, other.x + other.width) - max(one.x, other.x) > _NEAR


def _hex(color: Any) -> str:
    return to_hex(color).lower()


def _read_words(text: Text) -> Words:
    x, y = text.get_position()
    return Words(
        text.get_text().replace("\u200e", ""),
        float(x),
        float(y),
        _hex(text.get_color()),
        text.get_fontweight() == "bold",
        float(text.get_fontsize()),
        text.get_horizontalalignment(),
        bool(text.get_rotation()),
    )


def _read_line(line: Line2D) -> Line:
    x, y = (np.asarray(values, dtype=float).tolist() for values in (line.get_xdata(), line.get_ydata()))
    marker = "" if line.get_marker() in ("None", "", " ", None) else str(line.get_marker())
    style, label = str(line.get_linestyle()), str(line.get_label())
    dashes = tuple(line._unscaled_dash_pattern[1] or ())
    return Line(x, y, _hex(line.get_color()), style, marker, label, float(line.get_linewidth()), dashes)


def _read_bar(patch: Rectangle) -> Bar:
    color = patch.get_facecolor() if patch.get_fill() else patch.get_edgecolor()
    x, y = map(float, patch.get_xy())
    return Bar(
        x, y, float(patch.get_width()), float(patch.get_height()), _hex(color), patch.get_hatch(), patch.get_fill()
    )


def _place(axes: Axes, drawing: Drawing) -> tuple[float, float, float, float]:
    box = axes.get_position()
    left, top = box.x0 * drawing.width, (1 - box.y1) * drawing.height
    return left, top, box.width * drawing.width, box.height * drawing.height


def _read_ticks(axis: Any) -> dict[str, float]:
    low, high = sorted(axis.get_view_interval())
    found = zip(axis.get_majorticklocs(), axis.get_majorticklabels(), strict=False)
    return {label.get_text(): float(at) for at, label in found if low <= at <= high and label.get_text()}


def _read_legend(legend: Any) -> dict[str, str]:
    """The color of each entry by its words."""
    colors = {}
    for handle, text in zip(legend.legend_handles, legend.get_texts(), strict=True):
        color = handle.get_color() if isinstance(handle, Line2D) else handle.get_facecolor()
        colors[text.get_text()] = _hex(np.ravel(color) if not isinstance(color, str) else color)
    return colors


def _read_plot(axes: Axes, drawing: Drawing) -> Plot:
    images = axes.get_images()
    legend = axes.get_legend()
    return Plot(
        *_place(axes, drawing),
        title=axes.get_title(),
        xlabel=axes.get_xlabel(),
        ylabel=axes.get_ylabel(),
        xlim=tuple(map(float, axes.get_xlim())),
        ylim=tuple(map(float, axes.get_ylim())),
        xscale=axes.get_xscale(),
        yscale=axes.get_yscale(),
        xticks=_read_ticks(axes.xaxis),
        yticks=_read_ticks(axes.yaxis),
        lines=[_read_line(line) for line in axes.get_lines()],
        bars=[_read_bar(patch) for patch in axes.patches if isinstance(patch, Rectangle)],
        steps=[_read_steps(patch) for patch in axes.patches if isinstance(patch, StepPatch)],
        points=[
            Points(np.asarray(each.get_offsets()), _hex(each.get_facecolor()[0]))
            for each in axes.collections
            if isinstance(each, PathCollection)
        ],
        bands=[
            np.asarray(each.get_paths()[0].vertices) for each in axes.collections if isinstance(each, PolyCollection)
        ]
        + [np.asarray(patch.get_xy()) for patch in axes.patches if isinstance(patch, Polygon)],
        matrix=np.asarray(images[0].get_array()) if images else None,
        colors=(images[0].get_cmap().name, *map(float, images[0].get_clim())) if images else None,
        words=[_read_words(text) for text in axes.texts],
        legend=_read_legend(legend) if legend else {},
    )


def _read_steps(patch: StepPatch) -> Steps:
    values, edges, _ = patch.get_data()
    color = patch.get_facecolor() if patch.get_fill() else patch.get_edgecolor()
    return Steps(np.asarray(values, dtype=float).tolist(), np.asarray(edges, dtype=float).tolist(), _hex(color))


def _read_color_bar(axes: Axes, drawing: Drawing) -> ColorBar:
    bar = axes._colorbar
    ticks = [label.get_text() for label in axes.get_xticklabels()]
    return ColorBar(*_place(axes, drawing), float(bar.vmin), float(bar.vmax), bar.cmap.name, ticks, axes.get_xlabel())


def _parts(plot: Plot) -> list[str]:
    return [plot.title, plot.xlabel, plot.ylabel, *plot.xticks, *plot.yticks]
