"""Rows: a page is as high as what lies on it, and each row is drawn where those before it end."""

import pytest
from matplotlib.lines import Line2D
from matplotlib.text import Text
from tests.figures.reader import read

from netgaze.drawing.panels import GRAY, TEXT, WIDTH, measure_titles
from netgaze.drawing.rows import (
    Columns,
    Row,
    align,
    lay_out,
    lay_out_columns,
    make_bands,
    make_bar,
    make_head,
    make_legend,
    make_signed_bar,
    make_text,
    make_title,
    stack,
)
from netgaze.drawing.words import measure_lines, wrap_words
from netgaze.figure import Finding

LONG = "a label that is so long that a narrow column breaks it, lr=0.1"


class Recorder:
    """Rows that note where they are drawn."""

    def __init__(self):
        self.drawn = []

    def row(self, name, height):
        return Row(height, lambda sheet, y: self.drawn.append((name, y)))


@pytest.fixture
def recorder():
    return Recorder()


def place_of(text):
    return text.get_position()


def test_a_page_is_as_high_as_its_rows_and_draws_each_where_those_above_end(recorder):
    picture = lay_out(recorder.row(name, height) for name, height in (("a", 1.0), ("b", 2.5), ("c", 0.5)))
    assert recorder.drawn == [("a", 0.0), ("b", 1.0), ("c", 3.5)]
    assert picture.get_size_inches().tolist() == [WIDTH, 4.0]


def test_bands_are_evenly_filled_and_below_one_another(recorder):
    seen = []

    def make_rows(findings, columns):
        seen.append((list(findings), columns.lefts, columns.width))
        return [recorder.row("".join(findings), 2.0), Row(0.5)]

    picture = lay_out([make_bands(dict.fromkeys("abcde", Finding()), make_rows)])
    assert [labels for labels, _, _ in seen] == [["a", "b", "c"], ["d", "e"]]
    assert recorder.drawn == [("abc", 0.0), ("de", 2.5)]
    assert picture.get_size_inches()[1] == 5.0
    three = Columns(3)
    assert [width for _, _, width in seen] == [three.width] * 2
    assert seen[0][1] == three.lefts
    assert seen[1][1] == pytest.approx([sum(three.lefts[:2]) / 2, sum(three.lefts[1:]) / 2]), "in the middle"


def test_stacks_have_gaps_between_their_rows_alone(recorder):
    block = stack([recorder.row("a", 1.0), recorder.row("b", 2.0), recorder.row("c", 3.0)], gap=0.5)
    assert block.height == 7.0
    block.draw(None, 10.0)
    assert recorder.drawn == [("a", 10.0), ("b", 11.5), ("c", 14.0)]
    assert stack([], gap=0.5).height == 0.0
    assert stack([Row(1.0)], gap=0.5).height == 1.0


def test_cells_begin_on_one_line_and_the_highest_gives_the_height(recorder):
    row = align([recorder.row("low", 1.0), recorder.row("high", 3.0)])
    assert row.height == 3.0
    row.draw(None, 2.0)
    assert recorder.drawn == [("low", 2.0), ("high", 2.0)]
    assert align([]).height == 0.0


def test_rows_within_rows(recorder):
    block = stack([recorder.row("a", 1.0), align([stack([recorder.row("b", 1.0), recorder.row("c", 1.0)]), Row(5.0)])])
    lay_out([Row(0.5), block, recorder.row("d", 1.0)])
    assert recorder.drawn == [("a", 0.5), ("b", 1.5), ("c", 2.5), ("d", 6.5)]


@pytest.mark.parametrize("num", [1, 2, 5])
def test_columns_fill_the_page(num):
    columns = Columns(num, left=0.5, gap=0.3)
    assert len(columns.lefts) == num
    assert columns.lefts[0] == pytest.approx(0.5)
    assert columns.lefts[-1] + columns.width == pytest.approx(WIDTH - 0.1)
    steps = [after - before for before, after in zip(columns.lefts, columns.lefts[1:], strict=False)]
    assert steps == pytest.approx([columns.width + 0.3] * (num - 1))


def test_fewer_columns_than_least_stand_in_the_middle():
    one, two = Columns(1, least=2), Columns(2, least=2)
    assert one.width == two.width
    assert one.lefts[0] + one.width / 2 == pytest.approx((two.lefts[0] + two.lefts[1] + two.width) / 2)


