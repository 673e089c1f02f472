"""The sheet: what is drawn on it lies where it was put, in the colors that mean what they say."""

import numpy as np
import pytest
from matplotlib import colormaps
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.lines import Line2D
from tests.figures.reader import make_pictures, read

from netgaze.drawing.panels import (
    LINES,
    MOST_NAMES,
    NUM_STYLES,
    RIGHT,
    SEQUENTIAL,
    WRONG,
    choose_line,
    choose_style,
    color_signed,
    fill_rows,
    measure_names,
)
from netgaze.drawing.rows import Row, lay_out, make_aside, make_bar, make_legend, make_signed_bar


def drawn_by(draw, height=6.0):
    return read(lay_out([Row(height, draw)]))


def test_a_picture_lies_upright_where_it_was_put():
    picture = make_pictures(1, side=3)[0].copy()
    picture[0, 0] = 255  # its upper left corner
    drawn = drawn_by(lambda sheet, y: sheet.image(picture, 1.0, y + 2.0, 0.5, 0.25))
    (tile,) = drawn.tiles
    assert (tile.x, tile.y, tile.width, tile.height) == pytest.approx((1.0, 2.0, 0.5, 0.25))
    assert np.array_equal(tile.image, picture)
    page = lay_out([Row(6.0, lambda sheet, y: sheet.image(picture, 1.0, y + 2.0, 3.0, 3.0))])
    page.set_dpi(10)
    canvas = FigureCanvasAgg(page)
    canvas.draw()
    pixels = np.asarray(canvas.buffer_rgba())[..., :3]
    assert pixels[21, 11].tolist() == [255] * 3
    assert pixels[48, 38].tolist() == picture[2, 2].tolist()


@pytest.mark.parametrize(("right", "said", "color"), [(True, "right", RIGHT), (False, "wrong", WRONG)])
def test_a_frame_says_right_or_wrong(right, said, color):
    def draw(sheet, y):
        sheet.image(make_pictures(1)[0], 1.0, y + 1.0, 0.5, 0.5)
        sheet.frame(1.0, y + 1.0, 0.5, right)

    drawn = drawn_by(draw)
    assert drawn.frame_of(drawn.tiles[0]) == said
    assert [frame.color for frame in drawn.frames] == [color.lower()]


def test_a_plot_has_its_labels_and_limits():
    def draw(sheet, y):
        sheet.axes(1, y + 2, 3, 1, title="top", xlabel="below", ylabel="left", xlim=(0, 5), yscale="log", ylim=(1, 10))

    (plot,) = drawn_by(draw).plots
    assert (plot.x, plot.y, plot.width, plot.height) == pytest.approx((1, 2, 3, 1))
    assert (plot.title, plot.xlabel, plot.ylabel) == ("top", "below", "left")
    assert (plot.xlim, plot.ylim, plot.yscale) == ((0, 5), (1, 10), "log")


def test_color_bars_name_their_ends():
    (signed,) = read(lay_out([make_signed_bar(1, 3, 6240.3, "evidence (logits)")])).color_bars
    assert (signed.low, signed.high, signed.colors) == (-6240.3, 6240.3, "RdBu_r")
    assert signed.ticks == ["-6,240", "0", "6,240"]
    assert signed.words == "evidence (logits)"
    (plain,) = read(lay_out([make_bar(1, 3, [0, 0.5, 1], SEQUENTIAL, "share")])).color_bars
    assert (plain.low, plain.high, plain.colors, plain.ticks) == (0, 1, SEQUENTIAL, ["0", "0.5", "1"])


def draw_matrix(values, names):
    drawn = drawn_by(lambda sheet, y: sheet.matrix(1.0, y, 2.0, values, names, SEQUENTIAL, -1.0))
    return drawn.plots[0]


def test_a_matrix_has_its_rows_down_and_its_names_at_both_sides():
    values = np.array([[0.1, 0.2], [0.3, 0.4]])
    plot = draw_matrix(values, np.array(["cat", "dog"]))
    assert np.array_equal(plot.matrix, values)
    assert plot.colors == (SEQUENTIAL, -1.0, 1.0)
    assert plot.xticks == plot.yticks == {"cat": 0, "dog": 1}
    assert plot.ylim == (1.5, -0.5), "the first row is at the top"


def test_a_matrix_of_many_classes_has_places_for_names():
    num = MOST_NAMES + 2
    plot = draw_matrix(np.eye(num), np.array([f"class {number}" for number in range(num)]))
    assert plot.xticks == plot.yticks == {"0": 0, "10": 10, "20": 20}
    assert measure_names(np.array(["a"] * num)) < measure_names(np.array(["a long name of a class"] * MOST_NAMES))


def test_a_legend_has_its_entries_in_order():
    handles = [Line2D([], [], color=color, label=label) for color, label in (("red", "one"), ("blue", "two"))]
    drawn = read(lay_out([make_legend(handles, 0.5, 0.1, 2)]))
    assert drawn.legend == {"one": "#ff0000", "two": "#0000ff"}
    assert list(drawn.legend) == ["one", "two"]


def test_words_beside_something_stand_in_its_middle():
    one, two = (read(lay_out([make_aside(words, 1.0, 2.0, ha="right")])).words for words in ("a", "a\nb"))
    assert one[0].y == pytest.approx((two[0].y + two[1].y) / 2)
    assert one[0].y == pytest.approx(1.0, abs=0.06)
    assert {word.align for word in one + two} == {"right"}


def test_signed_colors_are_red_above_and_blue_below():
    above, zero, below = color_signed(np.array([2.0, 0.0, -2.0]), 2.0)
    assert above[0] > above[2]
    assert below[2] > below[0]
    assert zero == pytest.approx(np.ones(3), abs=0.05)
    assert np.array_equal(color_signed(np.array([9.0]), 2.0)[0], above), "full from the scale on"
    assert np.array_equal(color_signed(np.array([1.0]), 2.0)[0], colormaps["RdBu_r"](0.75)[:3])
    assert np.isfinite(color_signed(np.zeros(1), 0.0)).all()


@pytest.mark.parametrize(
    ("num", "most", "lines"), [(1, 2, (1, 1)), (2, 2, (1, 2)), (3, 2, (2, 2)), (5, 4, (2, 3)), (9, 4, (3, 3))]
)
def test_blocks_fill_their_rows_evenly(num, most, lines):
    assert fill_rows(num, most) == lines


def test_every_class_has_a_style_of_its_own():
    styles = [tuple(map(str, choose_style(number).values())) for number in range(NUM_STYLES)]
    assert len(set(styles)) == NUM_STYLES
    assert [choose_style(number)["color"] for number in (0, 3)] == [colormaps["tab10"](0), colormaps["tab10"](3)]


def test_lines_differ_in_color_and_without_it():
    styles = [choose_line(place) for place in range(len(LINES))]
    assert [style["color"] for style in styles] == list(LINES)
    assert len({(str(style["linestyle"]), style["marker"]) for style in styles}) == len(LINES)
