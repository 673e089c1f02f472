"""The anatomy on the page: a bar for each number of each layer, on one scale for all networks."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from tests.figures.reader import read

from netgaze.drawing.panels import RIGHT, WRONG
from netgaze.figure import Finding
from netgaze.figures.anatomy import Anatomy
from netgaze.figures.anatomy.bars import group_blocks, shorten_count
from netgaze.inside.anatomy import Layer

ROWS = [
    Layer("input", "", (3, 24, 24), 1_728, receptive_field=1),
    Layer("conv", "Conv2d", (8, 12, 12), 1_152, 224, 216, 31_104, 5, 2, -2),
    Layer("", "mean", (8,), 8, receptive_field=70),
    Layer("fc", "Linear", (4,), 4, 36, 32, 32),
]
COLUMNS = {
    "parameters": [0, 224, 0, 36],
    "activations": [1_728, 1_152, 8, 4],
    "multiply-adds": [0, 31_104, 0, 32],
    "receptive field, pixels": [1, 5, 70, 0],
}


SIZES = ("params", "activations", "macs")  # in the panels' order


def made_finding(rows, side, place):
    """Of layers, as a finding stores them."""
    arrays = {
        "words": np.array([(row.name, row.kind, "x".join(map(str, row.output_shape))) for row in rows]),
        "counts": np.array([(r.activations, r.params, r.params_no_bias, r.macs, r.call) for r in rows]),
        "sees": np.array([(row.receptive_field, row.stride, row.start) for row in rows], dtype=float),
        "image": np.array([3, side, side]),
    }
    numbers = {"params": 1_001, "params_no_bias": 2_002, "activations": 3_003, "macs": 4_004}
    numbers = {name: number + place for name, number in numbers.items()}
    return Finding(numbers | {"activation_mb": 0.25 + place, "training_mb": 72 + place, "batch_size": 64}, arrays)


@cache
def draw_two():
    twice = [
        replace(row, params=2 * row.params, activations=3 * row.activations, macs=5 * row.macs) for row in ROWS[:3]
    ]
    return read(Anatomy().draw({"net A": made_finding(ROWS, 24, 0), "net B": made_finding(twice, 200, 1)}))


def test_each_number_is_a_bar_in_its_panel_and_line():
    drawn = draw_two()
    factors = {"parameters": 2, "activations": 3, "multiply-adds": 5, "receptive field, pixels": 1}
    for column, (title, values) in enumerate(COLUMNS.items()):
        first, second = drawn.plots[column], drawn.plots[4 + column]
        assert first.xlabel.split("\n")[0] == second.xlabel.split("\n")[0] == title
        assert first.xlim[0] == second.xlim[0] == 0
        for plot, own in ((first, values), (second, [factors[title] * value for value in values[:3]])):
            assert [(bar.x, bar.width, bar.y + bar.height / 2) for bar in plot.bars] == [
                (0, value, pytest.approx(line)) for line, value in enumerate(own)
            ]
            assert {bar.color for bar in plot.bars} == {(WRONG if column == 3 else RIGHT).lower()}
            assert plot.ylim == (len(own) - 0.5, -0.5)
            said = {round(word.y): word.text for word in plot.words}
            assert set(said) == {line for line, value in enumerate(own) if value}
            assert all(word.x > own[round(word.y)] for word in plot.words)
        assert first.xlim == second.xlim  # one scale for all networks
        assert first.xlim[1] > max(*(factors[title] * value for value in values[:3]), 200 if column == 3 else 0)
    assert {round(word.y): word.text for word in drawn.plots[1].words} == {0: "1.73k", 1: "1.15k", 2: "8", 3: "4"}
    assert {round(word.y): word.text for word in drawn.plots[3].words} == {0: "1", 1: "5", 2: "70"}


def test_the_image_side_is_marked_on_the_receptive_field_alone():
    drawn = draw_two()
    assert [len(plot.lines) for plot in drawn.plots] == [0, 0, 0, 1, 0, 0, 0, 1]
    for plot, side in ((drawn.plots[3], 24), (drawn.plots[7], 200)):
        assert plot.lines[0].x == [side, side]
        assert plot.lines[0].style == "--"
        assert f"the image's {side}" in plot.xlabel
        assert plot.xlim[1] > side


def test_names_stand_left_of_their_bars():
    drawn = draw_two()
    for plot, num in ((drawn.plots[0], 4), (drawn.plots[4], 3)):
        pitch = plot.height / num
        for line, (name, size) in enumerate(
            [("input", "3x24x24"), ("conv Conv2d", "8x12x12"), ("(itself) mean", "8"), ("fc Linear", "4")][:num]
        ):
            low = plot.y + line * pitch
            words = [word.text for word in drawn.words if low < word.y < low + pitch and word.x < plot.x]
            assert words == [name, size]
    above = [drawn.say(words).y for words in ("net A", "1,001 parameters", "net B", "1,002 parameters")]
    assert above == sorted(above)
    assert above[1] < drawn.plots[0].y < above[2]
    assert above[3] < drawn.plots[4].y


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (0, "0"),
        (7, "7"),
        (999, "999"),
        (1_000, "1.00k"),
        (1_790, "1.79k"),
        (36_864, "36.9k"),
        (147_456, "147k"),
        (999_999, "1.00M"),
        (2_359_296, "2.36M"),
        (15_470_264_320, "15.5G"),
    ],
)
def test_counts_have_three_digits_that_count(value, words):
    assert shorten_count(value) == words


def test_a_line_of_several_layers_says_the_last_ones_shape_and_the_widest_field():
    few = [
        Layer("a.0", "Conv2d", (8, 4, 4), 100, 10, 9, 1_000, 9, 1, 0),
        Layer("a.1", "Conv2d", (6, 2, 2), 20, 30, 29, 3_000, 5, 2, 0),
        Layer("b", "Linear", (4,), 4, 5, 4, 50),
    ]
    first, second = group_blocks(few, 2)
    assert (first.name, first.kind, first.output_shape) == ("a", "(2 layers)", (6, 2, 2))
    assert (first.activations, first.params, first.macs, first.receptive_field) == (120, 40, 4_000, 9)
    assert second is few[2]


def test_the_words_below_a_name_are_its_totals():
    text = " ".join(draw_two().text.split())
    assert (
        "net A 1,001 parameters (2,002 without biases), 3,003 activations (0.250 MB) and 4,004 multiply-adds "
        "for one image of 3x24x24; 72.0 MB to train with batches of 64"
    ) in text


def test_a_stored_layer_comes_back_whole():
    rows = [replace(row, call=1 + number) for number, row in enumerate(ROWS)]
    finding = made_finding(rows, 24, 0)
    finding.numbers["precision"] = 16
    assert [(row["params_no_bias"], row["activation_bytes"], row["kind"]) for row in Anatomy().table(finding)] == [
        (0, 3_456, ""),
        (216, 2_304, "Conv2d (call 2)"),
        (0, 16, "mean (call 3)"),
        (32, 8, "Linear (call 4)"),
    ]
    assert [(row["receptive_field"], row["stride"], row["start"]) for row in Anatomy().table(finding)] == [
        (1, None, None),
        (5, 2, -2),
        (70, None, None),
        (None, None, None),
    ]