def test_titles_and_captions_are_as_high_as_the_longest():
    columns = Columns(4)
    titles = columns.titles(["short", LONG], below=0.2)
    assert titles.height == pytest.approx(0.1 + measure_titles([LONG], columns.width) + 0.2)
    captions = columns.captions(["short", LONG], below=0.3)
    lines = wrap_words(LONG, columns.width, TEXT)
    assert "\n" in lines
    assert captions.height == pytest.approx(measure_lines(lines, TEXT) + 0.3)


def test_titles_stand_over_their_columns():
    columns = Columns(3)
    picture = lay_out([columns.titles(["a", "b"]), columns.captions(["c", "d"])])
    texts = {text.get_text(): text for text in picture.findobj(Text) if text.get_text() in set("abcd")}
    middles = [x + columns.width / 2 for x in columns.lefts]
    assert [place_of(texts[name])[0] for name in "abcd"] == pytest.approx(middles[:2] * 2)
    assert place_of(texts["a"])[1] < place_of(texts["c"])[1]
    assert texts["a"].get_weight() == "bold"
    assert texts["c"].get_color() == GRAY


def test_a_head_has_its_label_left_and_its_words_right():
    picture = lay_out([make_head("label", "words", 0.5)])
    label, words = (next(t for t in picture.findobj(Text) if t.get_text() == name) for name in ("label", "words"))
    assert label.get_horizontalalignment() == "left"
    assert words.get_horizontalalignment() == "right"
    assert place_of(words)[0] == pytest.approx(WIDTH - 0.1)
    assert picture.get_size_inches()[1] == 0.5


def test_text_has_the_height_of_its_lines_or_a_given_one():
    assert make_text("a\nb", below=0.1).height == pytest.approx(measure_lines("a\nb", TEXT) + 0.1)
    assert make_text("a\nb", height=2.0).height == 2.0
    assert make_title(LONG).height == pytest.approx(0.1 + measure_titles([LONG], WIDTH))


def test_color_bars_and_legends_lie_within_their_rows():
    rows = [Row(1.0), make_signed_bar(2.0, 3.0, 4.0, "weight"), make_bar(1.0, 2.0, [0, 1], "viridis", "share")]
    picture = lay_out([*rows, make_legend([Line2D([], [], label="a line")], 0.5, 0.1, columns=1)])
    height = picture.get_size_inches()[1]
    assert height == pytest.approx(1.0 + 2 * 0.55 + 0.5)
    bars = [axes for axes in picture.axes if axes.get_xlabel()]
    assert [axes.get_xlabel() for axes in bars] == ["weight", "share"]
    assert bars[0].get_xlim() == (-4.0, 4.0)
    for axes, top in zip(bars, (1.0, 1.55), strict=True):
        box = axes.get_position()
        assert height * (1 - box.y1) == pytest.approx(top + 0.08)
    assert picture.legends[0].get_bbox_to_anchor().y1 == pytest.approx((0.5 - 0.1) * picture.dpi)


def test_columns_of_more_than_four_networks_stand_in_bands():
    findings = {name: Finding({"cells": num}) for name, num in zip("abcdefg", (2, 1, 2, 2, 3, 1, 1), strict=True)}
    drawn = []

    def list_cells(finding, x, width):
        (name,) = (name for name, other in findings.items() if other is finding)
        for number in range(finding.numbers["cells"]):
            yield Row(1.0, lambda sheet, y, cell=f"{name}{number}": drawn.append((cell, round(x, 2), y, width)))

    drawing = read(lay_out_columns(findings, list_cells, left=0.3, head=[make_text("head")]))
    titles = {word.text: word for word in drawing.words[::-1]}  # of those that are said twice the first
    assert [cell for cell, *_ in drawn] == ["a0", "b0", "c0", "d0", "a1", "c1", "d1", "e0", "f0", "g0", "e1", "e2"]
    assert len({width for *_, width in drawn}) == 1
    assert drawn[0][1] == 0.3
    places = {cell: (x, y) for cell, x, y, _ in drawn}
    assert places["a1"] == (places["a0"][0], places["a0"][1] + 1)
    assert places["d1"] == (places["d0"][0], places["a1"][1])
    assert places["a0"][0] < places["e0"][0] < places["b0"][0] < places["f0"][0] < places["c0"][0]
    assert titles["head"].y < titles["a"].y < places["a0"][1]
    for name in findings:
        assert titles[name].x == pytest.approx(places[f"{name}0"][0] + drawn[0][3] / 2, abs=0.01)
    assert places["a1"][1] + 1 < titles["e"].y < places["e0"][1]
