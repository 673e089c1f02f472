"""Tiles: each picture in its place, with its own frame and words; a line is as high as its tallest words."""

import pytest
from tests.figures.reader import assert_shows, make_pictures, read

from netgaze.drawing.panels import RIGHT, SMALL
from netgaze.drawing.rows import Row, lay_out, stack
from netgaze.drawing.tiles import Tile, make_tiles
from netgaze.drawing.words import measure_lines


def test_lines_are_filled_from_the_left_and_each_tile_keeps_its_own():
    pictures = make_pictures(5)
    rights = [True, False, None, False, True]
    words = [f"word {number}" for number in range(5)]
    tiles = [Tile(*each) for each in zip(pictures, words, rights, strict=True)]
    drawn = read(lay_out([make_tiles(tiles, 0.5, 1.0, gap=0.2, across=3)]))
    assert [len(line) for line in drawn.grid()] == [3, 2]
    assert_shows(drawn.tiles, pictures)
    assert [tile.x for tile in drawn.tiles] == pytest.approx([0.5, 1.5, 2.5, 0.5, 1.5])
    assert {round(tile.width, 6) for tile in drawn.tiles} == {round(tile.height, 6) for tile in drawn.tiles} == {0.8}
    assert [drawn.frame_of(tile) for tile in drawn.tiles] == ["right", "wrong", None, "wrong", "right"]
    below = [[word.text for word in drawn.words_below(tile)] for tile in drawn.tiles]
    assert below == [[each] for each in words]


def test_a_line_is_as_high_as_its_tallest_words():
    picture = make_pictures(1)[0]
    one, three = (make_tiles([Tile(picture, words), Tile(picture)], 0, 1.0) for words in ("a", "a\nb\nc"))
    assert three.height - one.height == pytest.approx(2 * measure_lines("a", SMALL))
    two = make_tiles([Tile(picture, "a\nb\nc"), Tile(picture, "a")], 0, 1.0)
    assert two.height == three.height
    bare = make_tiles([Tile(picture)], 0, 1.0, gap=0.1, below=0.3)
    assert bare.height == pytest.approx(0.9 + 0.3)
    assert make_tiles([], 0, 1.0).height == 0


def test_words_do_not_reach_into_the_next_line():
    tiles = [Tile(picture, "one\ntwo\nthree") for picture in make_pictures(2)]
    drawn = read(lay_out([make_tiles(tiles, 0.5, 1.0, across=1)]))
    first, second = drawn.tiles
    assert [word.text for word in drawn.words_below(first)] == ["one", "two", "three"]
    assert max(word.y for word in drawn.words_below(first)) < second.y


def test_a_plain_line_and_the_look_of_words():
    tile = Tile(make_pictures(1)[0], "bold", line=("#ff0000", 2.0), style={"weight": "bold", "color": RIGHT})
    drawn = read(lay_out([stack([Row(0.5), make_tiles([tile], 0.1, 1.0)])]))
    (seen,), (word,) = drawn.tiles, drawn.words
    assert seen.y == pytest.approx(0.5)
    assert drawn.outline_of(seen) == ("#ff0000", 2.0)
    assert drawn.frame_of(seen) is None
    assert (word.bold, word.color, word.align) == (True, RIGHT.lower(), "center")
    assert word.x == pytest.approx(seen.middle[0])
