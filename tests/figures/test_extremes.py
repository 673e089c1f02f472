"""Highest and lowest loss: each example in its line, with its class, its answer and its loss."""

import numpy as np
import pytest
from tests.figures.reader import assert_shows, make_pictures, read

from netgaze.figure import Finding
from netgaze.figures.extremes import Extremes
from netgaze.text import format_value

TRUE = {"one": ["cat", "dog", "emu", "cat", "emu", "dog"], "two": ["dog", "cat", "dog", "emu", "emu", "cat"]}
ANSWERS = {"one": ["dog", "cat", "dog", "cat", "emu", "emu"], "two": ["emu", "emu", "dog", "emu", "dog", "cat"]}
LOSSES = np.array([[9.5, 8.25, 7.125, 0.0125, 0.25, 0.5], [6.5, 5.5, 4.5, 0.0625, 0.125, 0.75]])


@pytest.fixture
def pictures():
    return make_pictures(2, 6)


@pytest.fixture
def findings(pictures):
    return {
        label: Finding(
            {"mean_loss": 1.25 + place, "median_loss": 0.5 + place, "worst_tenth_share": 0.75 - place / 4},
            {
                "images": pictures[place],
                "losses": LOSSES[place],
                "true": np.array(TRUE[label]),
                "predicted": np.array(ANSWERS[label]),
            },
        )
        for place, label in enumerate(TRUE)
    }


def test_largest_then_lowest_of_each_network(pictures, findings):
    lines = read(Extremes().draw(findings)).grid()
    assert len(lines) == 4
    for line, images in zip(lines, pictures.reshape(4, 3, *pictures.shape[2:]), strict=True):
        assert_shows(line, images)


def test_each_is_framed_and_told_by_its_own_answer(pictures, findings):
    drawn = read(Extremes().draw(findings))
    for place, label in enumerate(TRUE):
        for image, true, answer, loss in zip(pictures[place], TRUE[label], ANSWERS[label], LOSSES[place], strict=True):
            tile = drawn.find(image)
            assert drawn.frame_of(tile) == ("right" if true == answer else "wrong")
            expected = [
                f"true: {true}",
                *([f"predicted: {answer}"] if true != answer else []),
                f"loss {format_value(loss)}",
            ]
            assert [word.text for word in drawn.words_below(tile, 0.45)][: len(expected)] == expected


def test_blocks_stand_below_their_label_and_numbers(pictures, findings):
    drawn = read(Extremes().draw(findings))
    tops = [drawn.find(pictures[place, 0]).y for place in (0, 1)]
    one, two = drawn.say("one"), drawn.say("two")
    assert one.bold
    assert two.bold
    assert one.y < tops[0] < two.y < tops[1]
    assert drawn.say("mean 1.25, median 0.500; the worst 10% hold 75% of it").y < tops[0]
    assert tops[0] < drawn.say("mean 2.25, median 1.50; the worst 10% hold 50% of it").y < tops[1]
    names = [word for word in drawn.words if word.text in ("highest loss", "lowest loss")]
    assert [word.text for word in names] == ["highest loss", "lowest loss"] * 2
    lines = drawn.grid()
    assert all(0 < line[0].y - word.y < 0.3 for line, word in zip(lines, names, strict=True))


def test_many_go_on_in_further_lines():
    pictures = make_pictures(20)
    arrays = {"images": pictures, "losses": np.arange(20.0, 0, -1), "true": np.full(20, "a")}
    numbers = {"mean_loss": 1.0, "median_loss": 1.0, "worst_tenth_share": 0.1}
    lines = read(Extremes().draw({"one": Finding(numbers, arrays | {"predicted": arrays["true"]})})).grid()
    for line, images in zip(lines, (pictures[:8], pictures[8:10], pictures[10:18], pictures[18:]), strict=True):
        assert_shows(line, images)
