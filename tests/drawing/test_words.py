"""Words in their room: as textwrap breaks plain ones; as wide as matplotlib draws all others."""

import textwrap

import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text
from tests.nasty import NASTY

from netgaze.drawing.panels import SMALL, TEXT
from netgaze.drawing.rows import lay_out, make_text
from netgaze.drawing.words import clip_words, count_cells, measure_cell, shorten, wrap_words
from netgaze.text import show


def measure(words):
    """The width in inches as it is drawn, of the widest line."""
    picture = lay_out([make_text(words, size=TEXT)])
    picture.set_dpi(240)
    renderer = FigureCanvasAgg(picture).get_renderer()
    picture.draw_without_rendering()
    return max(text.get_window_extent(renderer).width for text in picture.findobj(Text) if text.get_text()) / 240


@given(st.text("ab ", max_size=80).map(str.lstrip), st.integers(4, 20))
def test_plain_words_break_as_textwrap_breaks_them(words, room):
    width = (room + 0.5) * measure_cell(TEXT)
    expected = [line.rstrip() for line in textwrap.wrap(words, room, break_on_hyphens=False)]
    assert [line for line in wrap_words(words, width, TEXT).split("\n") if line] == expected


@pytest.mark.parametrize("words", [*NASTY, "W" * 300, "m" * 40, "𒀀" * 30, "ﷺ" * 10], ids=range(len(NASTY) + 4))
def test_what_is_shortened_or_broken_fits(words):
    for width in (0.6, 1.5, 4.0):
        short = shorten(words, width, TEXT)
        assert "\n" not in short
        assert measure(short) <= width + 0.02
        assert measure(wrap_words(words, width, TEXT)) <= width + 0.02
        clipped = clip_words(words, width, TEXT, 2)
        assert clipped.count("\n") <= 1
        assert measure(clipped) <= width + 0.02


@pytest.mark.parametrize(
    ("words", "lines"),
    [
        ("smoothness -0.06", ["smoothness", "-0.06"]),
        ("optim.momentum=0.05", ["optim.", "momentum=", "0.05"]),
        ("task=supervised,x", ["task=", "supervised,", "x"]),
        ("static_per_class", ["static_per_", "class"]),
        ("a task=rot, lr=1", ["a task=rot,", "lr=1"]),
        ("ab task=rot, lr=1", ["ab", "task=rot,", "lr=1"]),
    ],
)
def test_names_break_at_their_joints_and_numbers_nowhere(words, lines):
    assert wrap_words(words, 11.5 * measure_cell(TEXT), TEXT).split("\n") == lines


def test_what_is_broken_is_whole():
    for words in NASTY:
        lines = wrap_words(words, 1.0, SMALL)
        assert "".join(lines.split()) == "".join("".join(map(show, words.split("\n"))).split())


def test_a_name_on_few_lines_keeps_its_end():
    assert clip_words("a class of sheep in fields 12", 10 * measure_cell(TEXT), TEXT, 2) == "a class of\nsheep…12"
    assert clip_words("猫" * 30 + "1", 10 * measure_cell(TEXT), TEXT, 2) == "猫猫猫猫猫\n猫猫猫…猫1"
    names = {clip_words(name, 0.9, SMALL, 2) for name in NASTY}
    assert len(names) == len(NASTY)


def test_cells_are_letters_or_more():
    assert count_cells("a class") == 7
    assert count_cells("WWWW") == pytest.approx(4 * 0.98876953125 / 0.6)
    assert count_cells("n\u0303\u200b") == count_cells("n")
