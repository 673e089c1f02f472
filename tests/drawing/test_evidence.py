"""Evidence in colors and words: the scale, and the lines of an answer."""

import numpy as np
import pytest
from tests.figures.reader import assert_shows, make_pictures, read

from netgaze.drawing.evidence import describe_answer, make_evidence_bar, make_pair, measure_scale, overlay
from netgaze.drawing.panels import GRAY, RIGHT, WRONG
from netgaze.drawing.rows import lay_out

ARRAYS = {
    "true": np.array(["cat", "dog", ""]),
    "predicted": np.array(["cat", "emu", "fox"]),
    "probability_true": np.array([0.75, 0.002, np.nan]),
    "probability_predicted": np.array([0.75, 0.5, 0.25]),
}


@pytest.mark.parametrize(
    ("number", "known", "lines"),
    [
        (0, True, ("✓ cat 0.75", RIGHT)),
        (1, True, ("true: dog 0.002\n× emu 0.50", WRONG)),
        (2, False, ("predicted: fox 0.25", GRAY)),
    ],
)
def test_an_answer_is_right_or_says_both_classes(number, known, lines):
    assert describe_answer(ARRAYS, number, 2.0, known=known) == lines


def test_names_are_shortened_and_numbers_never():
    long = {**ARRAYS, "true": np.array(["a class of many words"]), "predicted": np.array(["a class of many words"])}
    (line,) = describe_answer(long, 0, 1.0)[0].split("\n")
    assert line.startswith("✓ a clas")
    assert "…" in line
    assert line.endswith(" 0.75")
    assert describe_answer(long, 0, 1.0, lines=2)[0].replace("\n", " ") == "✓ a class of many words 0.75"


def test_a_hundredth_of_all_values_is_beyond_the_scale_whatever_their_sign():
    maps = np.linspace(-100, 50, 1501).reshape(19, 79)
    assert measure_scale(maps) == pytest.approx(98.5)
    assert measure_scale(np.zeros((2, 3))) == 1.0


def test_a_pair_is_the_picture_and_right_of_it_the_map_over_it():
    picture, heat = make_pictures(1)[0], np.arange(16.0).reshape(4, 4) - 5
    drawn = read(
        lay_out([make_pair(picture, heat, 4.0, 0.5, 1.0, below=0.2), make_evidence_bar(0.5, 2.0, 4.0, "points")])
    )
    assert_shows(drawn.tiles, [picture, overlay(picture, heat, 4.0)])
    np.testing.assert_allclose([(tile.x, tile.width) for tile in drawn.tiles], [(0.5, 0.95), (1.5, 0.95)])
    (bar,) = drawn.color_bars
    assert (bar.low, bar.high, bar.words) == (-4.0, 4.0, "evidence (points)")
    assert bar.y > 1.15
